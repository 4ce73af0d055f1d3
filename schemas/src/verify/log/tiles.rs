//! A log's tiles as they are found: where they belong, grown since, or staged and not yet published.

use std::collections::BTreeSet;

use super::super::examiner::Examiner;
use super::Log;
use crate::log::{BUNDLE_MAX, Checkpoint, STAGED_MAX, Staged, Tile, TileKind};
use crate::rule::Rule;

pub(super) struct Tiles<'a> {
    log: &'a Log<'a>,
    newest: Option<(u64, Checkpoint)>,
    /// Of the newest checkpoint, once it was asked for.
    staged: Option<Staged>,
    compared: BTreeSet<Tile>,
}

impl<'a> Tiles<'a> {
    pub(super) fn new(log: &'a Log<'a>, newest: Option<(u64, Checkpoint)>) -> Self {
        Self { log, newest, staged: None, compared: BTreeSet::new() }
    }

    /// The tile's bytes, and perhaps more after them.
    pub(super) fn read(&mut self, examiner: &mut Examiner<'_>, tile: &Tile) -> Option<Vec<u8>> {
        self.compared.insert(*tile);
        let limit = match tile.kind {
            TileKind::Entries => BUNDLE_MAX as u64,
            TileKind::Hashes(_) => HASHES_MAX,
        };
        let stored = examiner.peek(&self.log.origin.tile(tile), limit);
        let stored = stored.or_else(|| examiner.peek(&self.log.origin.tile(&tile.full()), limit));
        let staged = stored.or_else(|| self.staged(examiner)?.tiles.get(tile).cloned());
        // Published while this was looking.
        staged.or_else(|| examiner.peek(&self.log.origin.tile(tile), limit))
    }

    /// Compares a tile that must be there with what the entries make it.
    pub(super) fn compare(&mut self, examiner: &mut Examiner<'_>, tile: &Tile, expected: &[u8]) {
        let message = match self.read(examiner, tile) {
            Some(bytes) if bytes.starts_with(expected) && (bytes.len() == expected.len() || !tile.is_full()) => {
                examiner.report.checked.log_tiles += 1;
                return;
            }
            Some(_) => "is not that of the log's entries",
            None => "is missing",
        };
        examiner.find(&self.log.origin.tile(tile), Rule::LogTile, message);
    }

    /// Whether there is such a tile.
    pub(super) fn is_stored(&self, tile: &Tile) -> bool {
        self.log.stored.tiles.contains(tile)
    }

    /// Names the tiles that no checkpoint asked for. Those of a checkpoint that came after the listing are none of
    /// them: they lie beyond the newest one.
    pub(super) fn name_strange(&self, examiner: &mut Examiner<'_>, size: u64) {
        for tile in self.log.stored.tiles.difference(&self.compared) {
            let level = match tile.kind {
                TileKind::Entries => 0,
                TileKind::Hashes(level) => level,
            };
            let complete = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
            let end = tile.index.saturating_mul(256).saturating_add(tile.width.into());
            if end <= complete {
                examiner.find(&self.log.origin.tile(tile), Rule::LogTile, "belongs to no checkpoint");
            }
        }
    }

    fn staged(&mut self, examiner: &mut Examiner<'_>) -> Option<&Staged> {
        if self.staged.is_none() {
            let (number, newest) = self.newest.as_ref()?;
            self.log.stored.staged.get(&(*number, newest.root))?;
            let bytes = examiner.peek(&self.log.origin.staged(*number, &newest.root), STAGED_MAX as u64)?;
            self.staged = Staged::from_slice(&bytes).ok();
        }
        self.staged.as_ref()
    }
}

/// 256 hashes.
const HASHES_MAX: u64 = 256 * 32;
