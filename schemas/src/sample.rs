//! Events that tests and golden vectors are made of. All names and values are invented.

use crate::event::{
    Actor, ActorKind, Decision, Durability, EventBody, MaskedColumn, Outcome, OutcomeKind, Path, SessionOpen,
    Statement, Token, Touched, Verdict,
};

pub(crate) fn session_open() -> EventBody {
    EventBody::SessionOpen(SessionOpen {
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
        durability: Durability::Process,
    })
}

pub(crate) fn statement(statement: u64) -> EventBody {
    EventBody::Statement(Statement {
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
        sqlstate: None,
    })
}
