//! What stopped the auditor, and with which exit code.

use std::path::{Path, PathBuf};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done; for `verify`: everything holds. Exit code 0.
    Holds,
    /// Evidence breaks a rule. Exit code 1.
    Findings,
    /// The question was wrong, or something cannot be read. Exit code 2.
    Unreadable,
}

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
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
    /// Evidence that should be shown does not verify.
    #[error("{0}")]
    Unverified(String),
    /// The output ended.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Findings => 1,
            Self::Unreadable => 2,
        }
    }
}

impl Error {
    /// How a command ends that met this.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unverified(_) => Exit::Findings,
            _ => Exit::Unreadable,
        }
    }

    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == std::io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    pub(crate) fn content(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.to_string() }
    }
}
