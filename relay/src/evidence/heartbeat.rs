//! An incarnation says at its interval that it lives and what is stored, also when it is idle; and looks whether its key
//! was revoked, or another one said that it is dead.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use schemas::dsse::Envelope;
use schemas::heartbeat::Heartbeat;
use schemas::leaf::{Certificate, RelayRetired};
use schemas::revocation::Revocation;
use seams::KeyName;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::EvidenceError;
use super::core::{Core, Standing};
use crate::ship::{Pause, ShipError};

/// The running heartbeats of an incarnation; they end when this is dropped.
pub(super) struct Heartbeats {
    queue: Arc<Queue>,
    /// Signing, then storing: each is told to end when the one before has.
    tasks: tokio::sync::Mutex<Vec<(watch::Sender<bool>, JoinHandle<()>)>>,
}

/// Signed and not yet stored, in order.
#[derive(Default)]
struct Queue {
    waiting: std::sync::Mutex<VecDeque<(u64, String, Vec<u8>)>>,
    changed: Notify,
    /// Sequence of the last one that is stored.
    stored: AtomicU64,
}

impl Heartbeats {
    /// The first comes at once. The tasks keep nothing alive: an incarnation that is dropped is dead.
    pub(super) fn start(core: &Arc<Core>) -> Self {
        let (stop_beating, beating_stopped) = watch::channel(false);
        let (stop_shipping, shipping_stopped) = watch::channel(false);
        let queue = Arc::new(Queue::default());
        let period = Duration::from_secs(core.evidence.heartbeat_seconds);
        let beating = tokio::spawn(beat(Arc::downgrade(core), period, Arc::clone(&queue), beating_stopped));
        let shipping = tokio::spawn(ship(Arc::downgrade(core), Arc::clone(&queue), shipping_stopped));
        let tasks = vec![(stop_beating, beating), (stop_shipping, shipping)];
        Self { queue, tasks: tokio::sync::Mutex::new(tasks) }
    }

    /// Signs no more, and waits until all are stored; gives the sequence of the last one.
    pub(super) async fn end(&self) -> Result<u64, EvidenceError> {
        let mut tasks = self.tasks.lock().await;
        // One that signs could still add to what is stored: it ends first.
        while let Some((stop, task)) = tasks.first_mut() {
            stop.send_replace(true);
            task.await.map_err(|_| EvidenceError::Interrupted)?;
            tasks.remove(0);
        }
        let left = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).len();
        if left > 0 { Err(EvidenceError::Interrupted) } else { Ok(self.queue.stored.load(Ordering::SeqCst)) }
    }
}

async fn beat(core: Weak<Core>, period: Duration, queue: Arc<Queue>, mut stopped: watch::Receiver<bool>) {
    let mut due = interval(period);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sequence, mut time_us) = (0_u64, 0_u64);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let Some(core) = core.upgrade() else { return };
        // A store that is away says nothing: nothing is stored there either.
        let standing = timeout(LOOK_TIME, look(&core)).await.unwrap_or(Standing::Good);
        if standing != Standing::Good {
            core.lose(standing);
            return;
        }
        let next = sequence.saturating_add(1);
        time_us = core.clock.now_us().max(time_us);
        match sign(&core, next, time_us) {
            Ok((key, bytes)) => {
                if queue.push(next, key, bytes) {
                    sequence = next;
                } else {
                    tracing::error!("the evidence store is away too long: no heartbeat is signed");
                }
            }
            Err(error) => tracing::error!(%error, "no heartbeat could be signed"),
        }
    }
}

/// Stores what was signed, one after the other, however long the store is away.
async fn ship(core: Weak<Core>, queue: Arc<Queue>, mut stopped: watch::Receiver<bool>) {
    let mut pause = Pause::default();
    loop {
        let Some((sequence, key, bytes)) = queue.first() else {
            if *stopped.borrow() {
                return;
            }
            tokio::select! {
                () = queue.changed.notified() => {}
                _ = stopped.changed() => {}
            }
            // A sender that is gone means that nobody waits for the rest.
            if stopped.has_changed().is_err() {
                return;
            }
            continue;
        };
        let Some(core) = core.upgrade() else { return };
        match core.shipper.once(&key, &bytes, core.retention()).await {
            Ok(()) => {
                queue.shipped(sequence);
                pause = Pause::default();
            }
            Err(ShipError::Fenced(_)) => return,
            Err(ShipError::Unavailable) => {
                let entropy = Arc::clone(&core.entropy);
                drop(core);
                pause.wait(entropy.as_ref()).await;
            }
        }
    }
}

fn sign(core: &Core, sequence: u64, time_us: u64) -> Result<(String, Vec<u8>), EvidenceError> {
    let tally = core.tally().clone();
    let heartbeat = Heartbeat {
        tenant: core.scope.tenant.clone(),
        environment: core.scope.environment.clone(),
        relay: core.scope.relay.clone(),
        incarnation: core.id.clone(),
        sequence,
        opened: tally.opened,
        closed: tally.closed,
        voided: tally.voided,
        last_counter: tally.last_counter,
        unstored: tally.unstored.into_iter().collect(),
        backlog_sessions: u64::try_from(*core.active().borrow()).unwrap_or(u64::MAX),
        backlog_bytes: core.spool.used(),
        time_us,
    };
    let bytes = Envelope::of(&heartbeat, &core.key)?.to_vec()?;
    tracing::debug!(
        incarnation = %core.id,
        sequence,
        sessions = heartbeat.backlog_sessions,
        bytes = heartbeat.backlog_bytes,
        "heartbeat"
    );
    Ok((core.scope.heartbeat(&core.id, sequence), bytes))
}

async fn look(core: &Core) -> Standing {
    if is_revoked(core).await {
        Standing::Revoked
    } else if is_retired(core).await {
        Standing::Retired
    } else {
        Standing::Good
    }
}

/// Whether the root revoked this incarnation's key.
async fn is_revoked(core: &Core) -> bool {
    let Ok(stored) = core.shipper.look_below(&core.scope.revocations(&core.id)).await else { return false };
    if stored.is_empty() {
        return false;
    }
    let Ok(root) = core.keys.public_key(KeyName::Certificates).await else { return false };
    for key in stored {
        let Ok(Some(bytes)) = core.shipper.look(&key).await else { continue };
        let revocation = Envelope::from_slice(&bytes).and_then(|envelope| envelope.open::<Revocation>(&root));
        if revocation.is_ok_and(|revocation| revocation.incarnation == core.id) {
            return true;
        }
    }
    false
}

/// Whether another certified incarnation of this relay says that this one has ended. It says so itself only when it
/// signs no more heartbeats.
async fn is_retired(core: &Core) -> bool {
    let Ok(Some(bytes)) = core.shipper.look(&core.scope.relay_retired(&core.id)).await else { return false };
    let Ok(envelope) = Envelope::from_slice(&bytes) else { return false };
    let Ok(RelayRetired { sealed_by, .. }) = envelope.read_unverified() else { return false };
    let Ok(Some(certificate)) = core.shipper.look(&core.scope.certificate(&sealed_by)).await else { return false };
    let Ok(root) = core.keys.public_key(KeyName::Certificates).await else { return false };
    let certificate = Envelope::from_slice(&certificate).and_then(|envelope| envelope.open::<Certificate>(&root));
    certificate.is_ok_and(|certificate| {
        let is_ours = (&certificate.tenant, &certificate.environment, &certificate.relay)
            == (&core.scope.tenant, &core.scope.environment, &core.scope.relay);
        let retired = envelope.open::<RelayRetired>(&certificate.spki);
        is_ours && certificate.spki.incarnation() == sealed_by && retired.is_ok_and(|said| said.incarnation == core.id)
    })
}

impl Queue {
    /// Whether there was room.
    fn push(&self, sequence: u64, key: String, bytes: Vec<u8>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            return false;
        }
        waiting.push_back((sequence, key, bytes));
        self.changed.notify_one();
        true
    }

    fn first(&self) -> Option<(u64, String, Vec<u8>)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).front().cloned()
    }

    fn shipped(&self, sequence: u64) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.stored.store(sequence, Ordering::SeqCst);
    }
}

/// A day of them at one a minute: two megabytes.
const WAITING_MAX: usize = 1440;
const LOOK_TIME: Duration = Duration::from_secs(10);
