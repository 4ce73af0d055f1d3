//! The spool's folders and file names.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::identifiers::Incarnation;

use super::{Budget, Ledger, Origin, SpoolError, disk};

/// The whole spool, held exclusively until dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    root: PathBuf,
    budget: Arc<Budget>,
    /// Held until dropped.
    _lock: File,
}

/// One incarnation's part of the spool.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    budget: Arc<Budget>,
}

/// Segment or chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Records as they happen.
    Spool,
    /// Sealed and waiting for the store.
    Chunk,
}

/// A segment or chunk found on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) counter: u64,
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
}

impl Spool {
    /// Locks `root`, removes what never became part of it, and counts what is there.
    pub(crate) fn open(root: &Path, limit: u64) -> Result<Self, SpoolError> {
        std::fs::create_dir_all(root).map_err(SpoolError::disk("cannot create", root))?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(SpoolError::disk("cannot open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(SpoolError::disk("cannot lock", &path)(source)),
        }
        let spool = Self { root: root.to_owned(), budget: Arc::new(Budget::new(limit)), _lock: lock };
        let half = |name: &&String| name.starts_with(BEING_MADE) || name.starts_with(BEING_REMOVED);
        for name in names(root)?.iter().filter(half) {
            let path = root.join(name);
            std::fs::remove_dir_all(&path).map_err(SpoolError::disk("cannot remove", &path))?;
        }
        Ok(spool)
    }

    /// Bytes that segments and chunks take on disk.
    pub(crate) fn used(&self) -> u64 {
        self.budget.used()
    }

    /// Incarnations that left something here.
    pub(crate) fn incarnations(&self) -> Result<Vec<Incarnation>, SpoolError> {
        Ok(names(&self.root)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Makes a new incarnation's folder, whole or not at all, durable.
    pub(crate) fn create(&self, incarnation: &Incarnation, origin: &Origin) -> Result<(Folder, Ledger), SpoolError> {
        let path = self.root.join(incarnation.as_str());
        let hidden = self.root.join(format!("{BEING_MADE}{incarnation}"));
        std::fs::create_dir(&hidden).map_err(SpoolError::disk("cannot create", &hidden))?;
        let json = schemas::canonical::to_vec(origin).map_err(|_| SpoolError::Internal("origin"))?;
        write_durably(&hidden.join(ORIGIN), &json)?;
        Ledger::create(&hidden)?;
        sync(&hidden)?;
        disk::rename(&hidden, &path).map_err(SpoolError::disk("cannot rename", &hidden))?;
        sync(&self.root)?;
        let (ledger, _) = Ledger::reopen(&path)?;
        Ok((Folder { path, budget: Arc::clone(&self.budget) }, ledger))
    }

    /// Opens a dead incarnation's folder. Its files are counted against the spool's limit.
    pub(crate) fn reopen(&self, incarnation: &Incarnation, origin: &Origin) -> Result<Folder, SpoolError> {
        let path = self.root.join(incarnation.as_str());
        let file = path.join(ORIGIN);
        let json = std::fs::read(&file).map_err(SpoolError::disk("cannot read", &file))?;
        if serde_json::from_slice::<Origin>(&json).ok().map(|found| found.scope()) != Some(origin.scope()) {
            return Err(SpoolError::Foreign { path });
        }
        let folder = Folder { path, budget: Arc::clone(&self.budget) };
        for name in names(&folder.path)?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = folder.path.join(name);
            std::fs::remove_file(&path).map_err(SpoolError::disk("cannot remove", &path))?;
        }
        for entry in folder.entries()? {
            self.budget.force(folder.length(entry)?);
        }
        Ok(folder)
    }

    /// Removes the folder of an incarnation that owes nothing more.
    pub(crate) fn remove(&self, incarnation: &Incarnation) -> Result<(), SpoolError> {
        let path = self.root.join(incarnation.as_str());
        let hidden = self.root.join(format!("{BEING_REMOVED}{incarnation}"));
        disk::rename(&path, &hidden).map_err(SpoolError::disk("cannot rename", &path))?;
        sync(&self.root)?;
        std::fs::remove_dir_all(&hidden).map_err(SpoolError::disk("cannot remove", &hidden))
    }
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn file(&self, entry: Entry) -> PathBuf {
        self.path.join(entry.name())
    }

    /// Keeps what announces the incarnation, durably, before any of it is stored.
    pub(crate) fn keep_announcement(&self, bytes: &[u8]) -> Result<(), SpoolError> {
        write_durably(&self.path.join(ANNOUNCEMENT), bytes)?;
        sync(&self.path)
    }

    /// What announces the incarnation; nothing when it died before it could be announced.
    pub(crate) fn announcement(&self) -> Result<Option<Vec<u8>>, SpoolError> {
        let path = self.path.join(ANNOUNCEMENT);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SpoolError::disk("cannot read", &path)(source)),
        }
    }

    /// Every segment and chunk, by counter, sequence and kind.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, SpoolError> {
        let mut entries: Vec<Entry> = names(&self.path)?.iter().filter_map(|name| Entry::parse(name)).collect();
        entries.sort_unstable();
        Ok(entries)
    }

    /// Reads a file whole. Segments and chunks are bounded by the settings of the relay that wrote them.
    pub(crate) fn read(&self, entry: Entry) -> Result<Vec<u8>, SpoolError> {
        let path = self.file(entry);
        let length = self.length(entry)?;
        if length > FILE_MAX {
            return Err(SpoolError::Damaged { path, problem: "it is larger than anything a relay writes" });
        }
        std::fs::read(&path).map_err(SpoolError::disk("cannot read", &path))
    }

    /// As [`Folder::read`]; nothing when there is no such file.
    pub(crate) fn read_if_there(&self, entry: Entry) -> Result<Option<Vec<u8>>, SpoolError> {
        match self.read(entry) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(SpoolError::Disk { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a sealed chunk beside its segment, then removes the segment. A crash leaves the segment, both, or the
    /// chunk; never half a chunk.
    pub(crate) fn seal(&self, segment: Entry, chunk: &[u8]) -> Result<(), SpoolError> {
        let entry = Entry { kind: Kind::Chunk, ..segment };
        write_durably(&self.file(entry), chunk)?;
        sync(&self.path)?;
        self.budget.force(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        self.remove(segment)
    }

    /// Removes a file; one that is gone already is gone.
    pub(crate) fn remove(&self, entry: Entry) -> Result<(), SpoolError> {
        let path = self.file(entry);
        let length = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(SpoolError::disk("cannot read", &path)(source)),
        };
        disk::remove(&path).map_err(SpoolError::disk("cannot remove", &path))?;
        self.budget.release(length);
        Ok(())
    }

    fn length(&self, entry: Entry) -> Result<u64, SpoolError> {
        let path = self.file(entry);
        std::fs::metadata(&path).map(|metadata| metadata.len()).map_err(SpoolError::disk("cannot read", &path))
    }
}

impl Entry {
    fn name(self) -> String {
        let extension = match self.kind {
            Kind::Spool => SPOOL,
            Kind::Chunk => CHUNK,
        };
        format!("{:010}.{:010}.{extension}", self.counter, self.sequence)
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let (counter, sequence) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let kind = match parts.next()? {
            SPOOL => Kind::Spool,
            CHUNK => Kind::Chunk,
            _ => return None,
        };
        let entry = Self { counter, sequence, kind };
        (entry.name() == name).then_some(entry)
    }
}

/// Makes names in a folder durable.
pub(crate) fn sync(folder: &Path) -> Result<(), SpoolError> {
    disk::flush_folder(folder).map_err(SpoolError::disk("cannot flush", folder))
}

/// A file that is there whole or not at all; its name is durable after the folder's [`sync`].
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    let unfinished = path.with_added_extension(UNFINISHED.trim_start_matches('.'));
    let file = disk::open(OpenOptions::new().write(true).create(true).truncate(true), &unfinished)
        .map_err(SpoolError::disk("cannot create", &unfinished))?;
    disk::write(&file, &unfinished, bytes).map_err(SpoolError::disk("cannot write", &unfinished))?;
    disk::flush(&file, &unfinished).map_err(SpoolError::disk("cannot flush", &unfinished))?;
    disk::rename(&unfinished, path).map_err(SpoolError::disk("cannot rename", &unfinished))
}

fn names(folder: &Path) -> Result<Vec<String>, SpoolError> {
    let failed = || SpoolError::disk("cannot list", folder);
    let entries = std::fs::read_dir(folder).map_err(|source| failed()(source))?;
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    // What is not UTF-8 is not ours.
    Ok(names.map_err(|source| failed()(source))?.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

/// A file is read into memory to be sealed or shipped: the largest segment and one batch more, twice over.
const FILE_MAX: u64 = 256 * 1024 * 1024;
const BEING_MADE: &str = ".new-";
const BEING_REMOVED: &str = ".old-";
const LOCK: &str = "lock";
const ORIGIN: &str = "origin.json";
const ANNOUNCEMENT: &str = "announcement.json";
const SPOOL: &str = "spool";
const CHUNK: &str = "chunk";
const UNFINISHED: &str = ".unfinished";

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(tenant: &str) -> Origin {
        let name = |text: &str| text.parse().unwrap();
        Origin { tenant: name(tenant), environment: name("test"), relay: name("relay-1"), log_origin: "log".to_owned() }
    }

    fn incarnation() -> Incarnation {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    #[test]
    fn a_spool_has_one_holder() {
        let root = tempfile::tempdir().unwrap();
        let first = Spool::open(root.path(), 1000).unwrap();
        assert!(matches!(Spool::open(root.path(), 1000), Err(SpoolError::Locked { .. })));
        drop(first);
        Spool::open(root.path(), 1000).unwrap();
    }

    #[test]
    fn another_relays_evidence_is_not_taken_for_ours() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::open(root.path(), 1000).unwrap();
        spool.create(&incarnation(), &origin("clinic")).unwrap();
        spool.reopen(&incarnation(), &origin("clinic")).unwrap();
        assert!(matches!(spool.reopen(&incarnation(), &origin("other")), Err(SpoolError::Foreign { .. })));
    }

    #[test]
    fn what_is_found_counts_and_what_is_removed_does_not() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::open(root.path(), 1000).unwrap();
        let (folder, _) = spool.create(&incarnation(), &origin("clinic")).unwrap();
        let entry = Entry { counter: 7, sequence: 2, kind: Kind::Spool };
        std::fs::write(folder.file(entry), [0; 100]).unwrap();
        std::fs::write(folder.path().join("0000000007.0000000003.chunk.unfinished"), [0; 100]).unwrap();
        let folder = spool.reopen(&incarnation(), &origin("clinic")).unwrap();
        assert_eq!((folder.entries().unwrap(), folder.budget().used()), (vec![entry], 100));
        folder.seal(entry, &[1; 10]).unwrap();
        let chunk = Entry { kind: Kind::Chunk, ..entry };
        assert_eq!((folder.entries().unwrap(), folder.budget().used()), (vec![chunk], 10));
        folder.remove(chunk).unwrap();
        folder.remove(chunk).unwrap();
        assert_eq!(folder.budget().used(), 0);
    }

    #[test]
    fn a_removed_incarnation_is_gone_and_half_made_ones_never_were() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::open(root.path(), 1000).unwrap();
        spool.create(&incarnation(), &origin("clinic")).unwrap();
        assert_eq!(spool.incarnations().unwrap(), [incarnation()]);
        spool.remove(&incarnation()).unwrap();
        assert!(spool.incarnations().unwrap().is_empty());
        std::fs::create_dir(root.path().join(".new-x")).unwrap();
        drop(spool);
        Spool::open(root.path(), 1000).unwrap();
        assert!(!root.path().join(".new-x").exists());
    }
}
