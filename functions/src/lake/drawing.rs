//! Drawing one session: its evidence through the verifier, its rows into files, the files into the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use schemas::chunk::OpenedChunk;
use schemas::dsse::Envelope;
use schemas::identifiers::{Incarnation, SessionId};
use schemas::layout::{Scope, lake_file};
use schemas::leaf::SessionCloseLeaf;
use schemas::signature::PublicKey;
use schemas::tables::parquet::{ParquetError, ParquetWriter};
use schemas::tables::{Derivation, RowSink, SessionRows, Table};
use schemas::verify::{self, Observer, Options, SessionReport};
use tokio::task::spawn_blocking;

use super::evidence::{Evidence, Waiting};
use super::{Env, LakeError, Why};
use crate::signers;

/// A session, and the keys of its objects as they were listed.
pub(super) struct Drawing<'a> {
    env: &'a Env,
    scope: &'a Scope,
    session: &'a SessionId,
    keys: Vec<String>,
    /// Its end says that the session's own life sealed all of it.
    is_its_own: bool,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(env: &'a Env, scope: &'a Scope, session: &'a SessionId, keys: Vec<String>) -> Self {
        Self { env, scope, session, keys, is_its_own: false }
    }

    /// Tells what is known of its end, which then need not be read for that.
    pub(super) fn closed_by_its_own(mut self, is_its_own: bool) -> Self {
        self.is_its_own = is_its_own;
        self
    }

    /// Draws it until what was drawn is what is there: somebody may have drawn more meanwhile, and this one put its older
    /// files over those. A session that is closed and sound gets no more rows.
    pub(super) async fn draw(mut self) -> Result<Result<(), Why>, LakeError> {
        for _ in 0..ROUNDS {
            let files = match self.read().await? {
                Ok(files) => files,
                Err(why) => return Ok(Err(why)),
            };
            for (key, bytes) in files {
                self.env.lake.put(&key, bytes).await?;
            }
            if self.keys.contains(&self.scope.session_close(self.session)) {
                return Ok(Ok(()));
            }
            let keys = self.env.store.list(&self.scope.session_prefix(self.session)).await?;
            if keys == self.keys {
                return Ok(Ok(()));
            }
            self.keys = keys;
        }
        Err(LakeError::Contended(self.session.clone()))
    }

    /// The files, by key.
    async fn read(&self) -> Result<Result<Vec<(String, Vec<u8>)>, Why>, LakeError> {
        let Some(signers) = self.signers().await? else { return Ok(Err(Why::TooLong)) };
        let mut keys = self.keys.clone();
        // That of the own life says which log its chunks name.
        keys.push(self.scope.relay_start(&self.session.incarnation));
        keys.extend(signers.iter().map(|signer| self.scope.certificate(signer)));
        let evidence = Evidence::new(self.env.store.clone(), keys, self.env.limits.stored);
        let (reading, root, events) = (evidence.reading(), self.env.root.clone(), self.env.limits.events);
        // The verifier waits for what it reads, and must not keep others from running.
        let waiting = Waiting(reading.clone());
        let verified = spawn_blocking(move || Tables::of(&evidence, &root, events)).await;
        drop(waiting);
        if let Some(error) = reading.failed() {
            return Err(error.into());
        }
        let failed = |error| LakeError::Tables(self.session.to_string(), error);
        let tables = verified.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)?;
        if tables.too_long || reading.was_too_long() {
            return Ok(Err(Why::TooLong));
        }
        let sound = tables.session.filter(|report| report.sound && report.session == *self.session);
        let Some(opened_us) = sound.and_then(|report| report.opened_us) else { return Ok(Err(Why::Unsound)) };
        let file = |(table, bytes)| lake_file(table, self.session, opened_us).map(|key| (key, bytes));
        Ok(tables.files.into_iter().map(file).collect::<Option<_>>().ok_or(Why::Unsound))
    }

    /// Those whose certificates are needed: the session's own life, and where its end does not say that this alone
    /// sealed, whoever says so of a part. Nothing when it is too long.
    async fn signers(&self) -> Result<Option<BTreeSet<Incarnation>>, LakeError> {
        let mut signers = BTreeSet::from([self.session.incarnation.clone()]);
        if self.is_its_own {
            return Ok(Some(signers));
        }
        let close = self.env.store.get(&self.scope.session_close(self.session)).await?;
        let close = close.and_then(|bytes| Envelope::from_slice(&bytes).ok());
        // Not believed: a wrong answer leaves a certificate out, and then nothing is drawn.
        let close = close.and_then(|envelope| envelope.read_unverified::<SessionCloseLeaf>().ok());
        if close.is_some_and(|close| !close.recovered) {
            return Ok(Some(signers));
        }
        let mut left = self.env.limits.stored;
        for key in &self.keys {
            let Some(bytes) = self.env.store.get(key).await? else { continue };
            let Some(less) = left.checked_sub(bytes.len() as u64) else { return Ok(None) };
            left = less;
            signers.extend(signers::said(key, &bytes));
        }
        Ok(Some(signers))
    }
}

/// Tables of one session while they are made.
struct Tables<'a> {
    rows: Derivation<'a>,
    /// Bytes of events that may still be held.
    left: u64,
    too_long: bool,
    session: Option<SessionReport>,
}

/// What was made of them.
struct Made {
    files: Vec<(Table, Vec<u8>)>,
    too_long: bool,
    session: Option<SessionReport>,
}

impl Tables<'_> {
    fn of(evidence: &Evidence, root: &PublicKey, events: u64) -> io::Result<Made> {
        let mut files = Files::default();
        let mut tables = Tables { rows: Derivation::new(&mut files), left: events, too_long: false, session: None };
        verify::observe(evidence, root, &Options::default(), &mut tables)?;
        let Tables { rows, too_long, session, .. } = tables;
        rows.finish()?;
        Ok(Made { files: files.finish()?, too_long, session })
    }
}

impl Observer for Tables<'_> {
    fn chunk(&mut self, scope: &Scope, chunk: &OpenedChunk) {
        match self.left.checked_sub(chunk.event_bytes()) {
            Some(left) if !self.too_long => {
                self.left = left;
                self.rows.chunk(scope, chunk);
            }
            _ => self.too_long = true,
        }
    }

    fn session(&mut self, report: &SessionReport) {
        if !self.too_long {
            self.rows.session(report);
        }
        self.session = Some(report.clone());
    }
}

/// A file each for those tables that have rows.
#[derive(Default)]
struct Files(BTreeMap<Table, ParquetWriter<Vec<u8>>>);

impl Files {
    fn finish(self) -> io::Result<Vec<(Table, Vec<u8>)>> {
        self.0.into_iter().map(|(table, writer)| Ok((table, writer.finish().map_err(failed)?))).collect()
    }
}

impl RowSink for Files {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        for table in Table::ALL {
            for values in rows.of(table) {
                let writer = match self.0.entry(table) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(ParquetWriter::small(table, Vec::new()).map_err(failed)?)
                    }
                };
                writer.push_values(values).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Each is for evidence that came while an unclosed session was drawn.
const ROUNDS: u32 = 5;
