//! A session begins: its counter, its key, its first record and its leaf, each durable before the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use schemas::digest::Sha256Digest;
use schemas::dsse::Envelope;
use schemas::event::{CloseReason, EventBody, SessionOpen};
use schemas::heartbeat::UNSTORED_MAX;
use schemas::identifiers::{Name, SessionId};
use schemas::leaf::{SessionOpenLeaf, commit_to};
use schemas::session_key::SessionKey;
use seams::Retention;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::core::{Active, Case, blocking};
use super::{EvidenceError, Incarnation};
use crate::recorder::{RecordKeys, Recorder, Reel};
use crate::spool::{SessionFacts, SpoolError, Tape};

impl Incarnation {
    /// Begins a session. Its counter, its wrapped key and its session-open leaf are stored when this returns, and its
    /// first event is on the disk. `details.salt` and `details.durability` are filled in here.
    ///
    /// # Errors
    /// [`EvidenceError`]: there is no session and nothing may be served. What was begun is completed in the
    /// background, so that no counter is left unexplained.
    pub async fn open_session(&self, mut details: SessionOpen) -> Result<Recorder, EvidenceError> {
        let active = self.core.enter();
        self.admit()?;
        details.durability = self.core.evidence.durability;
        details.salt = salt(self.core.entropy.as_ref())?;
        let facts = Particulars::of(&details)?;
        let Ok(permit) = Arc::clone(&self.openings).try_acquire_owned() else {
            return Err(EvidenceError::StoreUnavailable);
        };
        let (ledger, core) = (Arc::clone(&self.ledger), Arc::clone(&self.core));
        let counter = blocking(move || {
            let mut ledger = ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let counter = ledger.allocate()?;
            // Under the ledger's lock, for a heartbeat must not know of a counter and not of one before it.
            core.tally().take(counter);
            Ok(counter)
        });
        let opening = Opening {
            case: Case {
                core: Arc::clone(&self.core),
                folder: Arc::clone(&self.folder),
                ledger: Arc::clone(&self.ledger),
                session: SessionId { incarnation: self.core.id.clone(), counter: 0 },
            },
            until_us: self.until_us,
            active,
            permit,
        };
        // A task of its own: a caller that goes away leaves no half-opened session. Its recorder, dropped unused,
        // closes the session.
        let begun = self.core.runtime.spawn(async move { opening.number(counter.await?).begin(details, facts).await });
        match timeout(OPEN_TIME, begun).await {
            Ok(Ok(recorder)) => recorder,
            Ok(Err(_)) => Err(EvidenceError::Interrupted),
            Err(_) => Err(EvidenceError::TimedOut { seconds: OPEN_TIME.as_secs() }),
        }
    }

    fn admit(&self) -> Result<(), EvidenceError> {
        self.core.may_sign()?;
        if self.core.tally().unstored.len() >= UNSTORED_MAX {
            return Err(EvidenceError::StoreUnavailable);
        }
        if self.core.retiring.load(Ordering::SeqCst) {
            return Err(EvidenceError::Retiring);
        }
        if let Some(reason) = self.fenced() {
            return Err(EvidenceError::Fenced { reason: reason.to_owned() });
        }
        if self.core.clock.now_us() >= self.until_us {
            return Err(EvidenceError::CertificateExpired);
        }
        let limit = self.core.evidence.spool_bytes;
        if self.spool_bytes_used() >= limit {
            return Err(SpoolError::Full { limit }.into());
        }
        Ok(())
    }
}

/// A session on its way.
struct Opening {
    case: Case,
    until_us: u64,
    active: Active,
    permit: OwnedSemaphorePermit,
}

/// What the leaf needs of the details, checked before a counter is taken.
struct Particulars {
    connection: Name,
    policy_sha256: Sha256Digest,
    commitment: Sha256Digest,
}

struct Prepared {
    facts: Arc<SessionFacts>,
    key: SessionKey,
    record_keys: RecordKeys,
    tape: Tape,
}

impl Opening {
    fn number(mut self, counter: u64) -> Self {
        self.case.session.counter = counter;
        self
    }

    async fn begin(self, details: SessionOpen, particulars: Particulars) -> Result<Recorder, EvidenceError> {
        let Self { case, until_us, active, permit } = self;
        let Prepared { facts, key, record_keys, tape } = match prepare(&case, details, particulars).await {
            Ok(prepared) => prepared,
            Err(error) => {
                tokio::spawn(async move { case.finish(case.void(), (active, permit)).await });
                return Err(error);
            }
        };
        let core = Arc::clone(&case.core);
        let reel = Arc::new(Reel::new(tape));
        let recorder = Recorder::new(
            case.session.clone(),
            record_keys,
            core.evidence.durability,
            Arc::clone(&core.clock),
            until_us,
            Arc::clone(&reel),
        )
        .holding(core.evidence.hold().map(|most| (Arc::clone(&case.folder), most)));
        match store_opening(&case, &facts).await {
            Ok(()) => {
                tokio::spawn(async move { case.finish(case.complete(None, &facts, key, &reel), active).await });
                Ok(recorder)
            }
            Err(error) => {
                // The leaf may be stored or not: the session is completed as one that served nothing.
                let _ = recorder.close(CloseReason::EvidenceFailure).await;
                tokio::spawn(async move {
                    case.finish(case.complete(Some(&facts), &facts, key, &reel), (active, permit)).await;
                });
                Err(error)
            }
        }
    }
}

/// Everything up to the first record on the disk; nothing is in the store yet.
async fn prepare(case: &Case, details: SessionOpen, particulars: Particulars) -> Result<Prepared, EvidenceError> {
    let core = &case.core;
    let key = SessionKey::generate(core.entropy.as_ref())?;
    let wrapping = timeout(OPEN_TIME, core.keys.wrap(&key, &case.session)).await;
    let wrapped_key = wrapping.map_err(|_| EvidenceError::TimedOut { seconds: OPEN_TIME.as_secs() })??;
    let now_us = core.clock.now_us();
    let leaf = SessionOpenLeaf {
        tenant: core.scope.tenant.clone(),
        environment: core.scope.environment.clone(),
        relay: core.scope.relay.clone(),
        session: case.session.clone(),
        connection: particulars.connection.clone(),
        time_us: now_us,
        policy_sha256: particulars.policy_sha256,
        details_commitment: particulars.commitment,
        data_key_id: wrapped_key.key_id.clone(),
    };
    let facts = Arc::new(SessionFacts {
        origin: core.origin.clone(),
        session: case.session.clone(),
        connection: particulars.connection,
        wrapped_key,
        open: Envelope::of(&leaf, &core.key)?,
    });
    let (folder, spool_key) = (Arc::clone(&case.folder), key.spool_key()?);
    let (segment_bytes, of_tape) = (core.evidence.segment_bytes, Arc::clone(&facts));
    let tape = blocking(move || {
        let mut tape = Tape::create(folder, of_tape, spool_key, segment_bytes)?;
        tape.begin(EventBody::SessionOpen(Box::new(details)), now_us)?.flush()?;
        Ok(tape)
    })
    .await?;
    let record_keys = RecordKeys { token: key.token_key()?, result: key.result_key()? };
    Ok(Prepared { facts, record_keys, key, tape })
}

/// One attempt to store wrapped key and session-open leaf, in this order: no session in the log is without a key.
async fn store_opening(case: &Case, facts: &SessionFacts) -> Result<(), EvidenceError> {
    let core = &case.core;
    let key = facts.wrapped_key.to_vec()?;
    core.shipper.once(&core.scope.wrapped_key(&case.session), &key, Retention::none()).await?;
    let open = facts.open.to_vec()?;
    core.shipper.once(&core.scope.session_open(&case.session), &open, core.retention()).await?;
    core.tally().open(case.session.counter);
    Ok(())
}

impl Particulars {
    fn of(details: &SessionOpen) -> Result<Self, EvidenceError> {
        Ok(Self {
            connection: details.connection.parse().map_err(|_| EvidenceError::Malformed("connection"))?,
            policy_sha256: details.policy_sha256.parse().map_err(|_| EvidenceError::Malformed("policy_sha256"))?,
            commitment: commit_to(details)?,
        })
    }
}

fn salt(entropy: &dyn schemas::entropy::Entropy) -> Result<String, EvidenceError> {
    let mut salt = [0; 32];
    entropy.fill(&mut salt)?;
    Ok(Sha256Digest::from_bytes(salt).to_string())
}

/// A client waits no longer for its session.
const OPEN_TIME: Duration = Duration::from_secs(15);
