//! Every change that the spool makes to the disk goes through here, so that a test can let each of them fail: not done,
//! half done, or done and reported as failed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A file comes to be.
    Create,
    /// Bytes are appended.
    Write,
    /// A file's bytes reach the disk.
    Flush,
    /// The same, for a segment that a session waits for.
    FlushSegment,
    /// Names in a folder reach the disk.
    FlushFolder,
    /// A file or folder gets its name.
    Rename,
    /// A file or folder goes.
    Remove,
}

/// Creates or opens a file.
pub(super) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    change(Change::Create, path, || options.open(path))
}

/// Appends all of `bytes` to a file that stands at `path`.
pub(super) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    if let Some(error) = faults::torn(path) {
        file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
        return Err(error);
    }
    change(Change::Write, path, || file.write_all(bytes))
}

/// Brings a file's bytes to the disk.
pub(super) fn flush(file: &File, path: &Path) -> io::Result<()> {
    change(Change::Flush, path, || file.sync_data())
}

/// Brings to the disk what a session waits for.
pub(super) fn flush_segment(file: &File, folder: &Path) -> io::Result<()> {
    change(Change::FlushSegment, folder, || file.sync_data())
}

/// Brings a folder's names to the disk.
pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    change(Change::FlushFolder, folder, || File::open(folder)?.sync_all())
}

/// Gives a file or folder its name.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    change(Change::Rename, to, || std::fs::rename(from, to))
}

/// Removes a file.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    change(Change::Remove, path, || std::fs::remove_file(path))
}

#[cfg(not(test))]
fn change<T>(_: Change, _: &Path, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    act()
}

#[cfg(test)]
fn change<T>(change: Change, path: &Path, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    faults::meet(change, path, act)
}

#[cfg(test)]
pub(crate) mod faults {
    //! Planned failures, each for the files below one folder: tests run beside each other.

    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// How a change fails.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// Nothing of it is done (`ENOSPC`).
        DiskFull,
        /// Nothing of it is done (`EIO`).
        NotDone,
        /// All of it is done, and it is reported as failed (`EIO`).
        DoneAndReportedFailed,
        /// Half of a write is done (`ENOSPC`).
        Torn,
    }

    /// A planned failure, until dropped.
    pub(crate) struct Planned(Arc<Plan>);

    struct Plan {
        root: PathBuf,
        change: Change,
        part: &'static str,
        /// So many such changes go well before.
        spared: usize,
        fault: Fault,
        met: AtomicUsize,
    }

    static PLANS: Mutex<Vec<Arc<Plan>>> = Mutex::new(Vec::new());

    /// From now on, the change number `spared` and all after it, of paths below `root` that contain `part`, fail.
    pub(crate) fn plan(root: &Path, change: Change, part: &'static str, spared: usize, fault: Fault) -> Planned {
        let plan = Plan { root: root.to_owned(), change, part, spared, fault, met: AtomicUsize::new(0) };
        let plan = Arc::new(plan);
        PLANS.lock().unwrap().push(Arc::clone(&plan));
        Planned(plan)
    }

    impl Planned {
        /// Whether it came about.
        pub(crate) fn was_met(&self) -> bool {
            self.0.met.load(Ordering::SeqCst) > self.0.spared
        }
    }

    impl Drop for Planned {
        fn drop(&mut self) {
            PLANS.lock().unwrap().retain(|plan| !Arc::ptr_eq(plan, &self.0));
        }
    }

    pub(super) fn meet<T>(change: Change, path: &Path, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match due(change, path, |fault| fault != Fault::Torn) {
            None => act(),
            Some(Fault::DiskFull | Fault::Torn) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::NotDone) => Err(broken()),
            Some(Fault::DoneAndReportedFailed) => act().and_then(|_| Err(broken())),
        }
    }

    pub(super) fn torn(path: &Path) -> Option<io::Error> {
        due(Change::Write, path, |fault| fault == Fault::Torn).map(|_| io::ErrorKind::StorageFull.into())
    }

    fn due(change: Change, path: &Path, concerns: impl Fn(Fault) -> bool) -> Option<Fault> {
        let plans = PLANS.lock().unwrap();
        let name = path.to_string_lossy();
        let mut plans = plans.iter().filter(|plan| {
            plan.change == change && concerns(plan.fault) && path.starts_with(&plan.root) && name.contains(plan.part)
        });
        plans.find(|plan| plan.met.fetch_add(1, Ordering::SeqCst) >= plan.spared).map(|plan| plan.fault)
    }

    /// `EIO`.
    fn broken() -> io::Error {
        io::Error::from_raw_os_error(5)
    }
}
