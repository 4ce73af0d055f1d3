//! One request: what is bound, what the approver is shown, what evidence says of it.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use identity::Principal;
use schemas::approval::{
    ApprovalDecidedLeaf, ApprovalRequest, ApprovalRequestedLeaf, ApprovalVerdict, Base64Bytes, Bound, Nonce,
    RequestedObject, RequestedParameter, commit,
};
use schemas::digest::Sha256Digest;
use schemas::dsse::ENVELOPE_MAX;
use schemas::event::{ApprovalDecided, ApprovalRequested};
use schemas::identifiers::{RequestId, SessionId};
use wire::postgres::frontend::{self, Bind};
use wire::postgres::{Format, transcript};

use super::Approvals;
use super::judge::{Decided, Problem};
use crate::access::actor;
use crate::config::Connection;
use crate::policy::{Refusal, Resolved, Resource};

/// What would run, and for whom.
pub(crate) struct Question<'a> {
    /// The session.
    pub(crate) session: &'a SessionId,
    /// The statement's number in it.
    pub(crate) statement: u64,
    /// Who asks.
    pub(crate) requester: &'a Principal,
    /// The connection.
    pub(crate) connection: &'a Connection,
    /// SHA-256 (hex) of the policy set in force.
    pub(crate) policy_sha256: &'a str,
    /// The rewritten text.
    pub(crate) text: &'a str,
    /// What it touches.
    pub(crate) objects: &'a [Resolved],
    /// Why, in the requester's words.
    pub(crate) reason: Option<&'a str>,
    /// Settings by which its literals are read.
    pub(crate) settings: &'a BTreeMap<String, String>,
    /// How the text is to be run.
    pub(crate) subject: Subject<'a>,
}

/// The message that is held.
pub(crate) enum Subject<'a> {
    /// A simple query.
    Query,
    /// A `Bind` of a prepared statement.
    Bind {
        /// Types of the parameters as `Parse` declared them.
        parameter_types: &'a [u32],
        /// The message, decoded.
        bind: &'a Bind<'a>,
        /// The message as the client sent it.
        message: Bytes,
    },
}

/// A request that was made. Neither cloned nor made again: the nonce of its commitment is used once.
pub(crate) struct Asked {
    request: RequestId,
    commitment: Sha256Digest,
    requested_us: u64,
    expires_us: u64,
    requester: Principal,
    reason: Option<String>,
    /// The rewritten text.
    text: String,
    objects: Vec<Resolved>,
    /// What is sent to the target once it is approved.
    message: Bytes,
}

/// A request and the details to be shown, signed.
pub(crate) struct Made {
    /// The request.
    pub(crate) asked: Asked,
    /// Envelope of the details.
    pub(crate) details: Vec<u8>,
}

impl Approvals {
    /// Makes a request; nobody knows of it yet.
    ///
    /// # Errors
    /// The refusal to tell the client.
    pub(crate) fn ask(&self, question: &Question<'_>) -> Result<Made, Refusal> {
        let failed = |what: &dyn std::fmt::Display| {
            tracing::error!(error = %what, "a request for approval cannot be made");
            Refusal::io("a request for approval cannot be made")
        };
        let connection = question.connection;
        let requested_us = self.incarnations.now_us();
        let session_ends_us = question.requester.expires_at.saturating_mul(SECOND_US);
        let waits_until_us = requested_us.saturating_add(connection.approval_seconds.saturating_mul(SECOND_US));
        let expires_us = waits_until_us.min(session_ends_us);
        let request = RequestId { session: question.session.clone(), statement: question.statement };
        let policy_sha256 = question.policy_sha256.parse().map_err(|error| failed(&error))?;
        let mut objects: Vec<u32> = question.objects.iter().filter_map(oid).collect();
        objects.sort_unstable();
        objects.dedup();
        let mut bound = Bound {
            text: question.text.to_owned(),
            parameter_types: Vec::new(),
            parameter_formats: Vec::new(),
            parameters: Vec::new(),
            result_formats: Vec::new(),
            objects,
            target: connection.target(),
            target_role: connection.user.clone(),
            settings: question.settings.clone(),
            session: question.session.clone(),
            statement: question.statement,
            policy_sha256,
            expires_us,
        };
        let (message, parameters) = question.subject.bind_into(&mut bound, question.text)?;
        let nonce = Nonce::generate(self.incarnations.entropy().as_ref()).map_err(|error| failed(&error))?;
        let commitment = commit(&nonce, &bound).map_err(|error| failed(&error))?;
        let scope = self.incarnations.scope();
        let details = ApprovalRequest {
            tenant: scope.tenant.clone(),
            environment: scope.environment.clone(),
            relay: scope.relay.clone(),
            request: request.clone(),
            commitment,
            actor: actor(question.requester),
            connection: connection.name.clone(),
            target: bound.target,
            target_role: bound.target_role,
            text: bound.text,
            parameters,
            settings: bound.settings,
            objects: question.objects.iter().map(requested).collect(),
            reason: question.reason.map(str::to_owned),
            policy_sha256,
            requested_us,
            expires_us,
        };
        let signed = self.incarnations.sign(&question.session.incarnation, &details).map_err(|error| failed(&error))?;
        if signed.len() > ENVELOPE_MAX {
            return Err(Refusal::limit("the statement is too long to be shown to an approver"));
        }
        let asked = Asked {
            request,
            commitment,
            requested_us,
            expires_us,
            requester: question.requester.clone(),
            reason: details.reason,
            text: details.text,
            objects: question.objects.to_vec(),
            message,
        };
        Ok(Made { asked, details: signed })
    }
}

impl Subject<'_> {
    /// Adds what only this message binds; gives what is to be sent, and the parameters for people.
    fn bind_into(&self, bound: &mut Bound, text: &str) -> Result<(Bytes, Vec<RequestedParameter>), Refusal> {
        match self {
            Self::Query => {
                let mut message = BytesMut::new();
                let encoded = frontend::query(text, &mut message);
                encoded.map_err(|_| Refusal::syntax("the statement holds a zero byte"))?;
                Ok((message.freeze(), Vec::new()))
            }
            Self::Bind { parameter_types, bind, message } => {
                let codes = |formats: &[Format]| formats.iter().map(|format| format.code()).collect();
                bound.parameter_types = parameter_types.to_vec();
                bound.parameter_formats = codes(&bind.parameter_formats);
                bound.result_formats = codes(&bind.result_formats);
                let bytes = |value: &Option<&[u8]>| value.map(|bytes| Base64Bytes(bytes.to_vec()));
                bound.parameters = bind.parameters.iter().map(bytes).collect();
                let shown = bind.parameters.iter().enumerate().map(|(index, value)| {
                    let type_oid = parameter_types.get(index).copied().unwrap_or(0);
                    let format = bind.parameter_format(index);
                    RequestedParameter {
                        type_oid,
                        value: value.map(|bytes| transcript::render(type_oid, format, bytes)),
                    }
                });
                Ok((message.clone(), shown.collect()))
            }
        }
    }
}

impl Asked {
    /// Its name.
    pub(crate) fn request(&self) -> &RequestId {
        &self.request
    }

    /// When it ends, microseconds since 1970.
    pub(crate) fn expires_us(&self) -> u64 {
        self.expires_us
    }

    /// When it was made, microseconds since 1970.
    pub(super) fn requested_us(&self) -> u64 {
        self.requested_us
    }

    pub(super) fn commitment(&self) -> &Sha256Digest {
        &self.commitment
    }

    pub(super) fn requester(&self) -> &Principal {
        &self.requester
    }

    /// What it touches.
    pub(crate) fn objects(&self) -> &[Resolved] {
        &self.objects
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn message(&self) -> &Bytes {
        &self.message
    }

    /// The event that says that it was made.
    pub(crate) fn requested_event(&self) -> ApprovalRequested {
        ApprovalRequested {
            statement: self.request.statement,
            request: self.request.clone(),
            commitment: self.commitment,
            expires_us: self.expires_us,
            reason: self.reason.clone(),
        }
    }

    /// The leaf that says so.
    pub(crate) fn requested_leaf(&self, approvals: &Approvals) -> ApprovalRequestedLeaf {
        let scope = approvals.incarnations.scope();
        ApprovalRequestedLeaf {
            tenant: scope.tenant.clone(),
            environment: scope.environment.clone(),
            relay: scope.relay.clone(),
            request: self.request.clone(),
            commitment: self.commitment,
            expires_us: self.expires_us,
            time_us: self.requested_us,
        }
    }

    /// The event that says how it ended. `decided` only where somebody's decision was verified.
    pub(crate) fn decided_event(&self, end: &End, now_us: u64) -> ApprovalDecided {
        let decided = end.decided.as_ref();
        ApprovalDecided {
            statement: self.request.statement,
            request: self.request.clone(),
            verdict: end.verdict,
            approver: decided.map(|decided| actor(&decided.approver)),
            rationale: decided.map(|decided| decided.rationale.clone()),
            decided_us: decided.map_or(now_us, |decided| decided.decided_us),
            decision_sha256: end.decision_sha256,
            problem: end.problem.clone(),
        }
    }

    /// The leaf that says so.
    pub(crate) fn decided_leaf(&self, approvals: &Approvals, end: &End) -> ApprovalDecidedLeaf {
        let scope = approvals.incarnations.scope();
        ApprovalDecidedLeaf {
            tenant: scope.tenant.clone(),
            environment: scope.environment.clone(),
            relay: scope.relay.clone(),
            request: self.request.clone(),
            commitment: self.commitment,
            verdict: end.verdict,
            decision_sha256: end.decision_sha256,
            time_us: approvals.incarnations.now_us(),
        }
    }
}

/// How a request ended.
pub(crate) struct End {
    /// For evidence.
    pub(crate) verdict: ApprovalVerdict,
    /// A verified decision.
    pub(crate) decided: Option<Decided>,
    /// Digest of the decision object that was read.
    pub(crate) decision_sha256: Option<Sha256Digest>,
    /// What was wrong with it.
    pub(crate) problem: Option<String>,
}

#[cfg(test)]
impl Asked {
    /// A request of nothing real.
    pub(super) fn for_test(text: &str, objects: Vec<Resolved>, requester: Principal) -> Self {
        let session = format!("{}-0000000001", "0".repeat(32)).parse().unwrap();
        Self {
            request: RequestId { session, statement: 1 },
            commitment: Sha256Digest::of(b"commitment"),
            requested_us: 0,
            expires_us: 1,
            requester,
            reason: None,
            text: text.to_owned(),
            objects,
            message: Bytes::from_static(b"the held message"),
        }
    }
}

impl End {
    /// Somebody decided.
    pub(crate) fn decided(verdict: ApprovalVerdict, decided: &Decided) -> Self {
        let decision_sha256 = Some(decided.decision_sha256);
        Self { verdict, decided: Some(decided.clone()), decision_sha256, problem: None }
    }

    /// What was stored is no decision.
    pub(crate) fn invalid(problem: &Problem, decision_sha256: Sha256Digest) -> Self {
        Self {
            verdict: ApprovalVerdict::Invalid,
            decided: None,
            decision_sha256: Some(decision_sha256),
            problem: Some(problem.to_string()),
        }
    }

    /// Nobody decided.
    pub(crate) fn undecided(verdict: ApprovalVerdict) -> Self {
        Self { verdict, decided: None, decision_sha256: None, problem: None }
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({}, {} bytes)", self.request, self.text.len())
    }
}

fn oid(resolved: &Resolved) -> Option<u32> {
    match resolved.resource {
        Resource::Relation(oid) => Some(oid),
        Resource::Schema(_) => None,
    }
}

fn requested(resolved: &Resolved) -> RequestedObject {
    RequestedObject {
        object: resolved.object.clone(),
        oid: oid(resolved).unwrap_or(0),
        verb: resolved.verb.to_owned(),
        held: resolved.held,
        from_masks: resolved.from_masks.clone(),
    }
}

const SECOND_US: u64 = 1_000_000;
