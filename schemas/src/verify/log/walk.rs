//! Builds a log's tree again from its entries, comparing roots, tiles and statements on the way.

use super::super::examiner::Examiner;
use super::super::report::LogReport;
use super::checkpoints::Claims;
use super::tiles::Tiles;
use super::{Log, Outside};
use crate::digest::Sha256Digest;
use crate::heartbeat::Heartbeat;
use crate::layout::{Object, ObjectKind};
use crate::log::{Edge, Entry, FULL_WIDTH, Tile, TileKind, decode_bundle, hash};
use crate::manifest::ChunkManifest;
use crate::period::Period;
use crate::rule::Rule;

pub(super) struct Walk<'a> {
    log: &'a Log<'a>,
    claims: Claims,
    tiles: Tiles<'a>,
    outside: &'a Outside,
    edge: Edge,
    /// Objects that are entries and were not found.
    missing: Vec<Object>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(log: &'a Log<'a>, claims: Claims, outside: &'a Outside) -> Self {
        let tiles = Tiles::new(log, claims.newest.clone());
        Self { log, claims, tiles, outside, edge: Edge::default(), missing: Vec::new() }
    }

    /// Walks up to the newest checkpoint. `find` tells whether a statement with this hash was given.
    pub(super) fn run(
        &mut self,
        examiner: &mut Examiner<'_>,
        report: &mut LogReport,
        mut find: impl FnMut(&Sha256Digest, u64) -> Option<()>,
    ) {
        self.judge(examiner, report);
        let mut index = 0;
        while self.edge.size() < report.size {
            let width = report.size.saturating_sub(self.edge.size()).min(FULL_WIDTH.into());
            let bundle = Tile { width: u16::try_from(width).unwrap_or(FULL_WIDTH), ..Tile::entries(index) };
            let read = self.tiles.read(examiner, &bundle).ok_or("is missing".to_owned());
            let entries = read.and_then(|bytes| decode_bundle(&bytes, bundle.width).map_err(|error| error.to_string()));
            let entries = match entries {
                Ok(entries) => entries,
                Err(problem) => {
                    let message = format!("{problem}; entries from {} on cannot be checked", self.edge.size());
                    examiner.find(&self.log.origin.tile(&bundle), Rule::LogTile, message);
                    return;
                }
            };
            examiner.report.checked.log_tiles += 1;
            for entry in entries {
                self.check_entry(examiner, report, &entry, find(&hash::leaf(&entry), self.edge.size()).is_some());
                self.push(examiner, entry);
                self.judge(examiner, report);
            }
            index += 1;
        }
        self.tiles.name_strange(examiner, report.size);
    }

    /// Objects that are entries and were not found: what they follow is not new either.
    pub(super) fn missing(&self) -> &[Object] {
        &self.missing
    }

    fn check_entry(&mut self, examiner: &mut Examiner<'_>, report: &mut LogReport, entry: &[u8], found: bool) {
        report.entries += 1;
        if found {
            examiner.report.checked.log_entries += 1;
            return;
        }
        let number = self.edge.size();
        match Entry::from_slice(entry).and_then(|entry| entry.place()) {
            Ok(place) if self.is_outside(examiner, entry, &place.object) => report.outside += 1,
            // It says itself when it was signed, and it is that before the period or after it.
            Ok(place) if is_other_time(examiner, entry, &place.object) => report.outside += 1,
            Ok(place) => {
                let message = format!("entry {number} of log {} is its statement, which is not here", self.log.origin);
                examiner.find(&place.object.key(), Rule::LogEntry, message);
                self.missing.push(place.object);
            }
            Err(error) => {
                let tile = Tile::entries(number / u64::from(FULL_WIDTH));
                examiner.find(&self.log.origin.tile(&tile), Rule::LogEntry, format!("entry {number}: {error}"));
            }
        }
    }

    /// Whether it is a chunk of a session that lies outside of what the evidence is of, and says nothing else itself: its
    /// session may have got another close since it was logged.
    fn is_outside(&self, examiner: &Examiner<'_>, entry: &[u8], object: &Object) -> bool {
        let ObjectKind::Chunk(session, _) = &object.kind else { return false };
        let manifest = Entry::from_slice(entry).and_then(|entry| entry.read::<ChunkManifest>());
        let touches = |manifest: &ChunkManifest| {
            let overlaps = |period: Period| period.overlaps(manifest.first_time_us, Some(manifest.last_time_us));
            examiner.options.period.is_some_and(overlaps)
        };
        self.outside.contains(&(object.scope.clone(), session.clone()))
            && manifest.is_ok_and(|manifest| !touches(&manifest))
    }

    fn push(&mut self, examiner: &mut Examiner<'_>, entry: Vec<u8>) {
        // No entry of a bundle is too long, and no log has 2^64 of them.
        for (tile, bytes) in self.edge.push(entry).unwrap_or_default() {
            if tile.kind != TileKind::Entries {
                self.tiles.compare(examiner, &tile, &bytes);
            }
        }
    }

    /// Compares the tree at its size of now with what was signed of it.
    fn judge(&mut self, examiner: &mut Examiner<'_>, report: &mut LogReport) {
        let size = self.edge.size();
        let claims = self.claims.at(size);
        if claims.is_empty() {
            return;
        }
        let root = self.edge.root();
        for claim in claims {
            if claim.root != root {
                let message = format!("the first {size} entries have another root");
                examiner.find(&claim.object, claim.rule, message);
            } else if claim.rule == Rule::CheckpointEarlier {
                report.earlier += 1;
            }
        }
        // Partial tiles of older checkpoints may be gone.
        let wanted = |tile: &Tile| size == report.size || self.tiles.is_stored(tile);
        if Tile::partial(size).iter().any(wanted) {
            let partial = self.edge.partial().unwrap_or_default();
            for (tile, bytes) in partial
                .iter()
                .filter(|(tile, _)| size == report.size || self.tiles.is_stored(tile))
                .cloned()
                .collect::<Vec<_>>()
            {
                self.tiles.compare(examiner, &tile, &bytes);
            }
        }
    }
}

/// Whether it is a heartbeat of another time than what the evidence is of.
fn is_other_time(examiner: &Examiner<'_>, entry: &[u8], object: &Object) -> bool {
    let (Some(period), ObjectKind::Heartbeat(..)) = (examiner.options.period, &object.kind) else { return false };
    let heartbeat = Entry::from_slice(entry).and_then(|entry| entry.read::<Heartbeat>());
    heartbeat.is_ok_and(|heartbeat| !(period.from_us..period.to_us).contains(&heartbeat.time_us))
}
