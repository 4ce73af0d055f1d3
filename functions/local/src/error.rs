//! What can go wrong, told with the file or field and what was expected.

use std::path::{Path, PathBuf};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}{hint}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
        /// What to do about it; empty or starting with a separator.
        hint: &'static str,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: {problem}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// An argument is not acceptable.
    #[error("{argument}: {problem}")]
    Argument {
        /// The argument.
        argument: &'static str,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({what}): {source}")]
    Listen {
        /// What wanted to.
        what: &'static str,
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A part of the system could not start or go on.
    #[error("{part}: {problem}")]
    Part {
        /// Which part.
        part: &'static str,
        /// Its own words.
        problem: String,
    },
}

impl Error {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        let missing = source.kind() == std::io::ErrorKind::NotFound;
        let hint = if missing { " (`local init` writes it)" } else { "" };
        Self::Read { path: path.to_owned(), source, hint }
    }

    pub(crate) fn content(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.to_string() }
    }

    /// For `map_err`: what a part of the system said.
    pub(crate) fn of<E: std::fmt::Display>(part: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Part { part, problem: error.to_string() }
    }
}
