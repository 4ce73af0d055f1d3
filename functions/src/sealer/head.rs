//! The newest checkpoint of a log.

use schemas::digest::Sha256Digest;
use schemas::layout::{LogObjectKind, parse_log};
use schemas::log::{Checkpoint, LogOrigin, hash};

use super::{Log, SealerError, damaged};

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of the checkpoint; 0 for a log that has none.
    pub(super) number: u64,
    /// Entries.
    pub(super) size: u64,
    pub(super) root: Sha256Digest,
}

impl Head {
    /// Finds the newest checkpoint. Its number is searched for: they have no gaps, and there may be millions.
    pub(super) async fn find(log: &Log<'_>) -> Result<Self, SealerError> {
        let known = newest_state(log).await?;
        if known > 0 && !exists(log, known).await? {
            // A log must not be rolled back: a second checkpoint of this number would split it.
            let problem = "was there, for its state is; a log that lost its newest checkpoint is not appended to";
            return Err(damaged(log.origin.checkpoint(known), problem));
        }
        let (mut low, mut step) = (known, 1u64);
        let mut high = loop {
            let probe = low.saturating_add(step);
            if !exists(log, probe).await? {
                break probe;
            }
            (low, step) = (probe, step.saturating_mul(2));
        };
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if exists(log, middle).await? { low = middle } else { high = middle }
        }
        let checkpoints = log.origin.checkpoints();
        let last = if low == 0 { String::new() } else { log.origin.checkpoint(low) };
        if let Some(beyond) = log.env.store.list_after(&checkpoints, &last, 1).await?.first()
            // Another sealer may have committed since.
            && *beyond != log.origin.checkpoint(low.saturating_add(1))
        {
            return Err(damaged(log.origin.checkpoint(low.saturating_add(1)), format!("missing, {beyond} is there")));
        }
        if low == 0 { Ok(Self { number: 0, size: 0, root: hash::empty_root() }) } else { read(log, low).await }
    }

    /// The checkpoint; nothing for a log that has none.
    pub(super) fn checkpoint(&self, origin: &LogOrigin) -> Option<Checkpoint> {
        (self.number > 0).then(|| Checkpoint { origin: origin.clone(), size: self.size, root: self.root })
    }
}

async fn read(log: &Log<'_>, number: u64) -> Result<Head, SealerError> {
    let key = log.origin.checkpoint(number);
    let note = log.env.store.get(&key).await?.ok_or_else(|| damaged(&key, "is gone"))?;
    let checkpoint = Checkpoint::open(&note, &log.origin, &log.key).map_err(|error| damaged(&key, error))?;
    Ok(Head { number, size: checkpoint.size, root: checkpoint.root })
}

async fn exists(log: &Log<'_>, number: u64) -> Result<bool, SealerError> {
    Ok(log.env.store.get(&log.origin.checkpoint(number)).await?.is_some())
}

/// Number of the newest state; older ones are deleted, so there are few.
async fn newest_state(log: &Log<'_>) -> Result<u64, SealerError> {
    let states = log.env.store.list(&log.origin.states()).await?;
    let number = |key: &String| match parse_log(key)?.kind {
        LogObjectKind::State(number) => Some(number),
        _ => None,
    };
    Ok(states.iter().filter_map(number).max().unwrap_or(0))
}
