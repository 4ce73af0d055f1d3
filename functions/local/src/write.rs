//! Writing files whole: secrets for the owner alone, others for all to read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::Error;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The owner alone (mode 0600).
    Owner,
    /// Everybody who reaches the folder (mode 0644).
    All,
}

/// Writes a file that must not exist yet.
pub(crate) fn create(path: &Path, content: &[u8], readers: Readers) -> Result<(), Error> {
    write_new(path, content, readers).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes a file whole or not at all: whoever sees it sees all of it.
pub(crate) fn replace(path: &Path, content: &[u8], readers: Readers) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    write_new(Path::new(&unfinished), content, readers).map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

fn write_new(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
