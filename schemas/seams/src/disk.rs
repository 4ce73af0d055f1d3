//! Every change that adapters make to the disk goes through here, so that a test can let each of them fail: not done,
//! half done, or done and reported as failed; or let the machine die after any of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Where changes are made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) faults: std::sync::Arc<faults::Faults>,
}

/// A change to a name or to a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change<'a> {
    /// A name comes to be in a folder.
    Name(&'a Path),
    /// A name comes to stand for another file.
    Replaced(&'a Path),
    /// A name goes.
    Gone(&'a Path),
    /// Something about a file that is not relied on before it is flushed.
    Content(&'a Path),
    /// A file's content reaches the disk.
    Flush(&'a Path),
    /// A folder's names reach the disk.
    FlushFolder(&'a Path),
}

impl Disk {
    /// Makes one folder.
    pub(crate) fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Change::Name(path), || fs::create_dir(path))
    }

    /// Makes a file that must not be there; `options` say for whom.
    pub(crate) fn create(&self, options: &mut OpenOptions, path: &Path) -> io::Result<File> {
        self.change(Change::Name(path), || options.write(true).create_new(true).open(path))
    }

    /// Appends all of `bytes` to the file at `path`.
    pub(crate) fn write(&self, mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(torn) = self.faults.torn(path) {
            file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            return Err(torn);
        }
        self.change(Change::Content(path), || file.write_all(bytes))
    }

    /// Nobody writes to the file any more.
    pub(crate) fn make_read_only(&self, file: &File, path: &Path) -> io::Result<()> {
        self.change(Change::Content(path), || {
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            file.set_permissions(permissions)
        })
    }

    /// Brings a file's content to the disk.
    pub(crate) fn flush(&self, file: &File, path: &Path) -> io::Result<()> {
        self.change(Change::Flush(path), || file.sync_all())
    }

    /// Brings a folder's names to the disk.
    pub(crate) fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        self.change(Change::FlushFolder(folder), || File::open(folder)?.sync_all())
    }

    /// Gives a file a second name, which must not be there.
    pub(crate) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Change::Name(to), || fs::hard_link(from, to))
    }

    /// Gives a file the name of another.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Change::Replaced(to), || fs::rename(from, to))
    }

    /// Takes a name away.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Change::Gone(path), || fs::remove_file(path))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "with tests it holds the faults")]
    fn change<T>(&self, _: Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        act()
    }

    #[cfg(test)]
    fn change<T>(&self, change: Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.faults.meet(change, act)
    }
}

#[cfg(test)]
pub(crate) mod faults {
    //! A disk on which one change fails, or after which there is no more power.

    use std::collections::{BTreeMap, BTreeSet};
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;

    /// How a change fails.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// Nothing of it is done (`EIO`).
        NotDone,
        /// Nothing of it is done (`ENOSPC`).
        DiskFull,
        /// Half of a write is done (`ENOSPC`); of anything else, nothing.
        Torn,
        /// All of it is done, and it is reported as failed (`EIO`).
        DoneAndReportedFailed,
        /// Neither it nor anything after it is done: the process is dead.
        Death,
        /// The process is dead with half of this write done.
        DeathInAWrite,
    }

    impl Fault {
        pub(crate) const PASSING: [Self; 4] = [Self::NotDone, Self::DiskFull, Self::Torn, Self::DoneAndReportedFailed];
        pub(crate) const DEADLY: [Self; 2] = [Self::Death, Self::DeathInAWrite];
    }

    #[derive(Debug, Default)]
    pub(crate) struct Faults(Mutex<State>);

    #[derive(Debug, Default)]
    struct State {
        changes: usize,
        plan: Option<(usize, Fault)>,
        /// Names that came and whose folder was not flushed since.
        new: BTreeSet<PathBuf>,
        /// Names that went and whose folder was not flushed since, with what they named.
        gone: BTreeMap<PathBuf, Vec<u8>>,
        /// Files with content that was not flushed.
        dirty: BTreeSet<PathBuf>,
    }

    impl Faults {
        /// Counts anew; change `at` fails.
        pub(crate) fn plan(&self, at: usize, fault: Fault) {
            let mut state = self.0.lock().unwrap();
            (state.changes, state.plan) = (0, Some((at, fault)));
        }

        /// Changes since the plan was made.
        pub(crate) fn changes(&self) -> usize {
            self.0.lock().unwrap().changes
        }

        /// What a machine without power would forget, but for what begins with one of these.
        pub(crate) fn unsafe_names(&self, but: &[&Path]) -> Vec<PathBuf> {
            let state = self.0.lock().unwrap();
            let names = state.new.iter().chain(state.gone.keys()).chain(&state.dirty).cloned();
            names.filter(|name| !but.iter().any(|but| name.starts_with(but))).collect()
        }

        /// The disk forgets what was not flushed.
        pub(crate) fn lose_power(&self) {
            let state = std::mem::take(&mut *self.0.lock().unwrap());
            for path in &state.dirty {
                if let Ok(length) = fs::metadata(path).map(|file| file.len()) {
                    let bytes = fs::read(path).unwrap();
                    fs::remove_file(path).unwrap();
                    fs::write(path, &bytes[..usize::try_from(length / 2).unwrap()]).unwrap();
                }
            }
            for path in &state.new {
                if path.is_dir() {
                    fs::remove_dir_all(path).unwrap()
                } else {
                    let _ = fs::remove_file(path);
                }
            }
            for (path, bytes) in &state.gone {
                if path.parent().is_some_and(Path::is_dir) && !path.exists() {
                    fs::write(path, bytes).unwrap();
                }
            }
        }

        pub(super) fn meet<T>(&self, change: Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
            let fault = self.due();
            match fault {
                Some(Fault::NotDone | Fault::Death | Fault::DeathInAWrite) => Err(broken()),
                Some(Fault::DiskFull | Fault::Torn) => Err(io::ErrorKind::StorageFull.into()),
                None | Some(Fault::DoneAndReportedFailed) => {
                    let went = match change {
                        Change::Gone(path) | Change::Replaced(path) => fs::read(path).ok(),
                        _ => None,
                    };
                    let done = act()?;
                    self.0.lock().unwrap().note(change, went);
                    if fault.is_none() { Ok(done) } else { Err(broken()) }
                }
            }
        }

        pub(super) fn torn(&self, path: &Path) -> Option<io::Error> {
            let mut state = self.0.lock().unwrap();
            let (at, fault) = state.plan?;
            let is_torn = at == state.changes && matches!(fault, Fault::Torn | Fault::DeathInAWrite);
            if !is_torn {
                return None;
            }
            state.changes += 1;
            state.dirty.insert(path.to_owned());
            Some(io::ErrorKind::StorageFull.into())
        }

        fn due(&self) -> Option<Fault> {
            let mut state = self.0.lock().unwrap();
            let number = state.changes;
            state.changes += 1;
            let (at, fault) = state.plan?;
            let is_deadly = Fault::DEADLY.contains(&fault);
            (number == at || is_deadly && number > at).then_some(fault)
        }
    }

    impl State {
        fn note(&mut self, change: Change<'_>, went: Option<Vec<u8>>) {
            match change {
                Change::Name(path) => {
                    self.gone.remove(path);
                    self.new.insert(path.to_owned());
                }
                Change::Replaced(path) => {
                    if let (Some(went), true) = (went, self.new.insert(path.to_owned())) {
                        self.gone.insert(path.to_owned(), went);
                    }
                }
                Change::Gone(path) => {
                    self.dirty.remove(path);
                    if !self.new.remove(path) {
                        self.gone.insert(path.to_owned(), went.unwrap_or_default());
                    }
                }
                Change::Content(path) => drop(self.dirty.insert(path.to_owned())),
                Change::Flush(path) => drop(self.dirty.remove(path)),
                Change::FlushFolder(folder) => {
                    self.new.retain(|path| path.parent() != Some(folder));
                    self.gone.retain(|path, _| path.parent() != Some(folder));
                }
            }
        }
    }

    /// `EIO`.
    fn broken() -> io::Error {
        io::Error::from_raw_os_error(5)
    }
}
