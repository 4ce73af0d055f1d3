//! The plan: which objects a bundle is made of. What is stored later is not in it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::chunk::Container;
use schemas::dsse::{Envelope, Statement};
use schemas::identifiers::{Incarnation, Name, SessionId};
use schemas::layout::{self, ObjectKind, Scope};
use schemas::leaf::{RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use schemas::period::Period;
use serde::{Deserialize, Serialize};

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
    /// One part each, by relay and name.
    pub parts: Vec<Part>,
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

/// Plans a bundle: all statements of every incarnation that served in the period, so that counters can be checked, and
/// the chunks of sessions that touch it. Nothing is believed here: what does not verify is planned all the same, for
/// leaving it out would hide it.
///
/// # Errors
/// [`BundlerError::Store`], [`BundlerError::Period`].
pub async fn plan(env: &Env, period: Period) -> Result<Plan, BundlerError> {
    if period.from_us >= period.to_us {
        return Err(BundlerError::Period);
    }
    let keys = env.store.list(&layout::environment_prefix(&env.tenant, &env.environment)).await?;
    let stored = by_incarnation(keys);
    let mut parts = BTreeMap::new();
    let mut wanted: Vec<(Scope, Incarnation)> = Vec::new();
    for ((scope, incarnation), objects) in &stored {
        let reading = Reading { env, scope };
        if reading.served_in(incarnation, objects, period).await? {
            wanted.push((scope.clone(), incarnation.clone()));
        }
    }
    // An incarnation that sealed for another one vouches for it, so its own statements are needed too.
    while let Some(place) = wanted.pop() {
        if let Some(objects) = stored.get(&place).filter(|_| !parts.contains_key(&place)) {
            let (part, signers) = Reading { env, scope: &place.0 }.part(&place.1, objects, period).await?;
            wanted.extend(signers.into_iter().map(|signer| (place.0.clone(), signer)));
            parts.insert(place, part);
        }
    }
    let parts: Vec<Part> = parts.into_values().collect();
    let made_us = (env.now_us)();
    Ok(Plan { id: id::of(env, period, made_us, &parts)?, period, made_us, parts })
}

type Stored = BTreeMap<(Scope, Incarnation), Vec<(ObjectKind, String)>>;

fn by_incarnation(keys: Vec<String>) -> Stored {
    let mut stored = Stored::new();
    for key in keys {
        match layout::parse(&key) {
            Some(object) => {
                let incarnation = object.kind.incarnation().clone();
                stored.entry((object.scope, incarnation)).or_default().push((object.kind, key));
            }
            // Not of this layout, so of no session: the verifier of the whole store names it.
            None => tracing::warn!(key, "not evidence; not bundled"),
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
    /// Whether the incarnation was there in the period. When its statements do not tell, it was.
    async fn served_in(
        &self,
        incarnation: &Incarnation,
        objects: &[(ObjectKind, String)],
        period: Period,
    ) -> Result<bool, BundlerError> {
        let has = |kind: ObjectKind| objects.iter().any(|(stored, _)| *stored == kind);
        let start: Option<RelayStart> = self.read(&self.scope.relay_start(incarnation)).await?;
        let Some(start) = start else {
            return Ok(objects.len() > usize::from(has(ObjectKind::Certificate(incarnation.clone()))));
        };
        if !has(ObjectKind::RelayRetired(incarnation.clone())) {
            return Ok(period.overlaps(start.time_us, None));
        }
        let retired: Option<RelayRetired> = self.read(&self.scope.relay_retired(incarnation)).await?;
        Ok(period.overlaps(start.time_us, retired.map(|retired| retired.time_us)))
    }

    async fn part(
        &self,
        incarnation: &Incarnation,
        objects: &[(ObjectKind, String)],
        period: Period,
    ) -> Result<(Part, BTreeSet<Incarnation>), BundlerError> {
        let mut signers = BTreeSet::new();
        let sessions = self.sessions(objects, period, &mut signers).await?;
        let mut part = Part {
            scope: self.scope.clone(),
            incarnation: incarnation.clone(),
            objects: Vec::new(),
            sessions: sessions.iter().cloned().collect(),
        };
        for (kind, key) in objects {
            if kind.chunk_of().is_some_and(|session| !sessions.contains(session)) {
                continue;
            }
            match kind {
                ObjectKind::RelayRetired(_) => {
                    signers.extend(self.read::<RelayRetired>(key).await?.map(|retired| retired.sealed_by));
                }
                ObjectKind::SessionVoid(_) => {
                    signers.extend(self.read::<SessionVoid>(key).await?.map(|void| void.sealed_by));
                }
                _ => {}
            }
            part.objects.push(key.clone());
        }
        signers.remove(incarnation);
        Ok((part, signers))
    }

    /// The sessions that touch the period. One whose statements do not tell, does.
    async fn sessions(
        &self,
        objects: &[(ObjectKind, String)],
        period: Period,
        signers: &mut BTreeSet<Incarnation>,
    ) -> Result<BTreeSet<SessionId>, BundlerError> {
        let served: BTreeSet<&SessionId> = objects.iter().filter_map(|(kind, _)| kind.session()).collect();
        let mut within = BTreeSet::new();
        for session in served {
            let has = |kind: ObjectKind| objects.iter().any(|(stored, _)| *stored == kind);
            if has(ObjectKind::SessionVoid(session.clone())) && !has(ObjectKind::SessionOpen(session.clone())) {
                continue;
            }
            let open: Option<SessionOpenLeaf> = self.read(&self.scope.session_open(session)).await?;
            let close: Option<SessionCloseLeaf> = self.read(&self.scope.session_close(session)).await?;
            let closed_us = close.as_ref().map(|close| close.time_us);
            signers.extend(close.map(|close| close.sealed_by));
            if open.is_none_or(|open| period.overlaps(open.time_us, closed_us)) {
                signers.extend(self.sealers(session, objects).await?);
                within.insert(session.clone());
            }
        }
        Ok(within)
    }

    /// Who sealed the session's last chunk: where it was recovered, another incarnation.
    async fn sealers(
        &self,
        session: &SessionId,
        objects: &[(ObjectKind, String)],
    ) -> Result<Option<Incarnation>, BundlerError> {
        let chunks = objects.iter().filter(|(kind, _)| kind.chunk_of() == Some(session));
        let Some((_, key)) = chunks.max_by_key(|(_, key)| key) else { return Ok(None) };
        let bytes = self.env.store.get(key).await?.unwrap_or_default();
        Ok(Container::parse(&bytes).ok().map(|container| container.manifest().sealed_by.clone()))
    }

    /// The statement, if it is there and readable.
    async fn read<T: Statement>(&self, key: &str) -> Result<Option<T>, BundlerError> {
        let bytes = self.env.store.get(key).await?;
        Ok(bytes.and_then(|bytes| Envelope::from_slice(&bytes).ok()?.read_unverified().ok()))
    }
}
