//! What a session owes the store: its opening, its chunks in order, its end. Then its counter is settled.

use std::future::Future;
use std::sync::Arc;

use schemas::digest::Sha256Digest;
use schemas::dsse::Envelope;
use schemas::event::CloseReason;
use schemas::leaf::{SessionCloseLeaf, SessionVoid};
use schemas::session_key::SessionKey;
use seams::Retention;
use tokio::sync::watch;

use super::EvidenceError;
use super::core::{Case, blocking};
use super::incarnation::store;
use crate::recorder::Reel;
use crate::spool::{Entry, Kind, SessionFacts};

/// How far sealing is; told to shipping.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealed {
    /// All chunks up to this sequence are on disk or in the store.
    pub(super) through: u64,
    /// Set with the last chunk.
    pub(super) end: Option<End>,
}

/// What the session-close leaf says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) chunks: u64,
    pub(super) events: u64,
    pub(super) last_manifest: Sha256Digest,
    pub(super) reason: CloseReason,
}

impl Case {
    /// Runs what completes this session, and keeps `held` until it is done.
    pub(super) async fn finish<H>(&self, work: impl Future<Output = Result<(), EvidenceError>>, held: H) {
        if let Err(error) = work.await {
            self.core.give_up(&self.session, &error);
        }
        drop(held);
    }

    /// Seals and ships a live session until it has ended and everything of it is stored. `unopened` when its opening
    /// may not be in the store yet.
    pub(super) async fn complete(
        &self,
        unopened: Option<&SessionFacts>,
        facts: &SessionFacts,
        key: SessionKey,
        reel: &Reel,
    ) -> Result<(), EvidenceError> {
        if let Some(facts) = unopened {
            self.ship_opening(facts).await?;
        }
        let (sealed, shipping) = watch::channel(Sealed::default());
        let done = tokio::try_join!(self.seal_live(facts, key, reel, sealed), self.ship(1, shipping));
        if done.is_err() {
            // What cannot be stored is not recorded any more, so the session ends.
            reel.tape().poison();
        }
        done.map(|_| ())
    }

    /// Says that this counter never served a session.
    pub(super) async fn void(&self) -> Result<(), EvidenceError> {
        // What there may be was never relied on: its first record did not reach the disk.
        self.remove(vec![self.entry(1, Kind::Spool)]).await?;
        let core = &self.core;
        let leaf = SessionVoid {
            tenant: core.scope.tenant.clone(),
            environment: core.scope.environment.clone(),
            relay: core.scope.relay.clone(),
            session: self.session.clone(),
            sealed_by: core.id.clone(),
            recovered: self.is_recovered(),
            time_us: core.clock.now_us(),
        };
        store(core, &core.scope.session_void(&self.session), &leaf).await?;
        if !self.is_recovered() {
            core.tally().void(self.session.counter);
        }
        self.settle();
        Ok(())
    }

    /// Ships chunks from `next` on as they get sealed, then the session-close leaf. A chunk leaves the disk once it is
    /// stored, the last one once the leaf is stored: so recovery finds every session that is not closed.
    pub(super) async fn ship(&self, mut next: u64, mut sealed: watch::Receiver<Sealed>) -> Result<(), EvidenceError> {
        loop {
            let end = {
                let ready = |state: &Sealed| state.through >= next || state.end.is_some();
                let state = sealed.wait_for(ready).await.map_err(|_| EvidenceError::Interrupted)?;
                state.end.clone()
            };
            if let Some(end) = end.as_ref().filter(|end| next > end.chunks) {
                return self.ship_end(end).await;
            }
            self.ship_chunk(next, end.is_none_or(|end| end.chunks != next)).await?;
            next = next.saturating_add(1);
        }
    }

    pub(super) async fn ship_end(&self, end: &End) -> Result<(), EvidenceError> {
        let core = &self.core;
        let key = core.scope.session_close(&self.session);
        let recovered = self.is_recovered();
        // A dead incarnation may have stored its own before it could note so.
        let stored = if recovered { core.shipper.read(&key).await } else { None };
        match stored {
            Some(bytes) => self.check_end(&bytes, end)?,
            None => {
                let leaf = SessionCloseLeaf {
                    tenant: core.scope.tenant.clone(),
                    environment: core.scope.environment.clone(),
                    relay: core.scope.relay.clone(),
                    session: self.session.clone(),
                    reason: end.reason,
                    chunks: end.chunks,
                    events: end.events,
                    last_manifest: end.last_manifest,
                    sealed_by: core.id.clone(),
                    recovered,
                    time_us: core.clock.now_us(),
                };
                store(core, &key, &leaf).await?;
                if !recovered {
                    core.tally().close();
                }
            }
        }
        // First the ledger: were the chunk gone and the line not there, the counter would look burnt.
        self.settle();
        // A segment after the last one is one that could not be begun.
        let successor = self.entry(end.chunks.saturating_add(1), Kind::Spool);
        self.remove(vec![self.entry(end.chunks, Kind::Chunk), successor]).await
    }

    /// Removes files; those that are gone already are gone.
    pub(super) async fn remove(&self, entries: Vec<Entry>) -> Result<(), EvidenceError> {
        let folder = Arc::clone(&self.folder);
        blocking(move || Ok(entries.into_iter().try_for_each(|entry| folder.remove(entry))?)).await
    }

    /// Whether another incarnation than the session's own completes it.
    pub(super) fn is_recovered(&self) -> bool {
        self.core.id != self.session.incarnation
    }

    pub(super) fn entry(&self, sequence: u64, kind: Kind) -> Entry {
        Entry { counter: self.session.counter, sequence, kind }
    }

    /// Stores wrapped key and session-open leaf. Before any segment is sealed: the segment alone holds them.
    pub(super) async fn ship_opening(&self, facts: &SessionFacts) -> Result<(), EvidenceError> {
        let (shipper, scope) = (&self.core.shipper, &self.core.scope);
        if self.is_recovered() && shipper.read(&scope.session_open(&self.session)).await.is_some() {
            // Then the key was stored before it, and may have been shredded since.
            return Ok(());
        }
        let key = facts.wrapped_key.to_vec()?;
        shipper.until_stored(&scope.wrapped_key(&self.session), &key, Retention::none()).await?;
        let open = facts.open.to_vec()?;
        shipper.until_stored(&scope.session_open(&self.session), &open, self.core.retention()).await?;
        if !self.is_recovered() {
            self.core.tally().open(self.session.counter);
        }
        Ok(())
    }

    async fn ship_chunk(&self, sequence: u64, remove: bool) -> Result<(), EvidenceError> {
        let entry = self.entry(sequence, Kind::Chunk);
        let load = || {
            let folder = Arc::clone(&self.folder);
            blocking(move || Ok(folder.read_if_there(entry)?))
        };
        let key = self.core.scope.chunk(&self.session, sequence);
        if !self.core.shipper.until_loaded_and_stored(&key, self.core.retention(), load).await? {
            tracing::error!(session = %self.session, sequence, "a chunk is gone from the spool; verification will name it");
        } else if remove {
            self.remove(vec![entry]).await?;
        }
        Ok(())
    }

    fn check_end(&self, stored: &[u8], end: &End) -> Result<(), EvidenceError> {
        let leaf = Envelope::from_slice(stored).and_then(|envelope| envelope.read_unverified::<SessionCloseLeaf>());
        let same = leaf.is_ok_and(|leaf| {
            (leaf.session, leaf.chunks, leaf.events, leaf.last_manifest)
                == (self.session.clone(), end.chunks, end.events, end.last_manifest)
        });
        if same { Ok(()) } else { Err(self.core.shipper.fence().raise("another session-close is stored").into()) }
    }
}
