//! The sealer: appends what is stored as evidence to the transparency log of its environment, and signs the log's
//! checkpoints. It alone may sign with the checkpoints key.
//!
//! A checkpoint is made in three steps, each safe to die after:
//! 1. *stage*: all new tiles are written as one object, named after the checkpoint's number and root;
//! 2. *commit*: the signed checkpoint is written under its number, which the store lets one sealer do;
//! 3. *publish*: the staged tiles are written where they belong. Whoever seals next does that first, if it was not done.
//!
//! So no tile of a checkpoint that was not committed is ever seen, and a committed one can always be published.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use schemas::identifiers::Name;
use schemas::log::{Checkpoint, LogOrigin, SecondKey};
use seams::{EvidenceStore, KeyName, Keys, KeysError, PutOutcome, Retention, StoreError};

mod abandonment;
mod admission;
mod batch;
mod head;
mod pending;
mod progress;
mod publication;
#[cfg(test)]
pub(crate) mod tests;

use batch::Batch;
use head::Head;
use progress::State;

/// What the sealer works with.
#[derive(Clone)]
pub struct Env {
    /// Where evidence is read and the log is written.
    pub store: Arc<dyn EvidenceStore>,
    /// Holds the checkpoints key; tells the certificates root.
    pub keys: Arc<dyn Keys>,
    /// Whose evidence: of this tenant,
    pub tenant: Name,
    /// in this environment.
    pub environment: Name,
    /// Of checkpoints, full tiles and full entry bundles. Partial ones are under none: they are replaced as they grow.
    pub retention: Retention,
    /// Most entries that a checkpoint adds: [`Env::BATCH`] is a good number.
    pub batch: usize,
    /// Tells the microseconds since 1970; only for certificates that ended long ago.
    pub now_us: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Statements it appended.
    pub entries: u64,
    /// Checkpoints it made.
    pub checkpoints: u64,
    /// The log's newest checkpoint, by whomever; nothing for a log that has none.
    pub newest: Option<Checkpoint>,
    /// Objects under `evidence/` that are no statement of a certified relay in its place, at most
    /// [`Sealed::REJECTED_MAX`] of them, without those that are [named](remember_named) already. They are not in the log;
    /// the verifier tells what is wrong with each.
    pub rejected: BTreeSet<String>,
}

/// Why sealing stopped. What was committed stays; running again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// The store is away; try again later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key could not be used; try again later.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Other sealers were always faster; try again later.
    #[error("other sealers append to this log; tried {0} times")]
    Contended(u32),
    /// The log in the store is not one this sealer can have written: somebody changed it or took something away.
    /// Nothing is appended to it; somebody must look.
    #[error("{key}: {problem}")]
    Damaged {
        /// The object.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something cannot be written down.
    #[error(transparent)]
    Schema(#[from] schemas::Error),
}

/// How one attempt at a checkpoint ended.
enum Round {
    /// Nothing waits.
    Idle,
    /// It was committed and published.
    Committed { entries: u64, full: bool },
    /// Another sealer was faster.
    Lost,
}

/// Appends everything that waits. Repeating it, at any time and at once with others, ends the same.
///
/// # Errors
/// [`SealerError`].
pub async fn seal(env: &Env) -> Result<Sealed, SealerError> {
    let log = Log::of(env).await?;
    let mut sealed = Sealed::default();
    let mut lost = 0;
    loop {
        match log.round(&mut sealed).await? {
            Round::Idle => return Ok(sealed),
            Round::Committed { entries, full } => {
                lost = 0;
                sealed.entries += entries;
                sealed.checkpoints += 1;
                if !full {
                    return Ok(sealed);
                }
            }
            Round::Lost if lost == ATTEMPTS => return Err(SealerError::Contended(ATTEMPTS)),
            Round::Lost => lost += 1,
        }
    }
}

/// Remembers that these rejected objects were named to somebody, so that later runs name others only: what is wrong with
/// them stays so, and an alarm that never ends is none. Called after they were named: a run that dies before that names
/// them again. A thousand are remembered; more are named by each run, for then somebody fills the store.
///
/// # Errors
/// [`SealerError`]; the next run then names them again.
pub async fn remember_named(env: &Env, rejected: &BTreeSet<String>) -> Result<(), SealerError> {
    if rejected.is_empty() {
        return Ok(());
    }
    let log = Log::of(env).await?;
    let head = Head::find(&log).await?;
    let Some(mut progress) = batch::progress(&log, &head).await? else { return Ok(()) };
    if head.number == 0 || !progress.name(rejected) {
        return Ok(());
    }
    let (key, state) = (log.origin.state(head.number), State::new(&head, progress).to_vec()?);
    // A state that is gone is made again from the log: dying in between costs time and loses these names.
    env.store.delete(&key).await?;
    match env.store.put(&key, &state, Retention::none()).await {
        // Another sealer remembers, too.
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The log of an environment, and the keys around it.
struct Log<'a> {
    env: &'a Env,
    origin: LogOrigin,
    root: schemas::signature::PublicKey,
    key: schemas::signature::PublicKey,
}

impl<'a> Log<'a> {
    async fn of(env: &'a Env) -> Result<Self, SealerError> {
        Ok(Self {
            env,
            origin: LogOrigin::of(&env.tenant, &env.environment),
            root: env.keys.public_key(KeyName::Certificates).await?,
            key: env.keys.public_key(KeyName::Checkpoints).await?,
        })
    }

    async fn round(&self, sealed: &mut Sealed) -> Result<Round, SealerError> {
        let head = Head::find(self).await?;
        sealed.newest = head.checkpoint(&self.origin);
        publication::finish(self, &head).await?;
        let Some(mut batch) = Batch::begin(self, &head).await? else { return Ok(Round::Lost) };
        batch.gather(self, &mut sealed.rejected).await?;
        abandonment::sign(self, &batch).await?;
        if batch.is_empty() {
            return Ok(Round::Idle);
        }
        let entries = batch.entries();
        let full = batch.is_full();
        let next = Head { number: head.number.saturating_add(1), size: batch.size(), root: batch.root() };
        let staged = batch.into_staged()?;
        publication::stage(self, &next, &staged).await?;
        if !self.commit(&next).await? {
            return Ok(Round::Lost);
        }
        sealed.newest = next.checkpoint(&self.origin);
        publication::publish(self, &next, staged).await?;
        tracing::info!(origin = %self.origin, size = next.size, entries, "checkpoint");
        Ok(Round::Committed { entries, full })
    }

    /// Whether the checkpoint is this sealer's. Two sealers never write the same one: ECDSA signs with random numbers.
    async fn commit(&self, next: &Head) -> Result<bool, SealerError> {
        let Some(checkpoint) = next.checkpoint(&self.origin) else { return Ok(false) };
        let signature = self.env.keys.sign(KeyName::Checkpoints, checkpoint.text().as_bytes()).await?;
        let mut note = checkpoint.assemble(&self.key, signature)?;
        let keys = &self.env.keys;
        if let (Some(key), Some(signature)) =
            (keys.second_checkpoints_key().await?, keys.sign_second(checkpoint.text().as_bytes()).await?)
        {
            SecondKey::new(self.origin.clone(), key).add(&mut note, signature)?;
        }
        let note = note.to_vec();
        match self.env.store.put(&self.origin.checkpoint(next.number), &note, self.env.retention).await {
            Ok(PutOutcome::Created | PutOutcome::AlreadyIdentical) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Env {
    /// At 2 kB an entry, 8 MB in memory.
    pub const BATCH: usize = 4096;
}

impl Sealed {
    /// More are not named.
    pub const REJECTED_MAX: usize = 100;
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("sealer::Env");
        debug.field("tenant", &self.tenant).field("environment", &self.environment).finish_non_exhaustive()
    }
}

fn damaged(key: impl Into<String>, problem: impl fmt::Display) -> SealerError {
    SealerError::Damaged { key: key.into(), problem: problem.to_string() }
}

/// One sealer is scheduled at a time; a second one is an accident that soon ends.
const ATTEMPTS: u32 = 8;
