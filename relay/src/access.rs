//! A connection as it is guarded: its target, catalog, classification and policies; and one principal's access.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use identity::{Kind, Principal};
use schemas::event::{Actor, ActorKind, ObjectScope};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::catalog::{self, Snapshot};
use crate::config::{Classification, Connection};
use crate::detectors::Detectors;
use crate::policy::{AccessProfile, Context, Footing, Own, PolicySet, ProfileError, Remembered, Resolved, Resource};
use crate::upstream::{Login, UpstreamError, query_text};
use wire::postgres::SqlState;

/// One connection, shared by its sessions.
pub struct Guarded {
    /// As configured.
    pub connection: Connection,
    /// Logs in at the target.
    pub login: Login,
    /// Look into what passes, where there are any.
    pub(crate) detectors: Option<Detectors>,
    classification: Classification,
    /// What of it names would lose.
    remembered: std::sync::Mutex<Remembered>,
    policies: Arc<PolicySet>,
    snapshot: RwLock<Option<Taken>>,
    /// When definitions were changed last, as far as sessions know.
    changed: RwLock<Option<Instant>>,
    /// Held while the catalog is read.
    reading: Mutex<()>,
    /// What sessions use now: a profile is large, and those of one principal have the same.
    in_use: std::sync::Mutex<HashMap<Principal, Weak<Access>>>,
}

/// A catalog snapshot and when it was taken.
struct Taken {
    snapshot: Arc<Snapshot>,
    at: Instant,
}

/// What one principal may do on one connection, as of one catalog snapshot.
pub struct Access {
    snapshot: Arc<Snapshot>,
    profile: AccessProfile,
    /// (relation OID, attribute number) of what this principal must never see unmasked.
    masked: HashSet<(u32, i16)>,
    /// The same of what detectors let pass: revealed, or excepted by the operator. Empty where there are no detectors.
    passes_detectors: HashSet<(u32, i16)>,
}

/// Why there is no access profile.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The catalog cannot be read from the target.
    #[error("catalog: {0}")]
    Target(#[from] UpstreamError),
    /// The target's catalog is not what was expected.
    #[error("catalog: {0}")]
    Catalog(#[from] catalog::SnapshotError),
    /// Classification or policy do not fit the catalog.
    #[error("policy: {0}")]
    Policy(#[from] crate::policy::ProfileError),
}

impl Guarded {
    /// Puts a connection under guard.
    pub(crate) fn new(
        connection: Connection,
        login: Login,
        detectors: Option<Detectors>,
        classification: Classification,
        policies: Arc<PolicySet>,
    ) -> Self {
        Self {
            connection,
            login,
            detectors,
            classification,
            remembered: std::sync::Mutex::default(),
            policies,
            snapshot: RwLock::default(),
            changed: RwLock::default(),
            reading: Mutex::default(),
            in_use: std::sync::Mutex::default(),
        }
    }

    /// What `principal` may do now.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn access(&self, principal: &Principal) -> Result<Arc<Access>, AccessError> {
        let snapshot = self.snapshot(MAX_AGE).await?;
        self.profile(principal, snapshot)
    }

    /// What `principal` may do by a catalog no older than `max_age`; nothing when that is what `known` says already.
    ///
    /// # Errors
    /// [`AccessError`]; nothing may be decided on `known` then.
    pub async fn newer(
        &self,
        principal: &Principal,
        known: &Access,
        max_age: Duration,
    ) -> Result<Option<Arc<Access>>, AccessError> {
        let snapshot = self.snapshot(max_age).await?;
        let changed = snapshot.epoch() != known.snapshot.epoch();
        changed.then(|| self.profile(principal, snapshot)).transpose()
    }

    /// What of `objects` the approver may not approve, if anything.
    ///
    /// # Errors
    /// [`AccessError`]; nothing is approved then.
    pub(crate) async fn may_not_approve(
        &self,
        approver: &Principal,
        objects: &[Resolved],
    ) -> Result<Option<Resolved>, AccessError> {
        let snapshot = self.snapshot(MAX_AGE).await?;
        let classification = self.classified(&snapshot)?;
        Ok(self.policies.may_not_approve(approver, &self.connection, &classification, &snapshot, objects)?)
    }

    /// The classification, with what names would lose of it.
    fn classified(&self, snapshot: &Snapshot) -> Result<Cow<'_, Classification>, AccessError> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(remembered.kept(&self.classification, snapshot).map_err(ProfileError::from)?)
    }

    fn profile(&self, principal: &Principal, snapshot: Arc<Snapshot>) -> Result<Arc<Access>, AccessError> {
        let asked = timeless(principal);
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(access) = in_use.get(&asked).and_then(Weak::upgrade)
            && access.snapshot.epoch() == snapshot.epoch()
        {
            return Ok(access);
        }
        let classification = self.classified(&snapshot)?;
        let profile = self.policies.profile(principal, &self.connection, &classification, &snapshot)?;
        let masked = profile.masked_columns().collect();
        let passes_detectors = self.passes_detectors(&profile, &snapshot);
        let access = Arc::new(Access { snapshot, profile, masked, passes_detectors });
        in_use.retain(|_, access| access.strong_count() > 0);
        in_use.insert(asked, Arc::downgrade(&access));
        Ok(access)
    }

    fn passes_detectors(&self, profile: &AccessProfile, snapshot: &Snapshot) -> HashSet<(u32, i16)> {
        let Some(detectors) = &self.detectors else { return HashSet::new() };
        let excepted = detectors.except().iter().filter_map(|name| {
            let (relation, column) = name.rsplit_once('.')?;
            let relation = snapshot.relations().find(|one| one.qualified().to_string() == relation)?;
            Some((relation.oid, relation.column(column)?.number))
        });
        profile.revealed_columns().chain(excepted).collect()
    }

    /// A session has changed definitions: that a name is unknown what was read of the catalog before does not tell.
    pub(crate) fn outdate(&self) {
        *self.changed.write().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// One session reads the catalog, the others wait for it.
    async fn snapshot(&self, max_age: Duration) -> Result<Arc<Snapshot>, AccessError> {
        if let Some(known) = self.known(max_age) {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        if let Some(known) = self.known(max_age) {
            return Ok(known);
        }
        let at = Instant::now();
        let text = self.read_catalog().await?;
        let snapshot = Arc::new(Snapshot::from_json(&text)?);
        let taken = Taken { snapshot: Arc::clone(&snapshot), at };
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        Ok(snapshot)
    }

    /// What is dropped while the query looks at it makes the query fail: it is asked again then.
    async fn read_catalog(&self) -> Result<String, UpstreamError> {
        let mut reads = 1;
        loop {
            match query_text(&self.login, catalog::SNAPSHOT_SQL).await {
                Err(UpstreamError::Refused(fields)) if reads < READS_MAX && is_of_a_drop(&fields.sqlstate) => {
                    reads += 1;
                }
                result => return result,
            }
        }
    }

    /// The last snapshot, if it is young enough. Every statement asks.
    fn known(&self, max_age: Duration) -> Option<Arc<Snapshot>> {
        let taken = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        let changed = *self.changed.read().unwrap_or_else(PoisonError::into_inner);
        // Whoever misses a name is told of all; the others go on as long as they may with what they were decided on.
        let is_of_now = |known: &Taken| max_age >= MAX_AGE || changed.is_none_or(|changed| changed < known.at);
        let is_young = |known: &&Taken| known.at.elapsed() < max_age && is_of_now(known);
        taken.as_ref().filter(is_young).map(|known| Arc::clone(&known.snapshot))
    }
}

impl Access {
    /// Whether the principal may connect at all.
    pub fn may_connect(&self) -> bool {
        self.profile.may_connect().permitted
    }

    /// Whether the principal may hear notifications.
    pub fn may_notify(&self) -> bool {
        self.profile.may_notify()
    }

    /// SHA-256 (hex) of policies, schema and classification in force.
    pub fn policy_sha256(&self) -> &str {
        self.profile.policy_sha256()
    }

    /// What the principal may do with each object, for the session's first event.
    pub fn scope(&self) -> Vec<ObjectScope> {
        self.profile.scope(&self.snapshot)
    }

    /// What was decided on, for [`Access::is_alike`] later.
    pub(crate) fn grounds(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    /// Whether all these objects are still defined as they were.
    pub(crate) fn is_alike(&self, grounds: &Snapshot, objects: &[Resolved]) -> bool {
        objects.iter().all(|object| match object.resource {
            Resource::Relation(oid) => self.snapshot.defines_alike(grounds, oid),
            Resource::Schema(_) => true,
        })
    }

    /// Whether a result column of this origin must not appear unmasked.
    pub fn must_be_masked(&self, relation: u32, column: i16) -> bool {
        self.masked.contains(&(relation, column))
    }

    /// Whether detectors let a result's column of this origin pass, whatever is in it.
    pub(crate) fn passes_detectors(&self, relation: u32, column: i16) -> bool {
        self.passes_detectors.contains(&(relation, column))
    }

    /// `schema.relation.column`, of a column that the catalog has.
    pub(crate) fn column_name(&self, relation: u32, column: i16) -> Option<String> {
        let relation = self.snapshot.relation(relation)?;
        let column = relation.columns.iter().find(|one| one.number == column)?;
        Some(format!("{}.{}", relation.qualified(), column.name))
    }

    /// What decisions are made from.
    pub fn context<'a>(
        &'a self,
        footing: &'a Footing,
        own: &'a Arc<Own>,
        token: &'a dyn Fn(&[u8]) -> String,
    ) -> Context<'a> {
        Context { profile: &self.profile, snapshot: &self.snapshot, footing, own, token }
    }
}

/// "cache lookup failed", "could not open relation", a name that is gone, or locks that were taken in another order.
fn is_of_a_drop(sqlstate: &SqlState) -> bool {
    let code = sqlstate.as_str();
    code == "XX000" || code == "40P01" || code.starts_with("42")
}

/// A principal without its token's end: all that policies know of it.
fn timeless(principal: &Principal) -> Principal {
    let acts_for = principal.acts_for.as_deref().map(|human| Box::new(timeless(human)));
    Principal { expires_at: 0, acts_for, ..principal.clone() }
}

/// A principal as evidence names it.
pub fn actor(principal: &Principal) -> Actor {
    Actor {
        kind: match principal.kind {
            Kind::User => ActorKind::User,
            Kind::Service => ActorKind::Service,
            Kind::Agent => ActorKind::Agent,
        },
        issuer: principal.issuer.clone(),
        subject: principal.subject.clone(),
        name: principal.name.clone(),
        groups: principal.groups.clone(),
        acts_for: principal.acts_for.as_deref().map(|human| Box::new(actor(human))),
    }
}

/// The machine's clock, in whole seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

/// How stale a catalog may be when something is decided on it, or run that was decided on it. A relation that took
/// another's name meanwhile is caught by the guard in each rewritten statement (rule 8), and returns no rows. A view
/// replaced under its own OID, or two columns that swapped names, are not: for them this is the residue, stated in
/// the README.
pub const MAX_AGE: Duration = Duration::from_secs(10);

/// Reads of the catalog until one of them is not disturbed.
const READS_MAX: u32 = 10;
