//! Evidence in a folder.
//!
//! ```text
//! <root>/objects/<key>      read-only files
//! <root>/retention/<key>    seconds since 1970 until which the object must stay
//! <root>/incoming/          files being written; left ones are remains of a crash and are swept at start
//! ```
//! The operating system enforces write-once (`link(2)` refuses an existing name); retention is kept by this program
//! only. Whoever owns the folder can remove files: the chain of signatures shows it, nothing here prevents it.

mod listing;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::disk::Disk;
use crate::evidence_store::{EvidenceStore, Overlay, OverlayKind, PutOutcome, Retention, StoreError};
use crate::object_key;

/// An [`EvidenceStore`] in a folder of a local file system.
#[derive(Clone)]
pub struct FileStore(Arc<Folder>);

struct Folder {
    root: PathBuf,
    now_s: Box<dyn Fn() -> u64 + Send + Sync>,
    next: AtomicU64,
    disk: Disk,
    /// Folders whose name, and that of every folder above, this process brought to the disk.
    settled: Mutex<HashSet<PathBuf>>,
}

impl FileStore {
    /// Opens or creates the store in folder `root`. `now_s` tells the time in seconds since 1970; it starts
    /// retentions and ends them. One process at a time writes into a store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the folder cannot be made.
    pub fn open(root: impl Into<PathBuf>, now_s: impl Fn() -> u64 + Send + Sync + 'static) -> Result<Self, StoreError> {
        Self::on(Disk::default(), root.into(), Box::new(now_s))
    }

    fn on(disk: Disk, root: PathBuf, now_s: Box<dyn Fn() -> u64 + Send + Sync>) -> Result<Self, StoreError> {
        let folder = Folder::new(disk, root, now_s);
        folder.prepare().map_err(|error| unavailable(&folder.root.display().to_string(), error))?;
        Ok(Self(Arc::new(folder)))
    }

    /// The store in folder `root` for reading alone, while another process may write into it: nothing is made or
    /// swept.
    #[must_use]
    pub fn for_reading(root: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Folder::new(Disk::default(), root.into(), Box::new(|| 0))))
    }

    /// The store in folder `root`, made before, while another process may write into it: nothing is swept. Should that
    /// process start while this one writes, a `put` here may fail; what was put stays.
    #[must_use]
    pub fn beside(root: impl Into<PathBuf>, now_s: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(Folder::new(Disk::default(), root.into(), Box::new(now_s))))
    }

    async fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Folder, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (folder, key) = (self.0.clone(), key.to_owned());
        let name = key.clone();
        tokio::task::spawn_blocking(move || work(&folder, &key))
            .await
            .map_err(|error| StoreError::Unavailable(name, Box::new(error)))?
    }
}

#[async_trait]
impl EvidenceStore for FileStore {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        let bytes = bytes.to_vec();
        self.run(key, move |folder, key| folder.put(key, &bytes, retention)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(key, Folder::get).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.run(prefix, |folder, prefix| {
            listing::all(&folder.root.join(OBJECTS), prefix).map_err(|error| unavailable(prefix, error))
        })
        .await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let after = after.to_owned();
        self.run(prefix, move |folder, prefix| {
            let page = listing::page(&folder.root.join(OBJECTS), prefix, &after, limit);
            page.map_err(|error| unavailable(prefix, error))
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.run(key, Folder::delete).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.run(prefix, move |folder, prefix| folder.overlays(prefix, limit)).await
    }
}

impl Folder {
    fn new(disk: Disk, root: PathBuf, now_s: Box<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self { root, now_s, next: AtomicU64::new(0), disk, settled: Mutex::default() }
    }

    fn prepare(&self) -> io::Result<()> {
        if !self.root.is_dir() {
            fs::create_dir_all(&self.root)?;
            self.flush_parent(&self.root)?;
        }
        for area in [OBJECTS, RETENTION, INCOMING] {
            self.settle(&self.root.join(area))?;
        }
        fs::read_dir(self.root.join(INCOMING))?.try_for_each(|left| self.disk.remove(&left?.path()))
    }

    fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        let object = self.path(OBJECTS, key)?;
        if object.exists() {
            return self.compare(key, bytes, retention);
        }
        let failed = |error| unavailable(key, error);
        // The retention first: an object without one must not exist, not even after a crash between the two.
        self.retain(key, retention)?;
        let incoming = self.write_incoming(bytes).map_err(failed)?;
        let linked = self.link_durably(&incoming, &object);
        let removed = self.disk.remove(&incoming);
        match linked {
            Ok(()) => {
                removed.map_err(failed)?;
                Ok(PutOutcome::Created)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.compare(key, bytes, retention),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(OBJECTS, key)?) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(unavailable(key, error)),
        }
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        let object = self.path(OBJECTS, key)?;
        let until_s = self.retained_until(key)?;
        if until_s > (self.now_s)() {
            return Err(StoreError::Retained { key: key.to_owned(), until_s });
        }
        // The retention last, so that one without an object tells that the object is missing.
        for path in [object, self.path(RETENTION, key)?] {
            self.remove_durably(&path).map_err(|error| unavailable(key, error))?;
        }
        Ok(())
    }

    /// Also where nothing is: whoever removed it may have died before that was on the disk.
    fn remove_durably(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(error) if !is_absence(&error) => return Err(error),
            _ => {}
        }
        match self.flush_parent(path) {
            Err(error) if !is_absence(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// A file has no versions: one that was changed is not told from one that was not. The chain of signatures does.
    fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        let retained = listing::all(&self.root.join(RETENTION), prefix).map_err(|error| unavailable(prefix, error))?;
        let mut overlays = Vec::new();
        for key in retained {
            if overlays.len() >= limit {
                break;
            }
            if !self.path(OBJECTS, &key)?.exists() && self.retained_until(&key)? > (self.now_s)() {
                overlays.push(Overlay { key, kind: OverlayKind::Missing, at_s: None });
            }
        }
        Ok(overlays)
    }

    fn compare(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        if self.get(key)?.as_deref() == Some(bytes) {
            self.retain(key, retention)?;
            // The first writer may have died between the link and its folder's fsync.
            let flushed = self.flush_name(&self.path(OBJECTS, key)?);
            flushed.map_err(|error| unavailable(key, error))?;
            Ok(PutOutcome::AlreadyIdentical)
        } else {
            Err(StoreError::Conflict { key: key.to_owned() })
        }
    }

    fn retained_until(&self, key: &str) -> Result<u64, StoreError> {
        match fs::read_to_string(self.path(RETENTION, key)?) {
            // A retention that cannot be read is one that never ends.
            Ok(text) => Ok(text.trim().parse().unwrap_or(u64::MAX)),
            Err(error) if is_absence(&error) => Ok(0),
            Err(error) => Err(unavailable(key, error)),
        }
    }

    /// Sees to it that the object stays as long as `retention` says from now on, a day more or less.
    fn retain(&self, key: &str, retention: Retention) -> Result<(), StoreError> {
        let until_s = (self.now_s)().saturating_add(u64::from(retention.in_days()).saturating_mul(DAY_S));
        let held_s = self.retained_until(key)?;
        if retention.in_days() == 0 {
            return Ok(());
        }
        let kept = if held_s.saturating_add(DAY_S) >= until_s && held_s > (self.now_s)() {
            // Whoever wrote it may have died before its name was on the disk.
            self.flush_name(&self.root.join(RETENTION).join(key))
        } else {
            self.write_retention(key, until_s, held_s)
        };
        kept.map_err(|error| unavailable(key, error))
    }

    // Two writers of one new object may both come here; whoever is second leaves the first one's retention.
    fn write_retention(&self, key: &str, until_s: u64, held_s: u64) -> io::Result<()> {
        let path = self.root.join(RETENTION).join(key);
        let incoming = self.write_incoming(until_s.to_string().as_bytes())?;
        if held_s > 0 {
            let renamed = self.disk.rename(&incoming, &path);
            return renamed.inspect_err(|_| self.discard(&incoming)).and_then(|()| self.flush_parent(&path));
        }
        let linked = self.link_durably(&incoming, &path);
        self.disk.remove(&incoming)?;
        match linked {
            // Another writer's, whose name may not be on the disk yet.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.flush_name(&path),
            linked => linked,
        }
    }

    fn write_incoming(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let name = format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.root.join(INCOMING).join(name);
        let written = self.disk.create(&mut OpenOptions::new(), &path).and_then(|file| self.fill(&file, &path, bytes));
        // A full disk is not to be filled by attempts.
        written.inspect_err(|_| self.discard(&path))?;
        Ok(path)
    }

    fn fill(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(file, path, bytes)?;
        self.disk.make_read_only(file, path)?;
        self.disk.flush(file, path)
    }

    /// Removes what came to nothing. One that stays is swept at the next start.
    fn discard(&self, incoming: &Path) {
        let _ = self.disk.remove(incoming);
    }

    fn link_durably(&self, from: &Path, to: &Path) -> io::Result<()> {
        if let Some(parent) = to.parent() {
            self.settle(parent)?;
        }
        self.disk.link(from, to)?;
        self.flush_parent(to)
    }

    /// Brings the name of what stands here to the disk, and those of the folders above it.
    fn flush_name(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            self.settle(parent)?;
        }
        self.flush_parent(path)
    }

    /// Makes a folder below the root, and brings its name and those above it to the disk. Also of one that is there:
    /// whoever made it may have died before that, or not have come so far.
    fn settle(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || self.settled().contains(folder) {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.settle(parent)?;
        }
        match self.disk.create_folder(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.flush_parent(folder)?;
        let mut settled = self.settled();
        if settled.len() >= SETTLED_MAX {
            settled.clear();
        }
        settled.insert(folder.to_owned());
        Ok(())
    }

    fn settled(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_parent(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        self.disk.flush_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }

    fn path(&self, area: &str, key: &str) -> Result<PathBuf, StoreError> {
        object_key::check(key)?;
        Ok(self.root.join(area).join(key))
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unavailable(key: &str, error: io::Error) -> StoreError {
    StoreError::Unavailable(key.to_owned(), Box::new(error))
}

const OBJECTS: &str = "objects";
const RETENTION: &str = "retention";
const INCOMING: &str = "incoming";
const DAY_S: u64 = 86_400;
/// Paths of a hundred bytes; what is forgotten costs another fsync.
const SETTLED_MAX: usize = 10_000;

#[cfg(test)]
mod faults;

#[cfg(test)]
mod tests {
    use super::*;

    fn store_at(root: &Path, now_s: u64) -> FileStore {
        FileStore::open(root, move || now_s).unwrap()
    }

    #[tokio::test]
    async fn a_folder_keeps_the_contract_of_an_evidence_store() {
        let folder = tempfile::tempdir().unwrap();
        crate::contract::evidence_store(&store_at(folder.path(), 1_000)).await.unwrap();
    }

    #[tokio::test]
    async fn an_object_is_deletable_on_the_day_its_retention_ends_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        store_at(folder.path(), 0).put("evidence/x", b"x", Retention::days(2)).await.unwrap();
        assert!(store_at(folder.path(), 2 * DAY_S - 1).delete("evidence/x").await.is_err());
        store_at(folder.path(), 2 * DAY_S).delete("evidence/x").await.unwrap();
    }

    #[tokio::test]
    async fn a_key_that_is_used_again_has_a_retention_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        store_at(folder.path(), 0).put("evidence/x", b"x", Retention::days(2)).await.unwrap();
        store_at(folder.path(), 2 * DAY_S).delete("evidence/x").await.unwrap();
        store_at(folder.path(), 3 * DAY_S).put("evidence/x", b"y", Retention::days(2)).await.unwrap();
        assert!(store_at(folder.path(), 4 * DAY_S).delete("evidence/x").await.is_err());
        store_at(folder.path(), 5 * DAY_S).delete("evidence/x").await.unwrap();
    }

    #[tokio::test]
    async fn what_is_gone_before_its_retention_ended_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_at(folder.path(), DAY_S);
        for key in ["evidence/x", "evidence/y", "keys/x"] {
            store.put(key, b"x", Retention::days(2)).await.unwrap();
            fs::remove_file(folder.path().join(OBJECTS).join(key)).unwrap();
        }
        store.put("evidence/y", b"x", Retention::days(2)).await.unwrap();
        let missing = Overlay { key: "evidence/x".to_owned(), kind: OverlayKind::Missing, at_s: None };
        assert_eq!(store.overlays("evidence/", 9).await.unwrap(), std::slice::from_ref(&missing));
        assert_eq!(FileStore::for_reading(folder.path()).overlays("evidence/", 9).await.unwrap(), [missing]);
        assert_eq!(store.overlays("", 1).await.unwrap().len(), 1);
        assert!(store_at(folder.path(), 3 * DAY_S).overlays("", 9).await.unwrap().is_empty(), "it ended");
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_is_no_object_and_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        store_at(folder.path(), 0);
        let left = folder.path().join(INCOMING).join("1-0");
        fs::write(&left, b"half").unwrap();
        let store = store_at(folder.path(), 0);
        assert!(store.list("").await.unwrap().is_empty() && !left.exists());
    }

    #[tokio::test]
    async fn a_damaged_retention_keeps_its_object() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_at(folder.path(), 0);
        fs::create_dir_all(folder.path().join(RETENTION).join("evidence")).unwrap();
        fs::write(folder.path().join(RETENTION).join("evidence/x"), b"soon").unwrap();
        store.put("evidence/x", b"x", Retention::none()).await.unwrap();
        assert!(matches!(store.delete("evidence/x").await, Err(StoreError::Retained { until_s: u64::MAX, .. })));
    }

    #[tokio::test]
    async fn of_many_writers_of_one_object_one_wins_and_the_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_at(folder.path(), 0);
        let mut writers = Vec::new();
        for writer in 0..8u8 {
            let store = store.clone();
            writers.push(tokio::spawn(async move { store.put("evidence/x", &[writer], Retention::days(1)).await }));
        }
        let mut created = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(PutOutcome::Created) => created += 1,
                result => assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}"),
            }
        }
        assert_eq!(created, 1);
    }
}
