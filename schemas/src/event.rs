//! Event records: what happened, in canonical JSON, with no protected value in it.
//!
//! An event never holds a literal, a parameter or a row. Literals and parameters are *tokenised*: type, length
//! and a keyed digest under a key derived from the session's own key, so equal values in one session have equal
//! tokens and nothing can be guessed without that key. The exact bytes stand beside the events, encrypted, in
//! [data blocks](crate::data_block). `SPEC.md`, section "Events", is normative.

use serde::{Deserialize, Serialize};

use crate::approval::ApprovalVerdict;
use crate::digest::Sha256Digest;
use crate::identifiers::RequestId;

/// One event of a session, as stored: a gap-free number, the relay's clock, and what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the session, from 1, without gaps over all its chunks.
    pub number: u64,
    /// The relay's clock: microseconds since 1970-01-01T00:00:00Z. A claim of the relay, bounded by log order.
    pub time_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened. The `event` member of the JSON object names the variant in kebab-case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventBody {
    /// First event of every session: who, from where, to what, under which policy.
    SessionOpen(Box<SessionOpen>),
    /// A statement was decided. Durable before anything of it reaches the target.
    Statement(Box<Statement>),
    /// Parameters were bound to a prepared statement (PostgreSQL `Bind`).
    Bind(Bind),
    /// A bound portal was executed (PostgreSQL `Execute`), or a simple query started.
    Execute(Execute),
    /// What came back for one execution. Durable before the client receives its end.
    Outcome(Outcome),
    /// What executions did was undone with their transaction. Durable before the client learns where the transaction
    /// stands.
    RolledBack(RolledBack),
    /// A detector saw the form of an identifier. Durable before what it was seen in is released, or instead of that.
    Detected(Detected),
    /// The client asked to cancel what runs (PostgreSQL `CancelRequest`).
    Cancel,
    /// A held statement waits for somebody's approval. Its leaf is stored before this.
    ApprovalRequested(ApprovalRequested),
    /// How that ended. Durable before an approved statement reaches the target.
    ApprovalDecided(ApprovalDecided),
    /// Last event of an orderly session.
    SessionClose(SessionClose),
    /// Written by the incarnation that sealed a dead relay's spool: evidence up to here is what survived.
    Recovered(Recovered),
}

/// Kind of a principal, as the identity provider's claims tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A person.
    User,
    /// A service account or CI job.
    Service,
    /// A software agent, usually acting for a person.
    Agent,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Person, service or agent.
    pub kind: ActorKind,
    /// OIDC issuer (`iss`).
    pub issuer: String,
    /// OIDC subject (`sub`), unique within the issuer (45 CFR 164.312(a)(2)(i), unique user identification).
    pub subject: String,
    /// A name for people to read; never used to decide.
    pub name: String,
    /// Groups as claimed by the token.
    pub groups: Vec<String>,
    /// The human a delegated agent acts for (RFC 8693 `act`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acts_for: Option<Box<Actor>>,
}

/// First event of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpen {
    /// 32 random bytes, hex: makes the session-open leaf's commitment to this event ([`crate::leaf::commit_to`])
    /// unguessable.
    pub salt: String,
    /// Who.
    pub actor: Actor,
    /// Absolute end of the session: the token's expiry, seconds since 1970.
    pub expires_at: u64,
    /// Peer address as the relay saw it, `ip:port`.
    pub client_address: String,
    /// Client's claim of itself (`application_name`), cut to 64 characters; empty when absent.
    pub client_application: String,
    /// TLS protocol version and cipher suite between client and relay (45 CFR 164.312(e)(1)); `none` on a loopback
    /// listener that says plaintext.
    pub client_tls: String,
    /// Protocol spoken, e.g. `postgresql 3.0`.
    pub protocol: String,
    /// Connection by its configured name.
    pub connection: String,
    /// Target `host:port/database` and the login the relay used there.
    pub target: String,
    /// Login at the target; people never see its password.
    pub target_role: String,
    /// Target's `server_version`.
    pub target_version: String,
    /// TLS between relay and target, as `client_tls`.
    pub target_tls: String,
    /// SHA-256 (hex) of the policy set in force (policies, schema, classification).
    pub policy_sha256: String,
    /// What the policy set gave this actor on this connection when the session began: one entry for each object with
    /// any permitted action, by name.
    pub scope: Vec<ObjectScope>,
    /// How durable each record is before its effect.
    pub durability: Durability,
}

/// What an actor may do with one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectScope {
    /// Qualified name, `schema.relation`.
    pub object: String,
    /// Cedar actions permitted on it, sorted: `select`, `insert`, `update`, `delete`, `ddl`, ….
    pub permitted: Vec<String>,
    /// Those of them that are held for approval, sorted.
    pub held: Vec<String>,
    /// Protected columns that are revealed.
    pub revealed: Vec<String>,
}

/// What must have happened to a record before its effect is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// `write(2)` completed: survives the death of the process, not of the machine.
    Process,
    /// `fdatasync(2)` completed: survives the death of the machine.
    Disk,
}

/// How a statement reached the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// PostgreSQL simple query (`Query`).
    Simple,
    /// PostgreSQL extended query (`Parse`).
    Extended,
}

/// A decided statement. One simple `Query` message with several statements gives one event each, numbered in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Statement number in the session, from 1.
    pub statement: u64,
    /// How it came.
    pub path: Path,
    /// Class of the statement: `select`, `insert`, `update`, `delete`, `merge`, `ddl`, `transaction`, `set`,
    /// `show`, `copy`, …, or `unparsed`.
    pub class: String,
    /// The text with every literal replaced by its token's index (`?1`), comments dropped; absent when the text
    /// could not be tokenised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Length in bytes of the client's text.
    pub text_length: u64,
    /// Keyed digest of the client's text.
    pub text_token: String,
    /// Tokens of the literals, in order of appearance.
    pub literals: Vec<Token>,
    /// The tokenised text that runs upstream, where it differs from the client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_text: Option<String>,
    /// Objects the statement touches, as resolved.
    pub objects: Vec<Touched>,
    /// What was decided and why.
    pub decision: Decision,
}

/// A value that is only told by its shape and keyed digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// `string`, `integer`, `float`, `bit`, or for parameters the PostgreSQL type's OID as decimal text.
    pub kind: String,
    /// Length in bytes; absent for SQL NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// First 16 hex digits of HMAC-SHA-256 under the session's token key; absent for SQL NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One object (table, view) a statement touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Qualified name, `schema.relation`.
    pub object: String,
    /// Cedar action asked for it, e.g. `select`.
    pub action: String,
    /// Columns masked at the scan, with the style.
    pub masked: Vec<MaskedColumn>,
    /// Protected columns that policy revealed to this principal.
    pub revealed: Vec<String>,
}

/// A column masked at the scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedColumn {
    /// Column name.
    pub column: String,
    /// Style name as in the classification, e.g. `last4`.
    pub style: String,
}

/// The decision on a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Permitted, held or refused.
    pub outcome: Verdict,
    /// Identifiers of the policies that determined it; empty for default-deny and for refusals that no policy can lift.
    pub policies: Vec<String>,
    /// For a refusal: the SQLSTATE sent to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// For a refusal: object and rule, in words without any literal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Permitted, held or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may run, as rewritten.
    Permitted,
    /// It may run once, as rewritten, when somebody who may has approved it.
    Held,
    /// It must not run.
    Refused,
}

/// Parameters bound to a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The statement (its number).
    pub statement: u64,
    /// Parameters in order, tokenised.
    pub parameters: Vec<Token>,
}

/// An execution starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execute {
    /// Execution number in the session, from 1.
    pub execution: u64,
    /// The statement (its number).
    pub statement: u64,
    /// Row limit the client gave (`Execute`); 0 = none.
    pub row_limit: u64,
    /// How many of its rows go on record at most; absent where all of them do. Its outcome then has a keyed digest of
    /// all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_kept: Option<u64>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// The target reported completion.
    Completed,
    /// The target reported an error.
    Failed,
    /// The row limit was reached; the portal stays open.
    Suspended,
    /// The target skipped it after an earlier error in the same pipeline.
    Skipped,
    /// The relay refused it; the target never saw it.
    Refused,
    /// The connection or the relay ended after it was sent and before the target answered.
    Unknown,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The execution (its number); 0 when a statement failed before it could be executed.
    pub execution: u64,
    /// The statement (its number).
    pub statement: u64,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// `CommandComplete` tag without its counts, e.g. `SELECT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Rows returned to the client. Of a `COPY … TO STDOUT` that did not complete: `CopyData` messages, among which may be
    /// a header.
    pub rows_returned: u64,
    /// Rows the target says it changed (`INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`).
    pub rows_affected: u64,
    /// Bytes of `DataRow` and `CopyData` returned to the client.
    pub bytes_returned: u64,
    /// Bytes of `CopyData` that the client sent and the target was passed; 0 is not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_received: u64,
    /// SQLSTATE, when it failed or was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// Rows that went on record (of a COPY: messages of data); absent where all of them did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_recorded: Option<u64>,
    /// [Keyed digest](crate::result_digest) of all rows that were returned; there with `rows_recorded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_hmac: Option<Sha256Digest>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A held statement waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// The statement (its number).
    pub statement: u64,
    /// The request.
    pub request: RequestId,
    /// [`crate::approval::commit`] over what would run.
    pub commitment: Sha256Digest,
    /// When the request ends, microseconds since 1970.
    pub expires_us: u64,
    /// Why, in the requester's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request for approval ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDecided {
    /// The statement (its number).
    pub statement: u64,
    /// The request.
    pub request: RequestId,
    /// How it ended.
    pub verdict: ApprovalVerdict,
    /// Who decided, as the verified ID token says; only for `approved` and `denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<Actor>,
    /// Why, in the approver's words; only for `approved` and `denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    /// When, microseconds since 1970: the decision's own time for `approved` and `denied`, else the relay's.
    pub decided_us: u64,
    /// SHA-256 of the stored decision object, all its bytes; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_sha256: Option<Sha256Digest>,
    /// For `invalid`: what was wrong with the decision, in the relay's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Executions whose transaction was rolled back after they had completed: all completed and suspended ones from
/// `first_execution` to `last_execution`. What they returned was returned; what they changed was undone.
///
/// Part of a transaction that was undone (`ROLLBACK TO SAVEPOINT`) is not told so: the record of that statement tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The first of them.
    pub first_execution: u64,
    /// The last of them.
    pub last_execution: u64,
}

/// What a detector saw, without the value. A form proves nothing: it is told to people, who look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// The statement (its number).
    pub statement: u64,
    /// The execution (its number), of what was returned; absent for literals and parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<u64>,
    /// Where.
    pub place: DetectedPlace,
    /// Number of the column, literal or parameter, from 1; 0 where it is not known.
    pub position: u64,
    /// `schema.relation.column`, where the target tells that the column of the result is one of a relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What it has the form of, as the configuration names it, e.g. `ssn`; `unexamined` for what is too long to be looked
    /// into.
    pub kind: String,
    /// How many values of that column have it, among those that came together; of a literal or parameter 1.
    pub values: u64,
    /// What became of it.
    pub action: DetectedAction,
}

/// Where something was detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectedPlace {
    /// A row of a result.
    Result,
    /// Data of a COPY to the client.
    Copy,
    /// A literal of the statement's text.
    Literal,
    /// A parameter bound to it.
    Parameter,
}

/// What became of what was detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectedAction {
    /// It went on.
    Reported,
    /// Its row was neither recorded nor returned, and the session ended.
    Ended,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// The client sent `Terminate`.
    ClientTerminated,
    /// The client's connection ended without `Terminate`.
    ClientDisconnected,
    /// The target ended the connection.
    TargetDisconnected,
    /// Token or grant reached its absolute expiry.
    Expired,
    /// Nothing happened for the configured idle time-out (45 CFR 164.312(a)(2)(iii), automatic logoff).
    Idle,
    /// The relay was asked to stop and its drain time passed.
    RelayStopping,
    /// The client broke the protocol or a named limit.
    ProtocolViolation,
    /// A protected column appeared unmasked in a `RowDescription`: the second net.
    MaskingViolation,
    /// A detector saw the form of an identifier in a result: the third net.
    IdentifierDetected,
    /// Evidence could not be written.
    EvidenceFailure,
    /// The relay process died, told by the incarnation that recovered its spool; or a session's task ended without
    /// saying why.
    Aborted,
}

/// Last event of an orderly session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClose {
    /// Why it ended.
    pub reason: CloseReason,
    /// Statements decided.
    pub statements: u64,
    /// Executions started.
    pub executions: u64,
}

/// Written by the recovering incarnation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Incarnation that sealed this spool.
    pub by_incarnation: String,
    /// Bytes at the end of the spool that were no whole record (a torn write).
    pub discarded_bytes: u64,
    /// Executions that were sent and have no outcome on record: they may or may not have run.
    pub outcome_unknown: Vec<u64>,
}
