//! Builds a log's tree again from its entries, comparing roots, tiles and statements on the way.

use std::collections::HashMap;

use super::super::examiner::Examiner;
use super::super::lanes::{self, Lanes};
use super::super::report::LogReport;
use super::checkpoints::Claims;
use super::entries::{self, Looked};
use super::tiles::Tiles;
use super::{Log, Outside};
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::heartbeat::Heartbeat;
use crate::layout::{Object, ObjectKind};
use crate::log::{Edge, Entry, FULL_WIDTH, Place, Tile};
use crate::period::Period;
use crate::rule::Rule;

/// A bundle of entries as it was read.
struct Bundle {
    tile: Tile,
    bytes: Option<Vec<u8>>,
    /// Objects that were looked at for it.
    objects: u64,
}

/// Its entries, or what is wrong with it.
struct LookedAt {
    tile: Tile,
    entries: Result<Vec<Looked>, String>,
    objects: u64,
}

pub(super) struct Walk<'a> {
    log: &'a Log<'a>,
    claims: Claims,
    tiles: Tiles<'a>,
    outside: &'a Outside,
    /// Places of the statements that were given, by hash.
    is_given: &'a HashMap<Sha256Digest, Vec<usize>>,
    edge: Edge,
    /// Objects that are entries and were not found.
    missing: Vec<Object>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        log: &'a Log<'a>,
        claims: Claims,
        outside: &'a Outside,
        is_given: &'a HashMap<Sha256Digest, Vec<usize>>,
    ) -> Self {
        let tiles = Tiles::new(log, claims.newest.clone());
        Self { log, claims, tiles, outside, is_given, edge: Edge::default(), missing: Vec::new() }
    }

    /// Walks up to the newest checkpoint. `find` tells whether a statement with this hash was given.
    pub(super) fn run(
        &mut self,
        examiner: &mut Examiner<'_>,
        report: &mut LogReport,
        mut find: impl FnMut(&Sha256Digest, u64) -> Option<()>,
    ) {
        self.judge(examiner, report);
        let is_given = self.is_given;
        let look = |Bundle { tile, bytes, objects }: Bundle| {
            let entries = entries::look(bytes.as_deref(), tile.width, |hash| is_given.contains_key(hash));
            LookedAt { tile, entries, objects }
        };
        lanes::with(&look, |lanes| self.run_on(lanes, &look, (examiner, report), &mut find));
    }

    /// Reads bundles while those before them are looked at.
    fn run_on(
        &mut self,
        mut lanes: Lanes<Bundle, LookedAt>,
        look: &dyn Fn(Bundle) -> LookedAt,
        (examiner, report): (&mut Examiner<'_>, &mut LogReport),
        find: &mut impl FnMut(&Sha256Digest, u64) -> Option<()>,
    ) {
        let mut next = 0u64;
        loop {
            while let Some(tile) = Tile::entries_of(report.size, next).filter(|_| lanes.has_room(BUNDLE_USUAL)) {
                let before = examiner.report.checked.objects;
                let bytes = self.tiles.read(examiner, &tile);
                let objects = examiner.report.checked.objects.saturating_sub(before);
                // Counted when its turn comes: it may not.
                examiner.report.checked.objects = before;
                let length = bytes.as_ref().map_or(0, Vec::len);
                lanes.give(Bundle { tile, bytes, objects }, length);
                next = next.saturating_add(1);
            }
            let Some(LookedAt { tile, entries, objects }) = lanes.take(look) else { break };
            examiner.report.checked.objects += objects;
            let entries = match entries {
                Ok(entries) => entries,
                Err(problem) => {
                    let message = format!("{problem}; entries from {} on cannot be checked", self.edge.size());
                    examiner.find(&self.log.origin.tile(&tile), Rule::LogTile, message);
                    return;
                }
            };
            examiner.report.checked.log_tiles += 1;
            for entry in entries {
                let found = find(&entry.hash, self.edge.size()).is_some();
                self.check_entry(examiner, report, &entry, found);
                self.push(examiner, entry);
                self.judge(examiner, report);
            }
        }
        if self.edge.size() < report.size {
            // No entry is passed over, whatever became of who looked at it.
            let message = format!("entries from {} on were not checked", self.edge.size());
            examiner.find(&self.log.origin.prefix(), Rule::LogTile, message);
            return;
        }
        self.tiles.name_strange(examiner, report.size);
    }

    /// Objects that are entries and were not found: what they follow is not new either.
    pub(super) fn missing(&self) -> &[Object] {
        &self.missing
    }

    fn check_entry(&mut self, examiner: &mut Examiner<'_>, report: &mut LogReport, entry: &Looked, found: bool) {
        report.entries += 1;
        if found {
            examiner.report.checked.log_entries += 1;
            return;
        }
        let number = self.edge.size();
        match entry.place.as_ref().ok_or(&UNKNOWN).and_then(Result::as_ref) {
            Ok(place) if self.is_outside(examiner, place) => report.outside += 1,
            // It says itself when it was signed, and it is that before the period or after it.
            Ok(place) if is_other_time(examiner, &entry.bytes, &place.object) => report.outside += 1,
            Ok(place) => {
                let message = format!("entry {number} of log {} is its statement, which is not here", self.log.origin);
                examiner.find(&place.object.key(), Rule::LogEntry, message);
                self.missing.push(place.object.clone());
            }
            Err(error) => {
                let tile = Tile::entries(number / u64::from(FULL_WIDTH));
                examiner.find(&self.log.origin.tile(&tile), Rule::LogEntry, format!("entry {number}: {error}"));
            }
        }
    }

    /// Whether it is a chunk of a session that lies outside of what the evidence is of, and says nothing else itself: its
    /// session may have got another close since it was logged.
    fn is_outside(&self, examiner: &Examiner<'_>, place: &Place) -> bool {
        let ObjectKind::Chunk(session, _) = &place.object.kind else { return false };
        let overlaps = |period: Period| place.span_us.is_none_or(|(first, last)| period.overlaps(first, Some(last)));
        self.outside.contains(&(place.object.scope.clone(), session.clone()))
            && !examiner.options.period.is_some_and(overlaps)
    }

    fn push(&mut self, examiner: &mut Examiner<'_>, entry: Looked) {
        // No entry of a bundle is too long, and no log has 2^64 of them.
        let (_, tiles) = self.edge.push_hashed(entry.bytes, entry.hash).unwrap_or_default();
        for (tile, bytes) in tiles {
            self.tiles.compare(examiner, &tile, &bytes);
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

/// 256 entries as they are: most are manifests of chunks.
const BUNDLE_USUAL: usize = 256 * 1024;
const UNKNOWN: Error = Error::Bug("an entry was given and not found");
