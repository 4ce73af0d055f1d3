//! Tiles on their way: staged, put where they belong, and what they replace taken away.

use schemas::layout::{LogObjectKind, parse_log};
use schemas::log::Staged;
use seams::{Retention, StoreError};

use super::head::Head;
use super::progress::State;
use super::{Log, SealerError, damaged};

/// Writes down what the checkpoint `next` will make new, before it is committed.
pub(super) async fn stage(log: &Log<'_>, next: &Head, staged: &Staged) -> Result<(), SealerError> {
    let (key, bytes) = (log.origin.staged(next.number, &next.root), staged.to_vec()?);
    let store = &log.env.store;
    match store.put(&key, &bytes, Retention::none()).await {
        // The number is not committed, so nobody relies on what is there.
        Err(StoreError::Conflict { .. }) => {
            store.delete(&key).await?;
            store.put(&key, &bytes, Retention::none()).await?;
        }
        outcome => {
            outcome?;
        }
    }
    Ok(())
}

/// Publishes what a sealer committed and did not publish.
pub(super) async fn finish(log: &Log<'_>, head: &Head) -> Result<(), SealerError> {
    let key = log.origin.staged(head.number, &head.root);
    let Some(bytes) = log.env.store.get(&key).await? else { return Ok(()) };
    let staged = Staged::from_slice(&bytes).map_err(|error| damaged(key, error))?;
    publish(log, head, staged).await
}

/// Puts the tiles of a committed checkpoint where they belong. Only when all stand there is the staged object deleted:
/// one that is gone says that this was done.
pub(super) async fn publish(log: &Log<'_>, head: &Head, staged: Staged) -> Result<(), SealerError> {
    let store = &log.env.store;
    for (tile, bytes) in &staged.tiles {
        let retention = if tile.is_full() { log.env.retention } else { Retention::none() };
        put(log, &log.origin.tile(tile), bytes, retention).await?;
    }
    put_state(log, head, &staged.state).await?;
    store.delete(&log.origin.staged(head.number, &head.root)).await?;
    // From here on nothing is lost when it is not done.
    for tile in staged.tiles.keys().filter(|tile| tile.is_full()) {
        for partial in store.list(&log.origin.partial_tiles(tile)).await? {
            store.delete(&partial).await?;
        }
    }
    discard(log, &log.origin.states(), |number| number < head.number).await?;
    discard(log, &log.origin.staging(), |number| number <= head.number).await
}

async fn put(log: &Log<'_>, key: &str, bytes: &[u8], retention: Retention) -> Result<(), SealerError> {
    match log.env.store.put(key, bytes, retention).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict { key }) => Err(damaged(key, "another object stands there")),
        Err(error) => Err(error.into()),
    }
}

/// A sealer that ran at the same time may have remembered there whom it told of what, or be about to.
async fn put_state(log: &Log<'_>, head: &Head, state: &[u8]) -> Result<(), SealerError> {
    let key = log.origin.state(head.number);
    let Err(error) = put(log, &key, state, Retention::none()).await else { return Ok(()) };
    let is_remembered = matches!(error, SealerError::Damaged { .. })
        && log.env.store.get(&key).await?.is_none_or(|there| State::agree(&there, state, head));
    if is_remembered { Ok(()) } else { Err(error) }
}

/// Deletes states that were followed by another, and what was staged for checkpoints that others made.
async fn discard(log: &Log<'_>, prefix: &str, is_old: impl Fn(u64) -> bool) -> Result<(), SealerError> {
    for key in log.env.store.list(prefix).await? {
        let number = parse_log(&key).and_then(|object| match object.kind {
            LogObjectKind::State(number) | LogObjectKind::Staged(number, _) => Some(number),
            _ => None,
        });
        if number.is_some_and(&is_old) {
            log.env.store.delete(&key).await?;
        }
    }
    Ok(())
}
