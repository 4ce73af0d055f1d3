//! What dead incarnations left is completed under this incarnation's key, by the functions that complete live
//! sessions, and said to be recovered: weaker evidence (rule 15).
//!
//! Every step can be repeated: a recovery that dies itself is recovered by the next one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use schemas::digest::Sha256Digest;
use schemas::dsse::Envelope;
use schemas::event::CloseReason;
use schemas::identifiers::{Incarnation as IncarnationId, SessionId};
use schemas::layout::{ObjectKind, parse};
use schemas::session_key::SessionKey;
use seams::KeysError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::EvidenceError;
use super::announcement::Announcement;
use super::core::{Case, Core, blocking};
use super::incarnation::store_retired;
use super::sealing::Left;
use super::settlement::{End, Sealed};
use crate::ship::Pause;
use crate::spool::{Account, Contents, Entry, Folder, Kind, Ledger, SessionFacts};

/// How far the recovery of dead incarnations is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Going on.
    Running,
    /// Nothing is left.
    Done,
    /// So many sessions or incarnations stay in the spool.
    Unfinished(usize),
}

/// Recovers all dead incarnations.
pub(super) async fn recover(core: Arc<Core>, dead: Vec<(IncarnationId, Folder)>, state: watch::Sender<Recovery>) {
    let mut unfinished = 0_usize;
    for (id, folder) in dead {
        match recover_incarnation(&core, &id, Arc::new(folder)).await {
            Ok(0) => tracing::info!(incarnation = %id, "recovered"),
            Ok(left) => unfinished = unfinished.saturating_add(left),
            Err(error) => {
                tracing::error!(incarnation = %id, %error, "not recovered");
                unfinished = unfinished.saturating_add(1);
            }
        }
    }
    state.send_replace(if unfinished == 0 { Recovery::Done } else { Recovery::Unfinished(unfinished) });
}

/// Completes one dead incarnation; gives the number of sessions that stay.
async fn recover_incarnation(
    core: &Arc<Core>,
    id: &IncarnationId,
    folder: Arc<Folder>,
) -> Result<usize, EvidenceError> {
    let opened = Arc::clone(&folder);
    let Estate { announcement, ledger, account: Account { last, unsettled }, mut entries } =
        blocking(move || Estate::of(&opened)).await?;
    let mut running = JoinSet::new();
    let mut left = 0_usize;
    for counter in unsettled {
        let case = Case {
            core: Arc::clone(core),
            folder: Arc::clone(&folder),
            ledger: Arc::clone(&ledger),
            session: SessionId { incarnation: id.clone(), counter },
        };
        if running.len() >= SESSIONS_AT_ONCE {
            left = left.saturating_add(usize::from(!matches!(running.join_next().await, Some(Ok(true)))));
        }
        let entries = entries.remove(&counter).unwrap_or_default();
        running.spawn(async move { recovered(&case, entries).await });
    }
    while let Some(done) = running.join_next().await {
        left = left.saturating_add(usize::from(!matches!(done, Ok(true))));
    }
    if left > 0 {
        return Ok(left);
    }
    // An incarnation that died before it was announced served nothing and is in nobody's books.
    if let Some(announcement) = announcement {
        announcement.store(core, id).await?;
        if core.shipper.read(&core.scope.relay_retired(id)).await.is_none() {
            let stored = core.shipper.list(&core.scope.heartbeats(id)).await;
            let sequence = |key: &String| match parse(key)?.kind {
                ObjectKind::Heartbeat(_, sequence) => Some(sequence),
                _ => None,
            };
            store_retired(core, id, last, stored.iter().filter_map(sequence).max().unwrap_or(0)).await?;
        }
    }
    let (core, id) = (Arc::clone(core), id.clone());
    blocking(move || Ok(core.spool.remove(&id)?)).await?;
    Ok(0)
}

/// What a dead incarnation's folder tells.
struct Estate {
    announcement: Option<Announcement>,
    ledger: Arc<Mutex<Ledger>>,
    account: Account,
    /// Files by counter.
    entries: BTreeMap<u64, Vec<Entry>>,
}

impl Estate {
    fn of(folder: &Folder) -> Result<Self, EvidenceError> {
        let announcement = folder.announcement()?.map(|bytes| serde_json::from_slice(&bytes)).transpose();
        let announcement = announcement.map_err(|_| EvidenceError::Malformed("announcement"))?;
        let (ledger, account) = Ledger::reopen(folder.path())?;
        let mut entries: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
        for entry in folder.entries()? {
            entries.entry(entry.counter).or_default().push(entry);
        }
        Ok(Self { announcement, ledger: Arc::new(Mutex::new(ledger)), account, entries })
    }
}

async fn recovered(case: &Case, entries: Vec<Entry>) -> bool {
    let result = case.recover(entries).await;
    if let Err(error) = &result {
        tracing::error!(session = %case.session, %error, "evidence of a dead session stays in the spool");
    }
    result.is_ok()
}

impl Case {
    async fn recover(&self, entries: Vec<Entry>) -> Result<(), EvidenceError> {
        let (case, there) = (self.clone(), entries.clone());
        let (left, facts) = blocking(move || case.take_stock(&there)).await?;
        if left.pieces.is_empty() {
            return self.recover_from_store().await;
        }
        let key = match &facts {
            Some(facts) => {
                self.ship_opening(facts).await?;
                Some(self.unwrap(facts).await?)
            }
            None => None,
        };
        let first = left.pieces.first().map_or(1, |(sequence, _)| *sequence);
        let (sealed, shipping) = watch::channel(Sealed::default());
        tokio::try_join!(self.seal_dead(left, key, sealed), self.ship(first, shipping))?;
        // All of it is stored; what may be left are segments whose header was torn.
        self.remove(entries).await
    }

    /// What is on disk. A segment beside its chunk is a leftover of sealing and goes.
    fn take_stock(&self, entries: &[Entry]) -> Result<(Left, Option<SessionFacts>), EvidenceError> {
        let mut left = Left { pieces: Vec::new(), torn_bytes: 0, open: None };
        let mut facts = None;
        for entry in entries {
            if entry.kind == Kind::Chunk {
                left.pieces.push((entry.sequence, Kind::Chunk));
                continue;
            }
            if entries.contains(&self.entry(entry.sequence, Kind::Chunk)) {
                self.folder.remove(*entry)?;
                continue;
            }
            let bytes = self.folder.read(*entry)?;
            match Contents::header(&bytes).filter(|header| header.facts.session == self.session) {
                Some(header) => {
                    left.pieces.push((entry.sequence, Kind::Spool));
                    left.open = Some(header.facts.open.statement_digest());
                    facts.get_or_insert(header.facts);
                }
                None => {
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    left.torn_bytes = left.torn_bytes.saturating_add(length);
                }
            }
        }
        Ok((left, facts))
    }

    /// No whole piece is on disk: either everything is stored but the note in the ledger, or the counter was burnt
    /// before its first record.
    async fn recover_from_store(&self) -> Result<(), EvidenceError> {
        let (scope, shipper) = (&self.core.scope, &self.core.shipper);
        let present = shipper.list(&scope.session_prefix(&self.session)).await;
        let has = |key: String| present.contains(&key);
        if has(scope.session_close(&self.session)) || has(scope.session_void(&self.session)) {
            self.settle();
            return Ok(());
        }
        if !has(scope.session_open(&self.session)) {
            return self.void().await;
        }
        // Somebody took the session's files from the spool. What is stored is closed; verification names the rest.
        tracing::error!(session = %self.session, "the spool's part of an open session is gone");
        let chunks = present.iter().filter_map(|key| match parse(key)?.kind {
            ObjectKind::Chunk(_, sequence) => Some(sequence),
            _ => None,
        });
        let end = match chunks.max() {
            Some(last) => self.end_at(last).await?,
            None => self.end_at_open().await?,
        };
        self.ship_end(&end).await
    }

    async fn end_at(&self, sequence: u64) -> Result<End, EvidenceError> {
        let bytes = self.core.shipper.read(&self.core.scope.chunk(&self.session, sequence)).await;
        let earlier = self.judge(sequence, &bytes.unwrap_or_default())?;
        Ok(End {
            chunks: sequence,
            events: earlier.manifest.last_event,
            last_manifest: earlier.digest,
            reason: earlier.reason.unwrap_or(CloseReason::Aborted),
        })
    }

    async fn end_at_open(&self) -> Result<End, EvidenceError> {
        let bytes = self.core.shipper.read(&self.core.scope.session_open(&self.session)).await;
        let last_manifest: Sha256Digest = Envelope::from_slice(&bytes.unwrap_or_default())?.statement_digest();
        Ok(End { chunks: 0, events: 0, last_manifest, reason: CloseReason::Aborted })
    }

    /// The session's key, however long its holder is away.
    async fn unwrap(&self, facts: &SessionFacts) -> Result<SessionKey, EvidenceError> {
        let mut pause = Pause::default();
        loop {
            match self.core.keys.unwrap(&facts.wrapped_key, &self.session).await {
                Err(error @ KeysError::Unavailable(..)) => {
                    tracing::warn!(session = %self.session, %error, "keys unavailable");
                    pause.wait(self.core.entropy.as_ref()).await;
                }
                result => return Ok(result?),
            }
        }
    }
}

/// Enough to hide the store's latency.
const SESSIONS_AT_ONCE: usize = 16;
