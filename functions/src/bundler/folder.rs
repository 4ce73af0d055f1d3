//! The folder in which a bundle is made, and evidence read from it.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use schemas::bundle::Destination;
use schemas::verify::Source;

use super::BundlerError;

/// A folder that a bundle is made in: the bundle as it will be, file by file.
#[derive(Debug)]
pub struct WorkFolder {
    root: PathBuf,
}

impl WorkFolder {
    /// Makes the folder, which must not be there yet.
    ///
    /// # Errors
    /// [`BundlerError::Folder`].
    pub fn create(root: PathBuf) -> Result<Self, BundlerError> {
        let made = root.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::create_dir(&root));
        made.map_err(|error| BundlerError::folder(&root, error))?;
        Ok(Self { root })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file of the bundle; folders on the way are made.
    ///
    /// # Errors
    /// [`BundlerError::Folder`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), BundlerError> {
        let path = self.path(name)?;
        fs::write(&path, bytes).map_err(|error| BundlerError::folder(&path, error))
    }

    /// Names of all files, sorted; `/` between folders.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn files(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(self.root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name().into_string().map_err(|_| io::ErrorKind::InvalidData)?;
                let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if entry.file_type()?.is_dir() { open.push(name) } else { found.push(name) }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Removes the folder with all that is in it.
    ///
    /// # Errors
    /// [`BundlerError::Folder`].
    pub fn remove(self) -> Result<(), BundlerError> {
        fs::remove_dir_all(&self.root).map_err(|error| BundlerError::folder(&self.root, error))
    }

    fn path(&self, name: &str) -> Result<PathBuf, BundlerError> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| BundlerError::folder(parent, error))?;
        }
        Ok(path)
    }
}

impl Destination for WorkFolder {
    fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        let path = self.root.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        Ok(Box::new(fs::File::create_new(path)?))
    }
}

/// The evidence in it, for the verifier.
impl Source for WorkFolder {
    fn keys(&self) -> io::Result<Vec<String>> {
        let is_evidence = |name: &String| name.starts_with(schemas::layout::EVIDENCE_PREFIX);
        Ok(self.files()?.into_iter().filter(is_evidence).collect())
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        let file = fs::File::open(self.root.join(key))?;
        if file.metadata()?.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
