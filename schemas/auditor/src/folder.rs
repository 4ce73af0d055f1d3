//! A folder of evidence: the root of a local store, or objects below their keys as they were downloaded.

use std::fs;
use std::io::{self, Read};
use std::iter;
use std::path::{Path, PathBuf};

use schemas::bundle::layout::BundleFile;
use schemas::chunk::STORED_MAX;
use schemas::tables::parquet::RandomRead;
use schemas::verify::{Files, Source};

use crate::error::Error;

/// Evidence on disk.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    objects: PathBuf,
}

impl Folder {
    /// The folder `path`, or its `objects` where it is the root of a local store.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let store = path.join("objects");
        let objects = if store.is_dir() { store } else { path.to_owned() };
        if !objects.join("evidence").is_dir() {
            return Err(Error::content(path, "expected a folder that holds `evidence/` or `objects/evidence/`"));
        }
        Ok(Self { objects })
    }

    /// The folder of a bundle; nothing for a folder that has none of a bundle's own files. One that lost its manifest
    /// still is a bundle, and not evidence that holds by itself.
    pub(crate) fn bundle(path: &Path) -> Option<Self> {
        let mut own = iter::once(BundleFile::Manifest).chain(BundleFile::required());
        own.any(|file| path.join(file.path()).exists()).then(|| Self { objects: path.to_owned() })
    }

    /// Paths of all files, sorted.
    pub(crate) fn list_all(&self) -> Result<Vec<String>, Error> {
        let mut paths = Vec::new();
        self.collect("", &mut paths)?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Where the objects stand.
    pub(crate) fn root(&self) -> &Path {
        &self.objects
    }

    /// Keys of all objects, evidence and what goes with it, sorted.
    pub(crate) fn list(&self) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        for area in AREAS {
            if self.objects.join(area).exists() {
                self.collect(area, &mut keys)?;
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// An object's bytes.
    pub(crate) fn read(&self, key: &str) -> Result<Vec<u8>, Error> {
        self.get(key, STORED_MAX).map_err(Error::file(&self.path(key)))
    }

    /// Where an object stands.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.objects.join(key)
    }

    fn collect(&self, prefix: &str, keys: &mut Vec<String>) -> Result<(), Error> {
        let folder = self.path(prefix);
        for entry in fs::read_dir(&folder).map_err(Error::file(&folder))? {
            let entry = entry.map_err(Error::file(&folder))?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| Error::content(&entry.path(), "expected a name in UTF-8"))?;
            let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            // Links are not followed: what was handed over stands in the folder, not elsewhere on this machine.
            let kind = entry.file_type().map_err(Error::file(&entry.path()))?;
            if kind.is_dir() {
                self.collect(&key, keys)?;
            } else if kind.is_file() {
                keys.push(key);
            } else {
                return Err(Error::content(&entry.path(), "expected a file or folder, found a link or device"));
            }
        }
        Ok(())
    }
}

impl Source for Folder {
    fn keys(&self) -> io::Result<Vec<String>> {
        self.list().map_err(io::Error::other)
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        let file = fs::File::open(self.path(key))?;
        let length = file.metadata()?.len();
        if length > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        // Again, for the file may grow while it is read.
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A folder as a bundle: all its files, whatever they are.
pub(crate) struct BundleFolder<'a>(pub(crate) &'a Folder);

impl Source for BundleFolder<'_> {
    fn keys(&self) -> io::Result<Vec<String>> {
        self.0.list_all().map_err(io::Error::other)
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.0.get(key, limit)
    }
}

impl Files for BundleFolder<'_> {
    fn open(&self, path: &str) -> io::Result<Box<dyn RandomRead>> {
        Ok(Box::new(fs::File::open(self.0.path(path))?))
    }
}

/// What verifying looks at: logs, what certifies the keys of their checkpoints, evidence, details of approvals, wrapped
/// keys. Logs first: whatever they tell of was stored before, and so is there when evidence is listed.
const AREAS: [&str; 6] = ["log", "trust", "shredded", "evidence", "approvals", "keys"];
