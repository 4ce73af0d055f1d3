//! The entries of the next checkpoint, in memory.

use std::collections::{BTreeMap, BTreeSet};

use schemas::digest::Sha256Digest;
use schemas::layout::{LogObjectKind, Object, ObjectKind, Scope, parse, parse_log, trust_prefix};
use schemas::leaf::Certificate;
use schemas::log::{Edge, Entry, Staged, Tile, TileKind, decode_bundle};

use super::admission::{Admission, Found};
use super::head::Head;
use super::pending::Pending;
use super::progress::{Progress, State};
use super::{Log, Sealed, SealerError, damaged};

/// A log's right edge as it grows.
pub(super) struct Batch {
    head: Head,
    edge: Edge,
    progress: Progress,
    /// Tiles that became full.
    tiles: BTreeMap<Tile, Vec<u8>>,
    entries: usize,
    bytes: usize,
    limit: usize,
}

impl Batch {
    /// Takes up the log where it ends; nothing when another sealer made it grow meanwhile.
    pub(super) async fn begin(log: &Log<'_>, head: &Head) -> Result<Option<Self>, SealerError> {
        let Some(edge) = edge(log, head).await? else { return Ok(None) };
        if let Some(beyond) = beyond(log, head).await? {
            let problem = "is part of a larger log than the newest checkpoint's; a log is not rolled back";
            return if is_behind(log, head).await? { Ok(None) } else { Err(damaged(beyond, problem)) };
        }
        let Some(progress) = progress(log, head).await? else { return Ok(None) };
        let limit = log.env.batch.max(1);
        Ok(Some(Self { head: *head, edge, progress, tiles: BTreeMap::new(), entries: 0, bytes: 0, limit }))
    }

    /// Appends what waits, until it is full.
    pub(super) async fn gather(&mut self, log: &Log<'_>, rejected: &mut BTreeSet<String>) -> Result<(), SealerError> {
        let prefix = Scope::environment_prefix(&log.env.tenant, &log.env.environment);
        let mut pending = Pending::new(log.env.store.as_ref(), prefix);
        let mut admission = Admission::default();
        // First of all: what a revoked key signs after this must come after it.
        let trust = log.env.store.list(&trust_prefix(&log.env.tenant, &log.env.environment)).await?;
        let revocation = |object: &Object| matches!(object.kind, ObjectKind::Revocation(..));
        let mut objects: Vec<_> = trust.iter().filter_map(|key| parse(key)).filter(revocation).collect();
        loop {
            for object in objects {
                if self.is_full() {
                    return Ok(());
                }
                if !self.progress.contains(&object) {
                    self.take(log, &mut admission, &object, rejected).await?;
                }
            }
            objects = pending.next(&self.progress).await?;
            if objects.is_empty() {
                return Ok(());
            }
        }
    }

    async fn take(
        &mut self,
        log: &Log<'_>,
        admission: &mut Admission,
        object: &Object,
        rejected: &mut BTreeSet<String>,
    ) -> Result<(), SealerError> {
        match admission.examine(log, object).await? {
            Found::Nothing => {}
            Found::Statement(entry) => {
                self.append(&entry)?;
                record(&mut self.progress, object, &entry);
            }
            Found::Rejected(problem) => {
                let key = object.key();
                if rejected.len() < Sealed::REJECTED_MAX && !self.progress.is_named(&key) {
                    tracing::error!(key, problem, "not in the log: no statement of a certified relay in its place");
                    rejected.insert(key);
                }
            }
        }
        Ok(())
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether more may wait.
    pub(super) fn is_full(&self) -> bool {
        self.entries >= self.limit || self.bytes >= BYTES_MAX
    }

    /// Entries that it adds.
    pub(super) fn entries(&self) -> u64 {
        self.entries as u64
    }

    /// Entries of the log with it.
    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Root of the log with it.
    pub(super) fn root(&self) -> Sha256Digest {
        self.edge.root()
    }

    /// All that the next checkpoint makes new.
    pub(super) fn into_staged(self) -> Result<Staged, SealerError> {
        let next = Head { number: self.head.number.saturating_add(1), size: self.size(), root: self.root() };
        let mut tiles = self.tiles;
        tiles.extend(self.edge.partial()?);
        Ok(Staged { tiles, state: State::new(&next, self.progress).to_vec()? })
    }

    fn append(&mut self, entry: &Entry) -> Result<(), SealerError> {
        let entry = entry.to_vec();
        self.bytes = self.bytes.saturating_add(entry.len());
        self.entries = self.entries.saturating_add(1);
        self.tiles.extend(self.edge.push(entry)?);
        Ok(())
    }
}

/// The right edge at this checkpoint, which must have its root.
async fn edge(log: &Log<'_>, head: &Head) -> Result<Option<Edge>, SealerError> {
    let mut tiles = BTreeMap::new();
    for tile in Tile::partial(head.size) {
        let Some(bytes) = tile_bytes(log, &tile).await? else { return gone(log, head, &tile).await };
        tiles.insert(tile, bytes);
    }
    let key = log.origin.checkpoint(head.number);
    match Edge::restore(head.size, &tiles) {
        Ok(edge) if edge.root() == head.root => Ok(Some(edge)),
        Ok(_) => Err(damaged(key, "its root is not that of the tiles at the edge of the log")),
        Err(error) => Err(damaged(key, error)),
    }
}

/// What is in the log: as remembered, or read again from its entries.
pub(super) async fn progress(log: &Log<'_>, head: &Head) -> Result<Option<Progress>, SealerError> {
    if head.number == 0 {
        return Ok(Some(Progress::default()));
    }
    let remembered = log.env.store.get(&log.origin.state(head.number)).await?;
    if let Some(progress) = remembered.and_then(|bytes| State::read(&bytes, head)) {
        return Ok(Some(progress));
    }
    if is_behind(log, head).await? {
        return Ok(None);
    }
    tracing::warn!(origin = %log.origin, size = head.size, "the sealer's state is gone; reading the log again");
    let mut progress = Progress::default();
    let partial = Tile::partial(head.size).into_iter().filter(|tile| tile.kind == TileKind::Entries);
    for bundle in (0..head.size >> 8).map(Tile::entries).chain(partial) {
        let Some(bytes) = tile_bytes(log, &bundle).await? else { return gone(log, head, &bundle).await };
        let entries = decode_bundle(&bytes, bundle.width).map_err(|error| damaged(log.origin.tile(&bundle), error))?;
        for entry in entries {
            let entry = Entry::from_slice(&entry).map_err(|error| damaged(log.origin.tile(&bundle), error))?;
            let place = entry.place().map_err(|error| damaged(log.origin.tile(&bundle), error))?;
            record(&mut progress, &place.object, &entry);
        }
    }
    Ok(Some(progress))
}

fn record(progress: &mut Progress, object: &Object, entry: &Entry) {
    progress.record(object);
    if let Ok(certificate) = entry.read::<Certificate>() {
        progress.expires(object, certificate.not_after_us);
    }
}

/// A tile's bytes; of the full one in its place where it has grown since.
async fn tile_bytes(log: &Log<'_>, tile: &Tile) -> Result<Option<Vec<u8>>, SealerError> {
    match log.env.store.get(&log.origin.tile(tile)).await? {
        None if !tile.is_full() => Ok(log.env.store.get(&log.origin.tile(&tile.full())).await?),
        bytes => Ok(bytes),
    }
}

/// A bundle in the last place that holds more entries than the log has.
async fn beyond(log: &Log<'_>, head: &Head) -> Result<Option<String>, SealerError> {
    let last = Tile::entries(head.size >> 8);
    let beyond = |key: &String| match parse_log(key).map(|object| object.kind) {
        Some(LogObjectKind::Tile(tile)) => tile.index == last.index && u64::from(tile.width) > head.size % 256,
        _ => false,
    };
    Ok(log.env.store.list(&log.origin.tile(&last)).await?.into_iter().find(beyond))
}

/// A tile is missing: another sealer replaced it by a larger one, or it was taken away.
async fn gone<T>(log: &Log<'_>, head: &Head, tile: &Tile) -> Result<Option<T>, SealerError> {
    if is_behind(log, head).await? {
        Ok(None)
    } else {
        Err(damaged(log.origin.tile(tile), "is gone, and the log needs it to grow"))
    }
}

async fn is_behind(log: &Log<'_>, head: &Head) -> Result<bool, SealerError> {
    let next = log.origin.checkpoint(head.number.saturating_add(1));
    Ok(log.env.store.get(&next).await?.is_some())
}

/// What a batch may take in memory, twice: as entries and staged.
const BYTES_MAX: usize = 16 * 1024 * 1024;
