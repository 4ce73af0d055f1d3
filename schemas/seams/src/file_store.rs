//! Evidence in a folder.
//!
//! ```text
//! <root>/objects/<key>      read-only files
//! <root>/retention/<key>    seconds since 1970 until which the object must stay
//! <root>/incoming/          files being written; left ones are remains of a crash and are swept at start
//! ```
//! The operating system enforces write-once (`link(2)` refuses an existing name); retention is kept by this program
//! only. Whoever owns the folder can remove files: the chain of signatures shows it, nothing here prevents it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::evidence_store::{EvidenceStore, PutOutcome, Retention, StoreError};

/// An [`EvidenceStore`] in a folder of a local file system.
#[derive(Clone)]
pub struct FileStore(Arc<Folder>);

struct Folder {
    root: PathBuf,
    now_s: Box<dyn Fn() -> u64 + Send + Sync>,
    next: AtomicU64,
}

impl FileStore {
    /// Opens or creates the store in folder `root`. `now_s` tells the time in seconds since 1970; it starts
    /// retentions and ends them. One process at a time writes into a store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the folder cannot be made.
    pub fn open(root: impl Into<PathBuf>, now_s: impl Fn() -> u64 + Send + Sync + 'static) -> Result<Self, StoreError> {
        let folder = Folder { root: root.into(), now_s: Box::new(now_s), next: AtomicU64::new(0) };
        let prepare = || -> io::Result<()> {
            let incoming = folder.root.join(INCOMING);
            for area in [OBJECTS, RETENTION, INCOMING] {
                fs::create_dir_all(folder.root.join(area))?;
            }
            for left in fs::read_dir(&incoming)? {
                fs::remove_file(left?.path())?;
            }
            sync_folder(&folder.root)
        };
        prepare().map_err(|error| unavailable(&folder.root.display().to_string(), error))?;
        Ok(Self(Arc::new(folder)))
    }

    /// The store in folder `root` for reading alone, while another process may write into it: nothing is made or
    /// swept.
    #[must_use]
    pub fn for_reading(root: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Folder { root: root.into(), now_s: Box::new(|| 0), next: AtomicU64::new(0) }))
    }

    /// The store in folder `root`, made before, while another process may write into it: nothing is swept. Should that
    /// process start while this one writes, a `put` here may fail; what was put stays.
    #[must_use]
    pub fn beside(root: impl Into<PathBuf>, now_s: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(Folder { root: root.into(), now_s: Box::new(now_s), next: AtomicU64::new(0) }))
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
        self.run(prefix, Folder::list).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let after = after.to_owned();
        self.run(prefix, move |folder, prefix| folder.list_after(prefix, &after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.run(key, Folder::delete).await
    }
}

impl Folder {
    fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        let object = self.path(OBJECTS, key)?;
        if object.exists() {
            return self.compare(key, bytes);
        }
        let failed = |error| unavailable(key, error);
        // The retention first: an object without one must not exist, not even after a crash between the two.
        if retention.in_days() > 0 {
            let until_s = (self.now_s)().saturating_add(u64::from(retention.in_days()).saturating_mul(DAY_S));
            self.extend_retention(key, until_s).map_err(failed)?;
        }
        let incoming = self.write_incoming(bytes).map_err(failed)?;
        let linked = link_durably(&incoming, &object);
        let removed = fs::remove_file(&incoming);
        match linked {
            Ok(()) => {
                removed.map_err(failed)?;
                Ok(PutOutcome::Created)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.compare(key, bytes),
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

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let objects = self.root.join(OBJECTS);
        // Start at the deepest whole folder of the prefix, so that one session's listing does not walk all evidence.
        let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        if !folder.is_empty() && !is_key(folder) {
            return Ok(Vec::new());
        }
        let mut keys = Vec::new();
        let mut folders = vec![objects.join(folder)];
        while let Some(folder) = folders.pop() {
            list_folder(&objects, &folder, &mut folders, &mut keys).map_err(|error| unavailable(prefix, error))?;
        }
        keys.retain(|key| key.starts_with(prefix));
        keys.sort_unstable();
        Ok(keys)
    }

    fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let objects = self.root.join(OBJECTS);
        let mut page = Page { objects: &objects, prefix, after, limit, keys: Vec::new() };
        let parent = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent.is_empty() || is_key(parent) {
            let below = if parent.is_empty() { String::new() } else { format!("{parent}/") };
            page.collect(&below).map_err(|error| unavailable(prefix, error))?;
        }
        Ok(page.keys)
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        let object = self.path(OBJECTS, key)?;
        let until_s = self.retained_until(key)?;
        if until_s > (self.now_s)() {
            return Err(StoreError::Retained { key: key.to_owned(), until_s });
        }
        let removed = fs::remove_file(&object).and_then(|()| sync_parent(&object));
        match removed {
            Err(error) if !is_absence(&error) => Err(unavailable(key, error)),
            _ => Ok(()),
        }
    }

    fn compare(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        if self.get(key)?.as_deref() == Some(bytes) {
            // The first writer may have died between the link and its folder's fsync.
            sync_parent(&self.path(OBJECTS, key)?).map_err(|error| unavailable(key, error))?;
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

    // Two writers of one new object may both come here; whoever is second leaves the first one's retention.
    fn extend_retention(&self, key: &str, until_s: u64) -> io::Result<()> {
        let path = self.root.join(RETENTION).join(key);
        let incoming = self.write_incoming(until_s.to_string().as_bytes())?;
        let linked = link_durably(&incoming, &path);
        fs::remove_file(&incoming)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn write_incoming(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let name = format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.root.join(INCOMING).join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(bytes)?;
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)?;
        file.sync_all()?;
        Ok(path)
    }

    fn path(&self, area: &str, key: &str) -> Result<PathBuf, StoreError> {
        if is_key(key) {
            Ok(self.root.join(area).join(key))
        } else {
            Err(StoreError::InvalidKey { key: key.to_owned() })
        }
    }
}

/// A page of keys being gathered.
struct Page<'a> {
    objects: &'a Path,
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    keys: Vec<String>,
}

impl Page<'_> {
    /// Gathers from the folder of this key prefix (empty, or with its slash), in the order of keys.
    fn collect(&mut self, below: &str) -> io::Result<()> {
        let entries = match fs::read_dir(self.objects.join(below)) {
            Err(error) if is_absence(&error) => return Ok(()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // With its slash a folder sorts where the keys in it do.
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            names.extend(entry.file_name().to_str().map(|name| format!("{below}{name}{slash}")));
        }
        names.sort_unstable();
        for name in names {
            let name = name.as_str();
            if self.keys.len() >= self.limit {
                break;
            }
            if !name.ends_with('/') {
                if name > self.after && name.starts_with(self.prefix) {
                    self.keys.push(name.to_owned());
                }
            } else if (name > self.after || self.after.starts_with(name))
                && (name.starts_with(self.prefix) || self.prefix.starts_with(name))
            {
                self.collect(name)?;
            }
        }
        Ok(())
    }
}

/// Segments of `A-Z a-z 0-9 - _ .`, none empty or starting with a dot: nothing that leaves the folder. The layout has no
/// two keys that differ in case alone, which some file systems would take for one.
fn is_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(allowed);
    key.len() <= KEY_MAX && key.split('/').all(segment)
}

fn list_folder(objects: &Path, folder: &Path, folders: &mut Vec<PathBuf>, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absence(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        } else if let Some(key) = entry.path().strip_prefix(objects).ok().and_then(Path::to_str) {
            keys.push(key.to_owned());
        }
    }
    Ok(())
}

fn link_durably(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        create_folders_durably(parent)?;
    }
    fs::hard_link(from, to)?;
    sync_parent(to)
}

fn create_folders_durably(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders_durably(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_parent(folder),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
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
/// S3's limit on an object key, in bytes, so that the local store accepts nothing S3 would refuse.
const KEY_MAX: usize = 1024;

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
