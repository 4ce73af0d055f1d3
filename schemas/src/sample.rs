//! Events that tests and golden vectors are made of. All names and values are invented.

use crate::approval::ApprovalVerdict;
use crate::digest::Sha256Digest;
use crate::event::{
    Actor, ActorKind, ApprovalDecided, ApprovalRequested, Decision, Detected, DetectedAction, DetectedPlace,
    Durability, EventBody, MaskedColumn, ObjectScope, Outcome, OutcomeKind, Path, SessionOpen, Statement, Token,
    Touched, Verdict,
};
use crate::identifiers::{RequestId, SessionId};

pub(crate) fn session_open() -> EventBody {
    EventBody::SessionOpen(Box::new(SessionOpen {
        salt: "5a".repeat(32),
        actor: Actor {
            kind: ActorKind::Agent,
            issuer: "https://issuer.test".to_owned(),
            subject: "agent-7".to_owned(),
            name: "Report agent".to_owned(),
            groups: vec!["analysts".to_owned()],
            acts_for: Some(Box::new(Actor {
                kind: ActorKind::User,
                issuer: "https://issuer.test".to_owned(),
                subject: "u-1".to_owned(),
                name: "Ana Example".to_owned(),
                groups: vec!["analysts".to_owned(), "night shift \u{20ac}".to_owned()],
                acts_for: None,
            })),
        },
        expires_at: 1_800_000_000,
        client_address: "192.0.2.7:50000".to_owned(),
        client_application: "psql".to_owned(),
        client_tls: "TLSv1.3 TLS_AES_256_GCM_SHA384".to_owned(),
        protocol: "postgresql 3.0".to_owned(),
        connection: "db".to_owned(),
        target: "db.test:5432/clinic".to_owned(),
        target_role: "affidavit".to_owned(),
        target_version: "15.18".to_owned(),
        target_tls: "TLSv1.3 TLS_AES_256_GCM_SHA384".to_owned(),
        policy_sha256: "ab".repeat(32),
        scope: vec![ObjectScope {
            object: "clinic.patients".to_owned(),
            permitted: vec!["select".to_owned(), "update".to_owned()],
            held: vec!["update".to_owned()],
            revealed: Vec::new(),
        }],
        durability: Durability::Process,
    }))
}

pub(crate) fn statement(statement: u64) -> EventBody {
    EventBody::Statement(Box::new(Statement {
        statement,
        path: Path::Simple,
        class: "select".to_owned(),
        text: Some("SELECT ssn FROM clinic.patients WHERE id = ?1".to_owned()),
        text_length: 44,
        text_token: "0011223344556677".to_owned(),
        literals: vec![Token {
            kind: "integer".to_owned(),
            length: Some(1),
            token: Some("8899aabbccddeeff".to_owned()),
        }],
        upstream_text: None,
        objects: vec![Touched {
            object: "clinic.patients".to_owned(),
            action: "select".to_owned(),
            masked: vec![MaskedColumn { column: "ssn".to_owned(), style: "last4".to_owned() }],
            revealed: Vec::new(),
        }],
        decision: Decision {
            outcome: Verdict::Permitted,
            policies: vec!["analysts-read".to_owned()],
            sqlstate: None,
            reason: None,
        },
    }))
}

pub(crate) fn held_statement(number: u64) -> EventBody {
    let EventBody::Statement(statement) = statement(number) else { unreachable!() };
    EventBody::Statement(Box::new(Statement {
        class: "update".to_owned(),
        text: Some("UPDATE billing.invoices SET amount = ?1".to_owned()),
        objects: vec![Touched {
            object: "billing.invoices".to_owned(),
            action: "update".to_owned(),
            masked: Vec::new(),
            revealed: Vec::new(),
        }],
        decision: Decision { outcome: Verdict::Held, ..statement.decision },
        ..*statement
    }))
}

pub(crate) fn session() -> SessionId {
    "00112233445566778899aabbccddeeff-0000000042".parse().unwrap()
}

/// The request for a statement of [`session`].
pub(crate) fn approval_requested(statement: u64) -> EventBody {
    requested_in(&session(), statement)
}

pub(crate) fn requested_in(session: &SessionId, statement: u64) -> EventBody {
    EventBody::ApprovalRequested(ApprovalRequested {
        statement,
        request: RequestId { session: session.clone(), statement },
        commitment: Sha256Digest::of(b"commitment"),
        expires_us: 1_790_000_900_000_000,
        reason: Some("invoice 7 was booked twice".to_owned()),
    })
}

/// The end of that request.
pub(crate) fn approval_decided(statement: u64, verdict: ApprovalVerdict) -> EventBody {
    decided_in(&session(), statement, verdict, None)
}

pub(crate) fn decided_in(
    session: &SessionId,
    statement: u64,
    verdict: ApprovalVerdict,
    decision_sha256: Option<Sha256Digest>,
) -> EventBody {
    let approver = Actor {
        kind: ActorKind::User,
        issuer: "https://issuer.test".to_owned(),
        subject: "u-2".to_owned(),
        name: "Ben Example".to_owned(),
        groups: vec!["approvers".to_owned()],
        acts_for: None,
    };
    EventBody::ApprovalDecided(ApprovalDecided {
        statement,
        request: RequestId { session: session.clone(), statement },
        verdict,
        approver: Some(approver),
        rationale: Some("checked against the bank's statement".to_owned()),
        decided_us: 1_790_000_100_000_000,
        decision_sha256,
        problem: None,
    })
}

/// An address in what an execution returns.
pub(crate) fn detected(execution: u64, statement: u64) -> EventBody {
    EventBody::Detected(Detected {
        statement,
        execution: Some(execution),
        place: DetectedPlace::Result,
        position: 2,
        column: Some("clinic.visits.notes".to_owned()),
        kind: "email".to_owned(),
        values: 3,
        action: DetectedAction::Reported,
    })
}

pub(crate) fn outcome(execution: u64, statement: u64) -> EventBody {
    EventBody::Outcome(Outcome {
        execution,
        statement,
        outcome: OutcomeKind::Completed,
        command: Some("SELECT".to_owned()),
        rows_returned: 1,
        rows_affected: 0,
        bytes_returned: 27,
        bytes_received: 0,
        sqlstate: None,
        rows_recorded: None,
        result_hmac: None,
    })
}
