//! Which session counters an incarnation has allocated, and which of them need nothing more.
//!
//! A line each: `allocated <counter>` is durable before the counter is used for anything, `settled <counter>`
//! follows once a session-close or session-void leaf is stored. A line without its end is a torn write and no line.
//! A lost `settled` costs recovery a look into the store, nothing else, so it is not flushed.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::{SpoolError, disk};

/// The ledger of a live incarnation.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    last: u64,
    poisoned: bool,
}

/// What a dead incarnation's ledger tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Highest counter allocated; 0 = none.
    pub(crate) last: u64,
    /// Counters allocated and not settled.
    pub(crate) unsettled: BTreeSet<u64>,
}

impl Ledger {
    /// Starts the ledger of a new incarnation.
    pub(crate) fn create(folder: &Path) -> Result<Self, SpoolError> {
        let path = folder.join(FILE);
        let file = disk::open(OpenOptions::new().append(true).create_new(true), &path)
            .map_err(SpoolError::disk("cannot create", &path))?;
        Ok(Self { path, file, last: 0, poisoned: false })
    }

    /// The next counter, durable on disk. After a failure nothing is allocated any more: a line may be there or not.
    pub(crate) fn allocate(&mut self) -> Result<u64, SpoolError> {
        let counter = self.last.checked_add(1).ok_or(SpoolError::Internal("no counter is left"))?;
        self.append(ALLOCATED, counter)?;
        if let Err(source) = disk::flush(&self.file, &self.path) {
            self.poisoned = true;
            return Err(SpoolError::disk("cannot flush", &self.path)(source));
        }
        self.last = counter;
        Ok(counter)
    }

    /// Notes that nothing more is owed for `counter`.
    pub(crate) fn settle(&mut self, counter: u64) -> Result<(), SpoolError> {
        self.append(SETTLED, counter)
    }

    /// Highest counter allocated; 0 = none.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Opens a dead incarnation's ledger to settle what it left open.
    pub(crate) fn reopen(folder: &Path) -> Result<(Self, Account), SpoolError> {
        let path = folder.join(FILE);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.map_err(SpoolError::disk("cannot open", &path))?;
        let text = std::fs::read(&path).map_err(SpoolError::disk("cannot read", &path))?;
        if !text.is_empty() && !text.ends_with(b"\n") {
            // Makes the torn line an unreadable one, so that what is appended now is a line of its own.
            disk::write(&file, &path, TORN).map_err(SpoolError::disk("cannot write", &path))?;
        }
        let account = read(&text);
        Ok((Self { path, file, last: account.last, poisoned: false }, account))
    }

    fn append(&mut self, what: &str, counter: u64) -> Result<(), SpoolError> {
        if self.poisoned {
            return Err(SpoolError::Poisoned);
        }
        let line = format!("{what} {counter}\n");
        disk::write(&self.file, &self.path, line.as_bytes()).map_err(|source| {
            self.poisoned = true;
            SpoolError::disk("cannot write", &self.path)(source)
        })
    }
}

fn read(text: &[u8]) -> Account {
    let mut account = Account::default();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()) else { continue };
        match line.split_once(' ').map(|(what, counter)| (what, counter.parse::<u64>())) {
            Some((ALLOCATED, Ok(counter))) => {
                account.last = account.last.max(counter);
                account.unsettled.insert(counter);
            }
            Some((SETTLED, Ok(counter))) => {
                account.unsettled.remove(&counter);
            }
            _ => {}
        }
    }
    account
}

const FILE: &str = "ledger";
const ALLOCATED: &str = "allocated";
const SETTLED: &str = "settled";
const TORN: &[u8] = b" torn\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_allocated_once_and_found_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(folder.path()).unwrap();
        assert_eq!((ledger.allocate().unwrap(), ledger.allocate().unwrap()), (1, 2));
        ledger.settle(1).unwrap();
        let (_, account) = Ledger::reopen(folder.path()).unwrap();
        assert_eq!(account, Account { last: 2, unsettled: [2].into() });
    }

    #[test]
    fn a_torn_line_is_no_line_and_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        Ledger::create(folder.path()).unwrap().allocate().unwrap();
        let path = folder.path().join(FILE);
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(b"allocated 2");
        std::fs::write(&path, torn).unwrap();
        let (mut ledger, account) = Ledger::reopen(folder.path()).unwrap();
        assert_eq!(account, Account { last: 1, unsettled: [1].into() });
        ledger.settle(1).unwrap();
        assert_eq!(Ledger::reopen(folder.path()).unwrap().1, Account { last: 1, unsettled: [].into() });
    }

    #[test]
    fn an_incarnation_has_one_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Ledger::create(folder.path()).unwrap();
        assert!(Ledger::create(folder.path()).is_err());
    }
}
