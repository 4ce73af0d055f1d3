//! The rows of each table. Field comments are the columns' meanings, which `SPEC.md` and bundles show.

use super::cell::{Cell, Time, Value};
use super::{Column, Row, Table};

macro_rules! row {
    ($(#[$meta:meta])* $row:ident of $table:ident { $($(#[doc = $meaning:literal])+ $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $row {
            $($(#[doc = $meaning])+ pub $field: $type,)*
        }

        impl Row for $row {
            const TABLE: Table = Table::$table;
            const COLUMNS: &'static [Column] = &[$(Column {
                name: stringify!($field),
                kind: <$type as Cell>::KIND,
                optional: <$type as Cell>::OPTIONAL,
                meaning: concat!($($meaning),+).trim_ascii(),
            }),*];

            fn values(&self) -> Vec<Value> {
                vec![$(self.$field.value()),*]
            }
        }
    };
}

row! {
    /// A session.
    SessionRow of Sessions {
        /// Session.
        session: String,
        /// Tenant.
        tenant: String,
        /// Environment.
        environment: String,
        /// Relay that served it.
        relay: String,
        /// `complete`, `aborted` (its relay died) or `open`.
        state: String,
        /// When it was opened, as the session-open says.
        opened: Option<Time>,
        /// When it was closed, as the session-close says.
        closed: Option<Time>,
        /// Why it was closed.
        close_reason: Option<String>,
        /// Whether a part of it was sealed by another incarnation than its own: weaker evidence.
        recovered: bool,
        /// `user`, `service` or `agent`; it and what follows is absent when the relay died before the first record.
        actor_kind: Option<String>,
        /// OIDC issuer of the actor.
        issuer: Option<String>,
        /// OIDC subject of the actor, unique within the issuer.
        subject: Option<String>,
        /// Name of the actor, for people.
        name: Option<String>,
        /// Groups of the actor.
        groups: Vec<String>,
        /// Subjects the actor acts for, nearest first.
        acts_for: Vec<String>,
        /// Address of the client.
        client_address: Option<String>,
        /// What the client claims to be.
        client_application: Option<String>,
        /// TLS version and cipher suite between client and relay, or `none`.
        client_tls: Option<String>,
        /// Protocol spoken.
        protocol: Option<String>,
        /// Connection by its configured name.
        connection: Option<String>,
        /// Target.
        target: Option<String>,
        /// Login at the target.
        target_role: Option<String>,
        /// Version of the target.
        target_version: Option<String>,
        /// TLS version and cipher suite between relay and target, or `none`.
        target_tls: Option<String>,
        /// SHA-256 of the policy set in force.
        policy_sha256: Option<String>,
        /// `process` or `disk`: what a record survives before its effect is released.
        durability: Option<String>,
        /// Absolute end of the session.
        expires: Option<Time>,
        /// Chunks.
        chunks: u64,
        /// Events.
        events: u64,
        /// Statements decided.
        statements: u64,
        /// Statements that were not let through.
        denied: u64,
        /// Executions.
        executions: u64,
        /// Executions of which it is not known whether they ran; in an open session, those without an outcome yet.
        outcome_unknown: u64,
        /// Rows returned to the client.
        rows_returned: u64,
        /// Rows changed, those rolled back included.
        rows_affected: u64,
        /// Bytes of rows returned to the client.
        bytes_returned: u64,
    }
}

row! {
    /// A decided statement.
    StatementRow of Statements {
        /// Session.
        session: String,
        /// Number in the session.
        statement: u64,
        /// When it was decided.
        time: Time,
        /// OIDC issuer of the actor.
        issuer: String,
        /// OIDC subject of the actor.
        subject: String,
        /// Connection.
        connection: String,
        /// How it came: `simple` or `extended`.
        path: String,
        /// Class, e.g. `select`.
        class: String,
        /// `permitted`, `held` (until somebody approves) or `refused`.
        decision: String,
        /// Policies that determined the decision.
        policies: Vec<String>,
        /// Why it was refused.
        reason: Option<String>,
        /// Text with tokens for literals.
        text: Option<String>,
        /// Text that ran at the target where it differs, with tokens for literals.
        upstream_text: Option<String>,
        /// Length of the client's text in bytes.
        text_length: u64,
        /// Objects it touches, each with the action before it.
        objects: Vec<String>,
        /// Times it was executed.
        executions: u64,
        /// Executions that completed and whose transaction was rolled back after that.
        rolled_back: u64,
        /// How its last execution ended: `completed`, `failed`, `suspended`, `skipped`, `refused` or `unknown`.
        outcome: Option<String>,
        /// SQLSTATE of the refusal, or of the last execution that failed.
        sqlstate: Option<String>,
        /// Class of that SQLSTATE.
        error_class: Option<String>,
        /// Rows returned by all executions.
        rows_returned: u64,
        /// Rows changed by all executions, those rolled back included.
        rows_affected: u64,
        /// Bytes of rows returned by all executions.
        bytes_returned: u64,
        /// Start of the first execution.
        started: Option<Time>,
        /// End of the last one that ended.
        ended: Option<Time>,
    }
}

row! {
    /// An execution of a statement.
    ExecutionRow of Executions {
        /// Session.
        session: String,
        /// Number in the session.
        execution: u64,
        /// Its statement.
        statement: u64,
        /// When it started.
        started: Time,
        /// When it ended.
        ended: Option<Time>,
        /// `completed`, `failed`, `suspended`, `skipped`, `refused` or `unknown`; absent while it runs.
        outcome: Option<String>,
        /// Whether its transaction was rolled back after it had completed: what it changed was undone.
        rolled_back: bool,
        /// Command as the target names it.
        command: Option<String>,
        /// Row limit the client gave, 0 for none.
        row_limit: u64,
        /// SQLSTATE, when it failed or was refused.
        sqlstate: Option<String>,
        /// Class of that SQLSTATE.
        error_class: Option<String>,
        /// Rows returned to the client.
        rows_returned: u64,
        /// How many of them may go on record at most; absent where all of them do.
        rows_kept: Option<u64>,
        /// How many of them went on record (of a COPY: messages of data); absent where all did.
        rows_recorded: Option<u64>,
        /// Keyed digest of all rows returned, where not all need be on record.
        result_hmac: Option<String>,
        /// Rows changed, also where that was rolled back.
        rows_affected: u64,
        /// Bytes of rows returned to the client.
        bytes_returned: u64,
    }
}

row! {
    /// An object that a statement touches.
    ObjectRow of ObjectsTouched {
        /// Session.
        session: String,
        /// Statement.
        statement: u64,
        /// When it was decided.
        time: Time,
        /// OIDC issuer of the actor.
        issuer: String,
        /// OIDC subject of the actor.
        subject: String,
        /// Connection.
        connection: String,
        /// Qualified name of the object.
        object: String,
        /// Action on it.
        action: String,
        /// Decision on the statement.
        decision: String,
        /// Protected columns masked.
        masked: u64,
        /// Protected columns revealed.
        revealed: u64,
    }
}

row! {
    /// A protected column of an object that a statement touches.
    MaskingRow of Masking {
        /// Session.
        session: String,
        /// Statement.
        statement: u64,
        /// When it was decided.
        time: Time,
        /// OIDC issuer of the actor.
        issuer: String,
        /// OIDC subject of the actor.
        subject: String,
        /// Connection.
        connection: String,
        /// Qualified name of the object.
        object: String,
        /// Column.
        column: String,
        /// `masked` or `revealed`.
        treatment: String,
        /// Style of the mask.
        style: Option<String>,
        /// Decision on the statement.
        decision: String,
    }
}

row! {
    /// A request for approval.
    ApprovalRow of Approvals {
        /// Request.
        request: String,
        /// Session.
        session: String,
        /// Statement that was held.
        statement: u64,
        /// OIDC issuer of the requester.
        issuer: String,
        /// OIDC subject of the requester.
        subject: String,
        /// Connection.
        connection: String,
        /// Why, in the requester's words.
        reason: Option<String>,
        /// Commitment that binds the decision to what was asked.
        commitment: String,
        /// When it was requested.
        requested: Time,
        /// When it would expire.
        expires: Time,
        /// `approved`, `denied`, `expired`, `cancelled` or `invalid`; absent while nobody decided.
        verdict: Option<String>,
        /// Kind of the approver; absent when nobody approved or denied.
        approver_kind: Option<String>,
        /// OIDC issuer of the approver.
        approver_issuer: Option<String>,
        /// OIDC subject of the approver.
        approver_subject: Option<String>,
        /// Name of the approver, for people.
        approver_name: Option<String>,
        /// Reason the approver gave.
        rationale: Option<String>,
        /// When it was decided.
        decided: Option<Time>,
        /// SHA-256 of the signed decision.
        decision_sha256: Option<String>,
        /// What was wrong with the decision, for `invalid`.
        problem: Option<String>,
        /// How the statement's last execution ended.
        outcome: Option<String>,
    }
}

row! {
    /// A statement that was not let through.
    DenialRow of Denials {
        /// Session.
        session: String,
        /// Statement.
        statement: u64,
        /// When that was decided.
        time: Time,
        /// OIDC issuer of the actor.
        issuer: String,
        /// OIDC subject of the actor.
        subject: String,
        /// Connection.
        connection: String,
        /// Class, e.g. `select`.
        class: String,
        /// Objects it would touch, each with the action before it.
        objects: Vec<String>,
        /// Who refused: `policy`; `approval`, when nobody approved; `relay`, when it could not be sent as decided.
        refused_by: String,
        /// Verdict on the approval request, where one was made.
        verdict: Option<String>,
        /// SQLSTATE sent to the client.
        sqlstate: Option<String>,
        /// Class of that SQLSTATE.
        error_class: Option<String>,
        /// Object and rule, in words.
        reason: Option<String>,
        /// Policies that determined it; none for default-deny.
        policies: Vec<String>,
    }
}

row! {
    /// What a detector saw in a result, a literal or a parameter.
    DetectionRow of Detections {
        /// Session.
        session: String,
        /// Statement.
        statement: u64,
        /// Execution; absent for literals and parameters.
        execution: Option<u64>,
        /// When it was seen.
        time: Time,
        /// OIDC issuer of the actor.
        issuer: String,
        /// OIDC subject of the actor.
        subject: String,
        /// Connection.
        connection: String,
        /// `result`, `copy`, `literal` or `parameter`.
        place: String,
        /// Number of the column, literal or parameter, from 1; 0 where it is not known.
        position: u64,
        /// Column of a relation, where the target tells which one it is.
        column: Option<String>,
        /// What it has the form of, e.g. `ssn`; `unexamined` for a row too long to be looked into.
        kind: String,
        /// How many values had it together.
        values: u64,
        /// `reported`, or `ended`: the row was not returned and the session ended.
        action: String,
    }
}

row! {
    /// An object that a session was allowed to touch.
    GrantRow of Grants {
        /// Session.
        session: String,
        /// OIDC issuer of the actor.
        issuer: String,
        /// OIDC subject of the actor.
        subject: String,
        /// Connection.
        connection: String,
        /// Qualified name of the object.
        object: String,
        /// Actions permitted.
        permitted: Vec<String>,
        /// Actions permitted once somebody approves.
        held: Vec<String>,
        /// Protected columns revealed.
        revealed: Vec<String>,
        /// From when.
        starts: Time,
        /// Until when.
        expires: Time,
    }
}

row! {
    /// A chunk.
    ChunkRow of Chunks {
        /// Session.
        session: String,
        /// Position in the session.
        sequence: u64,
        /// Key of the object.
        object: String,
        /// Digest of its statement.
        statement_sha256: String,
        /// Digest of the statement before it.
        prev: String,
        /// Bytes as stored, without the envelope.
        stored_length: u64,
        /// Digest of these.
        stored_sha256: String,
        /// Bytes of its frames.
        decoded_length: u64,
        /// Digest of these.
        decoded_sha256: String,
        /// Events.
        events: u64,
        /// Encrypted data blocks.
        data_blocks: u64,
        /// Number of the first event.
        first_event: u64,
        /// Number of the last event.
        last_event: u64,
        /// Least time of an event or data record.
        first_time: Time,
        /// Greatest time of an event or data record.
        last_time: Time,
        /// When it was sealed.
        sealed: Time,
        /// Incarnation that sealed it.
        sealed_by: String,
        /// Whether that is another than the session's own.
        recovered: bool,
        /// Whether it is the session's last.
        last: bool,
    }
}
