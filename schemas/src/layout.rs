//! Object keys: the only place where a path of evidence is written or read.
//!
//! ```text
//! evidence/<tenant>/<environment>/<relay>/<incarnation>/certificate.json
//!                                                       relay-start.json
//!                                                       relay-retired.json
//!                                                       abandoned.json
//!                                                       heartbeats/<sequence>.json
//!                                                       sessions/<counter>/open.json
//!                                                                          chunk-<sequence>.zst
//!                                                                          close.json
//!                                                                          void.json
//!                                                                          approval-<statement>.requested.json
//!                                                                          approval-<statement>.decided.json
//! approvals/<tenant>/<environment>/<relay>/<incarnation>/<counter>/<statement>.request.json
//!                                                                  <statement>.decision.json
//! keys/<tenant>/<environment>/<relay>/<incarnation>/<counter>.json
//! shredded/<tenant>/<environment>/<relay>/<incarnation>/<counter>.json
//! trust/<tenant>/<environment>/<statement digest>.json
//!                              <relay>/<incarnation>/revocation-<log size>.json
//! ```
//! Counters have ten digits, heartbeats and log sizes at least ten, sequences eight, statements at least six. Keys of logs: [`LogObject`];
//! of the lake, which is no evidence: [`lake_file`].

mod lake;
mod log;
mod place;
mod shredding;

use serde::{Deserialize, Serialize};

pub use lake::lake_file;
pub use log::{LOG_PREFIX, LogObject, LogObjectKind, parse_log};
pub use place::Place;
pub use shredding::{SHREDDED_PREFIX, parse_shredding, shreddings_prefix};

use crate::bundle::layout::BundleFile;
use crate::digest::Sha256Digest;
use crate::identifiers::{Incarnation, Name, RequestId, SessionId};

/// Where a relay's objects stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
}

/// What an object key names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// The relay it belongs to.
    pub scope: Scope,
    /// Which of the relay's objects.
    pub kind: ObjectKind,
}

/// One of a relay's objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// Envelope of a [`crate::leaf::Certificate`].
    Certificate(Incarnation),
    /// Envelope of a [`crate::leaf::RelayStart`].
    RelayStart(Incarnation),
    /// Envelope of a [`crate::leaf::RelayRetired`].
    RelayRetired(Incarnation),
    /// Envelope of a [`crate::revocation::Abandoned`].
    Abandoned(Incarnation),
    /// Envelope of a [`crate::heartbeat::Heartbeat`] and its sequence, from 1.
    Heartbeat(Incarnation, u64),
    /// Envelope of a [`crate::revocation::Revocation`] and the log size that it names.
    Revocation(Incarnation, u64),
    /// Envelope of a [`crate::leaf::SessionOpenLeaf`].
    SessionOpen(SessionId),
    /// A [chunk](crate::chunk) and its sequence in the session, from 1.
    Chunk(SessionId, u64),
    /// Envelope of a [`crate::leaf::SessionCloseLeaf`].
    SessionClose(SessionId),
    /// Envelope of a [`crate::leaf::SessionVoid`].
    SessionVoid(SessionId),
    /// Envelope of a [`crate::approval::ApprovalRequestedLeaf`].
    ApprovalRequested(RequestId),
    /// Envelope of a [`crate::approval::ApprovalDecidedLeaf`].
    ApprovalDecided(RequestId),
    /// Envelope of a [`crate::approval::ApprovalRequest`]; not evidence, deletable.
    ApprovalRequest(RequestId),
    /// Envelope of a [`crate::approval::ApprovalDecision`]; not evidence, deletable.
    ApprovalDecision(RequestId),
    /// A [`crate::wrapped_key::WrappedKey`]; not evidence, deletable.
    WrappedKey(SessionId),
}

impl Scope {
    /// `evidence/…/<incarnation>/certificate.json`
    #[must_use]
    pub fn certificate(&self, incarnation: &Incarnation) -> String {
        format!("{}/{incarnation}/certificate.json", self.evidence())
    }

    /// `evidence/…/<incarnation>/relay-start.json`
    #[must_use]
    pub fn relay_start(&self, incarnation: &Incarnation) -> String {
        format!("{}/{incarnation}/relay-start.json", self.evidence())
    }

    /// `evidence/…/<incarnation>/relay-retired.json`
    #[must_use]
    pub fn relay_retired(&self, incarnation: &Incarnation) -> String {
        format!("{}/{incarnation}/relay-retired.json", self.evidence())
    }

    /// `evidence/…/<incarnation>/abandoned.json`
    #[must_use]
    pub fn abandoned(&self, incarnation: &Incarnation) -> String {
        format!("{}/{incarnation}/abandoned.json", self.evidence())
    }

    /// `evidence/…/<incarnation>/heartbeats/<sequence>.json`
    #[must_use]
    pub fn heartbeat(&self, incarnation: &Incarnation, sequence: u64) -> String {
        format!("{}{sequence:010}.json", self.heartbeats(incarnation))
    }

    /// Prefix of an incarnation's heartbeats, with the slash.
    #[must_use]
    pub fn heartbeats(&self, incarnation: &Incarnation) -> String {
        format!("{}/{incarnation}/heartbeats/", self.evidence())
    }

    /// `trust/…/<relay>/<incarnation>/revocation-<log size>.json`
    #[must_use]
    pub fn revocation(&self, incarnation: &Incarnation, log_size: u64) -> String {
        format!("{}revocation-{log_size:010}.json", self.revocations(incarnation))
    }

    /// Prefix of the revocations of an incarnation's key, with the slash.
    #[must_use]
    pub fn revocations(&self, incarnation: &Incarnation) -> String {
        format!("{TRUST_PREFIX}{}/{incarnation}/", self.path())
    }

    /// `evidence/…/sessions/<counter>/open.json`
    #[must_use]
    pub fn session_open(&self, session: &SessionId) -> String {
        format!("{}/open.json", self.session(session))
    }

    /// `evidence/…/sessions/<counter>/chunk-<sequence>.zst`
    #[must_use]
    pub fn chunk(&self, session: &SessionId, sequence: u64) -> String {
        format!("{}/chunk-{sequence:0width$}.zst", self.session(session), width = SEQUENCE_DIGITS)
    }

    /// `evidence/…/sessions/<counter>/close.json`
    #[must_use]
    pub fn session_close(&self, session: &SessionId) -> String {
        format!("{}/close.json", self.session(session))
    }

    /// `evidence/…/sessions/<counter>/void.json`
    #[must_use]
    pub fn session_void(&self, session: &SessionId) -> String {
        format!("{}/void.json", self.session(session))
    }

    /// `evidence/…/sessions/<counter>/approval-<statement>.requested.json`
    #[must_use]
    pub fn approval_requested(&self, request: &RequestId) -> String {
        format!("{}/approval-{:06}.requested.json", self.session(&request.session), request.statement)
    }

    /// `evidence/…/sessions/<counter>/approval-<statement>.decided.json`
    #[must_use]
    pub fn approval_decided(&self, request: &RequestId) -> String {
        format!("{}/approval-{:06}.decided.json", self.session(&request.session), request.statement)
    }

    /// `approvals/…/<incarnation>/<counter>/<statement>.request.json`
    #[must_use]
    pub fn approval_request(&self, request: &RequestId) -> String {
        format!("{}.request.json", self.approval(request))
    }

    /// `approvals/…/<incarnation>/<counter>/<statement>.decision.json`
    #[must_use]
    pub fn approval_decision(&self, request: &RequestId) -> String {
        format!("{}.decision.json", self.approval(request))
    }

    /// `keys/…/<incarnation>/<counter>.json`
    #[must_use]
    pub fn wrapped_key(&self, session: &SessionId) -> String {
        format!("keys/{}/{}/{:010}.json", self.path(), session.incarnation, session.counter)
    }

    /// Prefix of everything an incarnation stored as evidence, with the slash.
    #[must_use]
    pub fn incarnation_prefix(&self, incarnation: &Incarnation) -> String {
        format!("{}/{incarnation}/", self.evidence())
    }

    /// Prefix of everything of one session but its wrapped key, with the slash.
    #[must_use]
    pub fn session_prefix(&self, session: &SessionId) -> String {
        format!("{}/", self.session(session))
    }

    /// Prefix of the evidence of all relays of a tenant's environment, with the slash.
    #[must_use]
    pub fn environment_prefix(tenant: &Name, environment: &Name) -> String {
        format!("{EVIDENCE_PREFIX}{tenant}/{environment}/")
    }

    /// Prefix of everything this relay stored as evidence, with the slash.
    #[must_use]
    pub fn relay_prefix(&self) -> String {
        format!("{}/", self.evidence())
    }

    /// Tenant, environment, relay.
    #[must_use]
    pub fn names(&self) -> (&Name, &Name, &Name) {
        (&self.tenant, &self.environment, &self.relay)
    }

    fn session(&self, session: &SessionId) -> String {
        format!("{}/{}/sessions/{:010}", self.evidence(), session.incarnation, session.counter)
    }

    fn approval(&self, request: &RequestId) -> String {
        let SessionId { incarnation, counter } = &request.session;
        format!("{APPROVALS_PREFIX}{}/{incarnation}/{counter:010}/{:06}", self.path(), request.statement)
    }

    fn evidence(&self) -> String {
        format!("{EVIDENCE_PREFIX}{}", self.path())
    }

    fn path(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.environment, self.relay)
    }
}

impl ObjectKind {
    /// The incarnation it is of.
    #[must_use]
    pub fn incarnation(&self) -> &Incarnation {
        match self {
            Self::Certificate(incarnation)
            | Self::RelayStart(incarnation)
            | Self::RelayRetired(incarnation)
            | Self::Abandoned(incarnation)
            | Self::Heartbeat(incarnation, _)
            | Self::Revocation(incarnation, _) => incarnation,
            Self::SessionOpen(session)
            | Self::Chunk(session, _)
            | Self::SessionClose(session)
            | Self::SessionVoid(session)
            | Self::WrappedKey(session) => &session.incarnation,
            Self::ApprovalRequested(request)
            | Self::ApprovalDecided(request)
            | Self::ApprovalRequest(request)
            | Self::ApprovalDecision(request) => &request.session.incarnation,
        }
    }

    /// The session it is of; none for what is of an incarnation as a whole.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Certificate(_)
            | Self::RelayStart(_)
            | Self::RelayRetired(_)
            | Self::Abandoned(_)
            | Self::Heartbeat(..)
            | Self::Revocation(..) => None,
            Self::SessionOpen(session)
            | Self::Chunk(session, _)
            | Self::SessionClose(session)
            | Self::SessionVoid(session)
            | Self::WrappedKey(session) => Some(session),
            Self::ApprovalRequested(request)
            | Self::ApprovalDecided(request)
            | Self::ApprovalRequest(request)
            | Self::ApprovalDecision(request) => Some(&request.session),
        }
    }

    /// The session, for a chunk.
    #[must_use]
    pub fn chunk_of(&self) -> Option<&SessionId> {
        match self {
            Self::Chunk(session, _) => Some(session),
            _ => None,
        }
    }
}

impl Object {
    /// The object's key.
    #[must_use]
    pub fn key(&self) -> String {
        let scope = &self.scope;
        match &self.kind {
            ObjectKind::Certificate(incarnation) => scope.certificate(incarnation),
            ObjectKind::RelayStart(incarnation) => scope.relay_start(incarnation),
            ObjectKind::RelayRetired(incarnation) => scope.relay_retired(incarnation),
            ObjectKind::Abandoned(incarnation) => scope.abandoned(incarnation),
            ObjectKind::Heartbeat(incarnation, sequence) => scope.heartbeat(incarnation, *sequence),
            ObjectKind::Revocation(incarnation, log_size) => scope.revocation(incarnation, *log_size),
            ObjectKind::SessionOpen(session) => scope.session_open(session),
            ObjectKind::Chunk(session, sequence) => scope.chunk(session, *sequence),
            ObjectKind::SessionClose(session) => scope.session_close(session),
            ObjectKind::SessionVoid(session) => scope.session_void(session),
            ObjectKind::ApprovalRequested(request) => scope.approval_requested(request),
            ObjectKind::ApprovalDecided(request) => scope.approval_decided(request),
            ObjectKind::ApprovalRequest(request) => scope.approval_request(request),
            ObjectKind::ApprovalDecision(request) => scope.approval_decision(request),
            ObjectKind::WrappedKey(session) => scope.wrapped_key(session),
        }
    }
}

/// Prefix of everything that the relays of a tenant's environment stored as evidence, with the slash.
#[must_use]
pub fn environment_prefix(tenant: &Name, environment: &Name) -> String {
    format!("{EVIDENCE_PREFIX}{tenant}/{environment}/")
}

/// What a key names; nothing for a key that this layout does not write.
#[must_use]
pub fn parse(key: &str) -> Option<Object> {
    let mut segments = key.split('/');
    let root = segments.next()?;
    let mut name = || segments.next()?.parse::<Name>().ok();
    let scope = Scope { tenant: name()?, environment: name()?, relay: name()? };
    let incarnation: Incarnation = segments.next()?.parse().ok()?;
    let rest: Vec<&str> = segments.collect();
    let session = |counter: &str| format!("{incarnation}-{counter}").parse::<SessionId>().ok();
    let request =
        |counter: &str, statement: &str| format!("{incarnation}-{counter}-{statement}").parse::<RequestId>().ok();
    let kind = match (root, rest.as_slice()) {
        ("evidence", ["certificate.json"]) => ObjectKind::Certificate(incarnation),
        ("evidence", ["relay-start.json"]) => ObjectKind::RelayStart(incarnation),
        ("evidence", ["relay-retired.json"]) => ObjectKind::RelayRetired(incarnation),
        ("evidence", ["abandoned.json"]) => ObjectKind::Abandoned(incarnation),
        ("evidence", ["heartbeats", file]) => {
            ObjectKind::Heartbeat(incarnation, file.strip_suffix(".json")?.parse().ok()?)
        }
        ("trust", [file]) => {
            let digits = file.strip_prefix("revocation-")?.strip_suffix(".json")?;
            ObjectKind::Revocation(incarnation, digits.parse().ok()?)
        }
        ("evidence", ["sessions", counter, "open.json"]) => ObjectKind::SessionOpen(session(counter)?),
        ("evidence", ["sessions", counter, "close.json"]) => ObjectKind::SessionClose(session(counter)?),
        ("evidence", ["sessions", counter, "void.json"]) => ObjectKind::SessionVoid(session(counter)?),
        ("evidence", ["sessions", counter, file]) => match file.strip_prefix("approval-") {
            Some(approval) => match approval.split_once('.')? {
                (statement, "requested.json") => ObjectKind::ApprovalRequested(request(counter, statement)?),
                (statement, "decided.json") => ObjectKind::ApprovalDecided(request(counter, statement)?),
                _ => return None,
            },
            None => {
                let digits = file.strip_prefix("chunk-")?.strip_suffix(".zst")?;
                ObjectKind::Chunk(session(counter)?, digits.parse().ok()?)
            }
        },
        ("approvals", [counter, file]) => match file.split_once('.')? {
            (statement, "request.json") => ObjectKind::ApprovalRequest(request(counter, statement)?),
            (statement, "decision.json") => ObjectKind::ApprovalDecision(request(counter, statement)?),
            _ => return None,
        },
        ("keys", [counter]) => ObjectKind::WrappedKey(session(counter.strip_suffix(".json")?)?),
        _ => return None,
    };
    let object = Object { scope, kind };
    // One spelling an object: leading zeros, signs and sequence 0 are no keys of ours.
    let is_first_or_later = !matches!(object.kind, ObjectKind::Chunk(_, 0) | ObjectKind::Heartbeat(_, 0));
    (is_first_or_later && object.key() == key).then_some(object)
}

/// Where a file of a stored bundle stands: `bundles/<tenant>/<environment>/<bundle>/<path>`.
#[must_use]
pub fn bundle_file(tenant: &Name, environment: &Name, bundle: &Name, file: &BundleFile) -> String {
    format!("{}{}", bundle_prefix(tenant, environment, bundle), file.path())
}

/// Prefix of a stored bundle, with the slash.
#[must_use]
pub fn bundle_prefix(tenant: &Name, environment: &Name, bundle: &Name) -> String {
    format!("{}{bundle}/", bundles_prefix(tenant, environment))
}

/// Prefix of a tenant's and environment's stored bundles, with the slash.
#[must_use]
pub fn bundles_prefix(tenant: &Name, environment: &Name) -> String {
    format!("{BUNDLES_PREFIX}{tenant}/{environment}/")
}

/// Tenant, environment, bundle and file of a stored bundle's key; nothing for another key.
#[must_use]
pub fn parse_bundle_file(key: &str) -> Option<(Name, Name, Name, BundleFile)> {
    let mut segments = key.strip_prefix(BUNDLES_PREFIX)?.splitn(4, '/');
    let mut name = || segments.next()?.parse::<Name>().ok();
    let (tenant, environment, bundle) = (name()?, name()?, name()?);
    Some((tenant, environment, bundle, BundleFile::parse(segments.next()?)?))
}

/// Prefix of the key certificates of a tenant's environment, with the slash.
#[must_use]
pub fn trust_prefix(tenant: &Name, environment: &Name) -> String {
    format!("{TRUST_PREFIX}{tenant}/{environment}/")
}

/// Where a [key certificate](crate::key_certificate::KeyCertificate) stands, by its statement digest.
#[must_use]
pub fn key_certificate(tenant: &Name, environment: &Name, statement: &Sha256Digest) -> String {
    format!("{}{statement}.json", trust_prefix(tenant, environment))
}

/// Tenant, environment and statement digest of a key certificate's key; nothing for another key.
#[must_use]
pub fn parse_key_certificate(key: &str) -> Option<(Name, Name, Sha256Digest)> {
    let mut segments = key.strip_prefix(TRUST_PREFIX)?.split('/');
    let mut name = || segments.next()?.parse::<Name>().ok();
    let (tenant, environment) = (name()?, name()?);
    let digest: Sha256Digest = segments.next()?.strip_suffix(".json")?.parse().ok()?;
    segments.next().is_none().then_some((tenant, environment, digest))
}

/// Prefix of all evidence: written once, kept under retention.
pub const EVIDENCE_PREFIX: &str = "evidence/";
/// Prefix of bundles: written once, kept under retention.
pub const BUNDLES_PREFIX: &str = "bundles/";
/// Prefix of the details of requests and of decisions: written once, deletable.
pub const APPROVALS_PREFIX: &str = "approvals/";
/// Prefix of the wrapped session keys: written once, deletable.
pub const KEYS_PREFIX: &str = "keys/";
/// Prefix of the certificates of keys that no relay has: written once, kept under retention.
pub const TRUST_PREFIX: &str = "trust/";
/// At a chunk a second, a session lasts three years.
const SEQUENCE_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let name = |text: &str| text.parse().unwrap();
        Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") }
    }

    #[test]
    fn every_object_is_found_again_from_its_key() {
        let session: SessionId = "0123456789abcdef0123456789abcdef-0000000042".parse().unwrap();
        let incarnation = session.incarnation.clone();
        let request = RequestId { session: session.clone(), statement: 7 };
        for kind in [
            ObjectKind::Certificate(incarnation.clone()),
            ObjectKind::RelayStart(incarnation.clone()),
            ObjectKind::RelayRetired(incarnation.clone()),
            ObjectKind::Abandoned(incarnation.clone()),
            ObjectKind::Heartbeat(incarnation.clone(), 12_345_678_901),
            ObjectKind::Revocation(incarnation, 0),
            ObjectKind::SessionOpen(session.clone()),
            ObjectKind::Chunk(session.clone(), 7),
            ObjectKind::SessionClose(session.clone()),
            ObjectKind::SessionVoid(session.clone()),
            ObjectKind::WrappedKey(session),
            ObjectKind::ApprovalRequested(request.clone()),
            ObjectKind::ApprovalDecided(request.clone()),
            ObjectKind::ApprovalRequest(request.clone()),
            ObjectKind::ApprovalDecision(request),
        ] {
            let object = Object { scope: scope(), kind };
            assert_eq!(parse(&object.key()), Some(object.clone()), "{}", object.key());
        }
    }

    #[test]
    fn any_other_key_is_nothing() {
        let root = "evidence/clinic/test/r1/0123456789abcdef0123456789abcdef";
        for bad in [
            String::new(),
            "evidence/clinic".to_owned(),
            format!("{root}/sessions/0000000001/chunk-1.zst"),
            format!("{root}/sessions/0000000001/chunk-00000000.zst"),
            format!("{root}/sessions/0000000001/chunk-+0000001.zst"),
            format!("{root}/sessions/1/open.json"),
            format!("{root}/sessions/0000000001/open.json/x"),
            format!("{root}/sessions/0000000001/approval-7.requested.json"),
            format!("{root}/sessions/0000000001/approval-000000.requested.json"),
            format!("{root}/sessions/0000000001/approval-000007.request.json"),
            format!("{root}/sessions/0000000001/000007.decision.json"),
            format!("{root}/certificate.json~"),
            format!("/{root}/certificate.json"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
