//! The plan: which objects a bundle is made of. What is stored later is not in it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::dsse::{Envelope, Statement};
use schemas::export_notes::ExportNotes;
use schemas::heartbeat::Heartbeat;
use schemas::identifiers::{Incarnation, Name, SessionId};
use schemas::layout::{self, ObjectKind, Scope};
use schemas::leaf::{SessionCloseLeaf, SessionOpenLeaf};
use schemas::period::Period;
use serde::{Deserialize, Serialize};

use super::log::{self, LogHead};
use super::{BundlerError, Env, id};

/// What a bundle is made of. A workflow hands it from step to step as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the bundle.
    pub id: Name,
    /// What it is about.
    pub period: Period,
    /// When it was planned, microseconds since 1970.
    pub made_us: u64,
    /// The log that vouches for its statements, where there is one.
    pub log: Option<LogHead>,
    /// One part each, by relay and name.
    pub parts: Vec<Part>,
    /// Statements that a session's key was destroyed.
    #[serde(default)]
    pub shreddings: Vec<String>,
    /// Keys among the evidence that are none of the layout's, the first [`ExportNotes::NAMED_MAX`] of them.
    #[serde(default)]
    pub strangers: BTreeSet<String>,
}

/// What one life of a relay gives to a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its relay.
    pub scope: Scope,
    /// The incarnation.
    pub incarnation: Incarnation,
    /// Its signed statements, and the chunks of sessions within the period.
    pub objects: Vec<String>,
    /// Sessions within the period.
    pub sessions: Vec<SessionId>,
}

/// Plans a bundle: all signed statements of the environment, so that counters and log can be checked, and the chunks of
/// sessions that touch the period. Nothing is believed here: what does not verify is planned all the same, for leaving
/// it out would hide it.
///
/// # Errors
/// [`BundlerError::Store`], [`BundlerError::Period`].
pub async fn plan(env: &Env, period: Period) -> Result<Plan, BundlerError> {
    if period.from_us >= period.to_us {
        return Err(BundlerError::Period);
    }
    let log = log::newest(env).await?;
    let keys = env.store.list(&layout::environment_prefix(&env.tenant, &env.environment)).await?;
    let mut strangers = BTreeSet::new();
    let mut parts = Vec::new();
    for ((scope, incarnation), objects) in by_incarnation(keys, &mut strangers) {
        let sessions = Reading { env, scope: &scope }.sessions(&objects, period).await?;
        let outside = |kind: &ObjectKind| kind.chunk_of().is_some_and(|session| !sessions.contains(session));
        let heartbeats = Reading { env, scope: &scope }.heartbeats(&objects, period).await?;
        let other =
            |kind: &ObjectKind| matches!(kind, ObjectKind::Heartbeat(_, sequence) if !heartbeats.contains(sequence));
        let wanted = |(kind, _): &(ObjectKind, String)| !outside(kind) && !other(kind);
        let objects = objects.into_iter().filter(wanted).map(|(_, key)| key).collect();
        parts.push(Part { objects, sessions: sessions.into_iter().collect(), scope, incarnation });
    }
    let made_us = (env.now_us)();
    let mut shreddings = env.store.list(&layout::shreddings_prefix(&env.tenant, &env.environment)).await?;
    shreddings.retain(|key| layout::parse_shredding(key).is_some());
    Ok(Plan { id: id::of(env, period, made_us, &parts)?, period, made_us, log, parts, shreddings, strangers })
}

type Stored = BTreeMap<(Scope, Incarnation), Vec<(ObjectKind, String)>>;

fn by_incarnation(keys: Vec<String>, strangers: &mut BTreeSet<String>) -> Stored {
    let mut stored = Stored::new();
    for key in keys {
        match layout::parse(&key) {
            Some(object) => {
                let incarnation = object.kind.incarnation().clone();
                stored.entry((object.scope, incarnation)).or_default().push((object.kind, key));
            }
            // Not of this layout, so of no session.
            None => {
                tracing::warn!(key, "not evidence; not bundled");
                if strangers.len() < ExportNotes::NAMED_MAX {
                    strangers.insert(key);
                }
            }
        }
    }
    stored
}

/// Reads statements of one relay without believing them.
struct Reading<'a> {
    env: &'a Env,
    scope: &'a Scope,
}

impl Reading<'_> {
    /// The sessions that touch the period. One whose statements do not tell, does.
    async fn sessions(
        &self,
        objects: &[(ObjectKind, String)],
        period: Period,
    ) -> Result<BTreeSet<SessionId>, BundlerError> {
        let stored: BTreeSet<&ObjectKind> = objects.iter().map(|(kind, _)| kind).collect();
        let served: BTreeSet<&SessionId> = objects.iter().filter_map(|(kind, _)| kind.session()).collect();
        let mut within = BTreeSet::new();
        for session in served {
            let has = |kind: ObjectKind| stored.contains(&kind);
            if has(ObjectKind::SessionVoid(session.clone())) && !has(ObjectKind::SessionOpen(session.clone())) {
                continue;
            }
            let open: Option<SessionOpenLeaf> = self.read(&self.scope.session_open(session)).await?;
            let close: Option<SessionCloseLeaf> = self.read(&self.scope.session_close(session)).await?;
            let closed_us = close.map(|close| close.time_us);
            if open.is_none_or(|open| period.overlaps(open.time_us, closed_us)) {
                within.insert(session.clone());
            }
        }
        Ok(within)
    }

    /// The heartbeats of the period. Their times ascend with their sequences, so few of them are read.
    async fn heartbeats(
        &self,
        objects: &[(ObjectKind, String)],
        period: Period,
    ) -> Result<std::ops::Range<u64>, BundlerError> {
        let stored: BTreeMap<u64, &String> = objects
            .iter()
            .filter_map(|(kind, key)| match kind {
                ObjectKind::Heartbeat(_, sequence) => Some((*sequence, key)),
                _ => None,
            })
            .collect();
        let stored: Vec<_> = stored.into_iter().collect();
        let first = self.first_from(&stored, period.from_us).await?;
        let end = self.first_from(&stored, period.to_us).await?;
        let sequence = |place: usize| {
            let beyond = || stored.last().map_or(0, |(sequence, _)| sequence.saturating_add(1));
            stored.get(place).map_or_else(beyond, |(sequence, _)| *sequence)
        };
        Ok(sequence(first)..sequence(end))
    }

    /// Place of the first heartbeat that is not before this time.
    async fn first_from(&self, stored: &[(u64, &String)], time_us: u64) -> Result<usize, BundlerError> {
        let (mut low, mut high) = (0, stored.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some((_, key)) = stored.get(middle) else { break };
            // One that cannot be read is brought along, so that it is named.
            let heartbeat: Option<Heartbeat> = self.read(key).await?;
            if heartbeat.is_some_and(|heartbeat| heartbeat.time_us < time_us) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The statement, if it is there and readable.
    async fn read<T: Statement>(&self, key: &str) -> Result<Option<T>, BundlerError> {
        let bytes = self.env.store.get(key).await?;
        Ok(bytes.and_then(|bytes| Envelope::from_slice(&bytes).ok()?.read_unverified().ok()))
    }
}
