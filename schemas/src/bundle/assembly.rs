//! Writes a bundle's files and remembers their digests.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::BundleFile;
use super::{BundleManifest, Predicate, TableFiles};
use crate::digest::{Hasher, Sha256Digest};

/// Where a bundle is written.
pub trait Destination {
    /// A new file of this path, which must not be there yet.
    ///
    /// # Errors
    /// Whatever keeps it from being made.
    fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>>;
}

/// A bundle that is being written: every file goes through it, so that the manifest names every file.
pub struct Assembly<'a> {
    destination: &'a dyn Destination,
    digests: Digests,
}

type Digests = Arc<Mutex<BTreeMap<String, Sha256Digest>>>;

/// A file of a bundle that is being written. It counts once it is [finished](BundleWriter::finish).
pub struct BundleWriter {
    path: String,
    file: Box<dyn Write + Send>,
    hasher: Hasher,
    digests: Digests,
}

impl<'a> Assembly<'a> {
    /// An empty bundle.
    pub fn new(destination: &'a dyn Destination) -> Self {
        Self { destination, digests: Digests::default() }
    }

    /// A new file.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn create(&self, file: &BundleFile) -> io::Result<BundleWriter> {
        let path = file.path();
        let file = self.destination.create(&path)?;
        Ok(BundleWriter { path, file, hasher: Hasher::new(), digests: self.digests.clone() })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn put(&self, file: &BundleFile, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.create(file)?;
        writer.write_all(bytes)?;
        writer.finish()
    }

    /// Names a file that stands in the bundle already.
    pub fn include(&self, file: &BundleFile, digest: Sha256Digest) {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(file.path(), digest);
    }

    /// The files of all tables; rows go into them.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn tables(&self) -> io::Result<TableFiles> {
        TableFiles::create(self)
    }

    /// The manifest over all files that were finished. It is canonical JSON, signed with the bundles key, and its
    /// envelope stored as [`BundleFile::Manifest`], which ends the bundle.
    #[must_use]
    pub fn manifest(&self, predicate: Predicate) -> BundleManifest {
        BundleManifest::new(&self.digests.lock().unwrap_or_else(PoisonError::into_inner), predicate)
    }
}

impl BundleWriter {
    /// Ends the file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.insert(self.path, self.hasher.finish());
        Ok(())
    }
}

impl Write for BundleWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
