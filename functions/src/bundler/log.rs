//! The log as of one checkpoint: its checkpoints, hashes and entries, so that an auditor can build the tree again.
//!
//! The checkpoint is chosen before evidence is listed: what it covers was stored before it was signed, so everything it
//! covers is in the listing.

use std::collections::BTreeMap;

use schemas::layout::{LogObjectKind, parse_log};
use schemas::log::{Checkpoint, FULL_WIDTH, LogOrigin, Staged, Tile, TileKind, decode_bundle, encode_bundle};
use seams::KeyName;
use serde::{Deserialize, Serialize};

use super::{BundlerError, Env, WorkFolder};

/// Which checkpoint of the log a bundle has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// Number of the checkpoint, from 1.
    pub number: u64,
    /// Entries it covers.
    pub size: u64,
}

/// The newest checkpoint; nothing for a log that has none.
pub(super) async fn newest(env: &Env) -> Result<Option<LogHead>, BundlerError> {
    let origin = LogOrigin::of(&env.tenant, &env.environment);
    let stored = env.store.list(&origin.checkpoints()).await?;
    let number = |key: &String| match parse_log(key)?.kind {
        LogObjectKind::Checkpoint(number) => Some(number),
        _ => None,
    };
    let Some(number) = stored.iter().filter_map(number).max() else { return Ok(None) };
    let key = origin.checkpoint(number);
    let note = env.store.get(&key).await?.ok_or_else(|| BundlerError::gone(&key))?;
    let signer = env.keys.public_key(KeyName::Checkpoints).await?;
    let opened = Checkpoint::open(&note, &origin, &signer);
    let checkpoint = opened.map_err(|error| BundlerError::Object { key, problem: error.to_string() })?;
    Ok(Some(LogHead { number, size: checkpoint.size }))
}

/// Brings the log up to this checkpoint into the folder.
pub(super) async fn bring(env: &Env, head: &LogHead, folder: &WorkFolder) -> Result<(), BundlerError> {
    let mut log = Log { env, origin: LogOrigin::of(&env.tenant, &env.environment), staged: None };
    for number in 1..=head.number {
        let key = log.origin.checkpoint(number);
        let note = env.store.get(&key).await?.ok_or_else(|| BundlerError::gone(&key))?;
        folder.write(&key, &note)?;
    }
    for tile in tiles(head.size) {
        let bytes = log.tile(&tile, head).await?;
        folder.write(&log.origin.tile(&tile), &bytes)?;
    }
    Ok(())
}

struct Log<'a> {
    env: &'a Env,
    origin: LogOrigin,
    /// Tiles of the checkpoint that are not published yet, once they were asked for.
    staged: Option<BTreeMap<Tile, Vec<u8>>>,
}

impl Log<'_> {
    /// The tile as it was at the checkpoint, wherever it stands by now.
    async fn tile(&mut self, tile: &Tile, head: &LogHead) -> Result<Vec<u8>, BundlerError> {
        let key = self.origin.tile(tile);
        let mut candidates = vec![key.clone(), self.origin.tile(&tile.full())];
        // One that has grown stands under a greater width, and what was there before is gone.
        if !tile.is_full() {
            candidates.extend(self.env.store.list(&self.origin.partial_tiles(tile)).await?);
        }
        for candidate in candidates {
            let bytes = self.env.store.get(&candidate).await?;
            if let Some(bytes) = bytes.and_then(|bytes| first(tile, &bytes)) {
                return Ok(bytes);
            }
        }
        let staged = self.staged(head).await?.get(tile).and_then(|bytes| first(tile, bytes));
        staged.ok_or_else(|| BundlerError::gone(&key))
    }

    async fn staged(&mut self, head: &LogHead) -> Result<&BTreeMap<Tile, Vec<u8>>, BundlerError> {
        if self.staged.is_none() {
            let mut tiles = BTreeMap::new();
            for key in self.env.store.list(&self.origin.staging()).await? {
                let number = parse_log(&key).and_then(|object| match object.kind {
                    LogObjectKind::Staged(number, _) => Some(number),
                    _ => None,
                });
                if number == Some(head.number)
                    && let Some(bytes) = self.env.store.get(&key).await?
                {
                    tiles.extend(Staged::from_slice(&bytes)?.tiles);
                }
            }
            self.staged = Some(tiles);
        }
        Ok(self.staged.get_or_insert_default())
    }
}

/// As much of a tile that may have grown since as this one holds; nothing when it holds less.
fn first(tile: &Tile, bytes: &[u8]) -> Option<Vec<u8>> {
    match tile.kind {
        TileKind::Entries => encode_bundle(&decode_bundle(bytes, tile.width).ok()?).ok(),
        TileKind::Hashes(_) => bytes.get(..usize::from(tile.width) * HASH_LENGTH).map(<[u8]>::to_vec),
    }
}

/// All tiles of a tree of this size: of entries, and of hashes on every level.
fn tiles(size: u64) -> Vec<Tile> {
    let full = |complete: u64| complete / u64::from(FULL_WIDTH);
    let mut tiles: Vec<Tile> = (0..full(size)).map(Tile::entries).collect();
    let mut complete = size;
    for level in 0.. {
        if full(complete) == 0 {
            break;
        }
        tiles.extend((0..full(complete)).map(|index| Tile::hashes(level, index)));
        complete = full(complete);
    }
    tiles.extend(Tile::partial(size));
    tiles
}

const HASH_LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_its_full_and_its_partial_tiles() {
        let paths = |size| tiles(size).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(paths(0).is_empty());
        assert_eq!(paths(3), ["tile/entries/000.p/3", "tile/0/000.p/3"]);
        assert_eq!(paths(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        let large = paths(65_537);
        assert_eq!(large.iter().filter(|path| path.starts_with("tile/entries/")).count(), 257);
        assert_eq!(large.iter().filter(|path| path.starts_with("tile/0/")).count(), 257);
        assert_eq!(large.iter().filter(|path| path.starts_with("tile/1/")).count(), 1);
        assert_eq!(large.last().unwrap(), "tile/2/000.p/1");
    }
}
