//! What the corpora of `tests/attacks` and `tests/ordinary` have in common: files of cases, steps, a client that takes
//! them at any server, databases of their own.

mod client;
mod databases;
mod run;
mod step;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub(crate) use client::{Client, Login};
pub(crate) use databases::{classification, copy, script, try_script};
pub(crate) use run::{Kept, Place, Seen, run, values};
pub(crate) use step::{Does, Step};

/// Reads the classes of a corpus, a file each; one that is not as its README says fails by name.
pub(crate) fn classes<C: DeserializeOwned>(corpus: &Path, name: impl Fn(&C) -> &str) -> Vec<C> {
    let entries = std::fs::read_dir(corpus.join("classes")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let class: C = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(file.file_stem().unwrap().to_str().unwrap(), name(&class), "a file is named after its class");
        class
    };
    files.into_iter().map(read).collect()
}

/// The oldest major version of PostgreSQL that cases are for.
pub(crate) fn first_version() -> u32 {
    15
}

/// The newest one.
pub(crate) fn last_version() -> u32 {
    18
}
