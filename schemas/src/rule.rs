//! The rules evidence must keep. `SPEC.md`, section "Rules", is normative; a finding names one of them.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! rules {
    ($($variant:ident = $id:literal, $requires:literal;)*) => {
        /// A rule that the verifier checks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $requires] $variant,)*
        }

        impl Rule {
            /// All rules, in the order of `SPEC.md`.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The rule's name, e.g. `chunk.digest`; stable.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),* }
            }

            /// What the rule asks for, one sentence.
            #[must_use]
            pub fn requires(self) -> &'static str {
                match self { $(Self::$variant => $requires),* }
            }
        }
    };
}

rules! {
    ObjectLayout = "object.layout", "Every object under `evidence/`, `keys/`, `log/`, `shredded/` and `trust/` has a key of the layout.";
    ObjectRead = "object.read", "Every listed object can be read and is no longer than its limit.";
    EnvelopeForm = "envelope.form", "An envelope is canonical JSON of the kind its place asks for, with one signature.";
    CertificateMissing = "certificate.missing", "Every incarnation with evidence has a certificate.";
    CertificateSignature = "certificate.signature", "A certificate is signed by the certificates root.";
    CertificateIdentity = "certificate.identity", "A certificate names the place it stands in, and the incarnation of its key.";
    CertificateValidity = "certificate.validity", "A statement's time lies within the validity of its signer's certificate, with grace.";
    SignerCertified = "signer.certified", "The signer is a certified incarnation of the same relay.";
    SignerRecovered = "signer.recovered", "`recovered` is said exactly when another incarnation than the session's own signed.";
    SignerRetired = "signer.retired", "An incarnation that retired by itself has nothing that another one signed: everything it opened was stored before.";
    RelayStartMissing = "relay-start.missing", "Every incarnation that served has a relay-start.";
    RelayStartSignature = "relay-start.signature", "A relay-start is signed by its incarnation.";
    RelayStartIdentity = "relay-start.identity", "A relay-start names the place it stands in and the certificate beside it.";
    RelayRetiredSignature = "relay-retired.signature", "A relay-retired is signed by its incarnation or by one that recovered it.";
    RelayRetiredIdentity = "relay-retired.identity", "A relay-retired names the place it stands in.";
    HeartbeatSignature = "heartbeat.signature", "A heartbeat is signed by its incarnation.";
    HeartbeatIdentity = "heartbeat.identity", "A heartbeat names the place it stands in.";
    HeartbeatSequence = "heartbeat.sequence", "Heartbeats of an incarnation run from 1 without gaps.";
    HeartbeatOrder = "heartbeat.order", "A heartbeat's numbers fit each other, and neither they nor its time go back behind the one before or the relay-start.";
    HeartbeatCounter = "heartbeat.counter", "What an incarnation's newest heartbeat says is stored is there, and its relay-retired names no smaller last counter.";
    HeartbeatSilence = "heartbeat.silence", "Between an incarnation's relay-start, its heartbeats and its end never more passes than two of the intervals that its relay-start names and a minute.";
    AbandonedSignature = "abandoned.signature", "An abandoned is signed by the checkpoints key.";
    AbandonedIdentity = "abandoned.identity", "An abandoned names the place it stands in.";
    AbandonedEarly = "abandoned.early", "An abandoned names the end of the incarnation's certificate, and was signed an hour or more after it.";
    RevocationSignature = "revocation.signature", "A revocation is signed by the certificates root.";
    RevocationIdentity = "revocation.identity", "A revocation names the place it stands in.";
    RevocationVoid = "revocation.void", "What a revoked key signed is an entry below the least log size that a revocation of it names.";
    IncarnationCounter = "incarnation.counter", "Counters of an incarnation run from 1 without gaps to the last one that its relay-retired names.";
    IncarnationUnretired = "incarnation.unretired", "An incarnation has ended by a relay-retired; before it, sessions after the last one seen could be missing.";
    IncarnationRecovered = "incarnation.recovered", "An incarnation was retired by itself, not by one that recovered it.";
    IncarnationAbandoned = "incarnation.abandoned", "An incarnation ended by a relay-retired, not by an abandoned.";
    SessionOpenMissing = "session-open.missing", "Every session has a session-open.";
    SessionOpenSignature = "session-open.signature", "A session-open is signed by the session's own incarnation.";
    SessionOpenIdentity = "session-open.identity", "A session-open names the place it stands in.";
    SessionOpenCommitment = "session-open.commitment", "The session-open's commitment, connection and policy are those of the session's first event.";
    SessionVoid = "session-void.alone", "A void counter has no other object.";
    SessionVoidSignature = "session-void.signature", "A session-void is signed by its incarnation or by one that recovered it.";
    SessionVoidIdentity = "session-void.identity", "A session-void names the place it stands in.";
    SessionSequence = "session.sequence", "Chunks of a session run from 1 without gaps to the number that its session-close names.";
    SessionChain = "session.chain", "A chunk's `prev` is the statement digest of the chunk before; the first one's, of the session-open.";
    SessionLast = "session.last", "The last chunk of a closed session, and no other, says so.";
    SessionClose = "session.close", "A session that ended has a session-close.";
    SessionCloseSignature = "session-close.signature", "A session-close is signed by the session's incarnation or by one that recovered it.";
    SessionCloseIdentity = "session-close.identity", "A session-close names the place it stands in.";
    SessionTotals = "session-close.totals", "A session-close's chunks, events, last manifest and reason are those of the session.";
    SessionRecovered = "session.recovered", "A session was sealed by its own incarnation; evidence recovered by another one is weaker.";
    ChunkContainer = "chunk.container", "A chunk is one or more standard zstd frames and exactly one skippable frame at its end, with our magic, no dictionary, and a window of at most 8 MiB.";
    ChunkManifest = "chunk.manifest", "A chunk's manifest is canonical JSON of a known format, within the limits.";
    ChunkSignature = "chunk.signature", "A chunk's manifest is signed by the incarnation that it names.";
    ChunkIdentity = "chunk.identity", "A chunk names the place it stands in, and its session's connection and log.";
    ChunkDigest = "chunk.digest", "The bytes before the skippable frame, and the frames they decode to, have the manifest's digests and lengths.";
    ChunkFrames = "chunk.frames", "A chunk decodes to whole frames of known kinds.";
    ChunkCounts = "chunk.counts", "A manifest's counts, event numbers and times are those of the frames.";
    EventForm = "event.form", "An event is canonical JSON with exactly the members of its kind.";
    EventNumber = "event.number", "Events are numbered from 1 without gaps over the chunks of a session.";
    EventOrder = "event.order", "A session's first event, and no other, is session-open; nothing but recovered follows session-close.";
    EventReference = "event.reference", "Statements and executions are numbered from 1 without gaps, and what refers to one refers to one that is there.";
    EventApproval = "event.approval", "A held statement is asked for once, decided once after that, and executed at most once and only when approved.";
    EventResult = "event.result", "Rows of a result are off the record only where the execution says so, at most so many as it keeps are on it, and a keyed digest of all is in its outcome.";
    EventTotals = "event.totals", "The session-close event's totals are those of the events before.";
    EventRecovered = "event.recovered", "A recovered event is the last, stands in a recovered chunk, and names its signer and the executions without outcome.";
    ApprovalRequestedSignature = "approval-requested.signature", "An approval-requested is signed by the session's own incarnation.";
    ApprovalRequestedIdentity = "approval-requested.identity", "An approval-requested names the place it stands in.";
    ApprovalDecidedSignature = "approval-decided.signature", "An approval-decided is signed by the session's own incarnation.";
    ApprovalDecidedIdentity = "approval-decided.identity", "An approval-decided names the place it stands in.";
    ApprovalRequested = "approval.requested", "Every approval-requested event of a session that ended in order, or that somebody decided on, has its approval-requested, with the same commitment and expiry; a session that ended in order has no other.";
    ApprovalDecided = "approval.decided", "Every approval-decided event of a session that ended in order, or whose statement ran, has its approval-decided, with the request's commitment and the same verdict and digest; a session that ended in order has no other.";
    ApprovalDetails = "approval.details", "Stored details of a request are signed by the session's own incarnation, stand in their place, and have the request's commitment and expiry.";
    ApprovalDecision = "approval.decision", "A stored decision that a relay decided by has the digest that its approval-decided names.";
    ShreddingSignature = "shredding.signature", "A shredding is signed by an approvals key that the certificates root certified for its tenant, environment and time.";
    ShreddingIdentity = "shredding.identity", "A shredding names the place it stands in.";
    ShreddingKey = "shredding.key", "The wrapped key of a session that was shredded is gone.";
    SessionShredded = "session.shredded", "Whoever has a session's key can read its data; sessions whose key was destroyed are named.";
    SessionKey = "session.key", "Where wrapped keys are given, every session has one, unless a shredding says that it was destroyed.";
    LogAbsent = "log.absent", "Statements are in the log that their relay-start names; without it nothing shows that all of them were given.";
    LogKey = "log.key", "The key that signs a log's checkpoints is given, or certified by the certificates root; without it anybody could have made the log.";
    CheckpointForm = "checkpoint.form", "A checkpoint is a signed note that names its log, a size and a root.";
    CheckpointSignature = "checkpoint.signature", "A checkpoint is signed by the checkpoints key.";
    CheckpointSequence = "checkpoint.sequence", "Checkpoints are numbered from 1 without gaps, each with more entries than the one before.";
    CheckpointEarlier = "checkpoint.earlier", "A checkpoint that was kept from earlier is of a tree that the log begins with.";
    CheckpointWitness = "checkpoint.witness", "Where witnesses are named, every checkpoint that was kept from earlier bears a cosignature of one of them, and of each log, one that statements name and that is absent included, there is one.";
    LogRoot = "log.root", "A checkpoint's root is that of the log's first entries, as many as it says.";
    LogTile = "log.tile", "Tiles and entry bundles are those of the log's entries; all of the newest checkpoint are there, and none is of no checkpoint.";
    LogEntry = "log.entry", "Every entry is a statement that the object in its place holds.";
    LogOrder = "log.order", "Every entry is one once, and comes after what must be stored before it; a heartbeat, after the session-opens and voids that it says are stored.";
    LogLate = "log.late", "No statement is an entry after a heartbeat that its incarnation signed more than ten minutes later.";
    LogStatement = "log.statement", "Every statement is an entry, unless nothing is that must be stored after it.";
    LogPending = "log.pending", "Every statement is an entry; those that are newer than the newest checkpoint are named.";
    BundleManifest = "bundle.manifest", "A bundle's manifest is an in-toto Statement of this format in an envelope, as canonical JSON, with names that ascend.";
    BundleSignature = "bundle.signature", "A bundle's manifest is signed by a bundles key that the certificates root certified for its tenant, environment and time.";
    KeyCertificate = "key-certificate", "A key certificate is signed by the certificates root and stands in the place of what it says.";
    BundleLayout = "bundle.layout", "Every file of a bundle has a path of the layout.";
    BundleMissing = "bundle.missing", "Every file that a bundle's manifest names or that every bundle has is there.";
    BundleExtra = "bundle.extra", "A bundle's manifest names every other file of it.";
    BundleDigest = "bundle.digest", "Every file of a bundle has the digest that the manifest names.";
    BundleScope = "bundle.scope", "All evidence of a bundle is of its tenant and environment.";
    BundlePeriod = "bundle.period", "Every session of a bundle touches its period.";
    BundleCounts = "bundle.counts", "A bundle's counts are those of the rows that its evidence gives.";
    TableForm = "table.form", "A table's file is in its encoding, with the table's columns.";
    TableRows = "table.rows", "A table's file has exactly the rows that the evidence gives, in their order.";
    Safeguards = "safeguards.answers", "A bundle's answers to safeguards are those that its catalogue gives over the rows of its evidence.";
    SafeguardsCatalogue = "safeguards.catalogue", "A bundle's catalogue of safeguards is the one that the verifier was built with.";
    OutcomeUnknown = "outcome.unknown", "Every execution that was sent has an outcome that is known.";
}

/// What breaking a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The ordinary state of a running system; nothing is wrong.
    Notice,
    /// True, and weaker than evidence can be: somebody should look.
    Warning,
    /// The evidence does not hold.
    Error,
}

impl Rule {
    /// What breaking this rule means.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::IncarnationUnretired | Self::LogPending | Self::SessionShredded => Severity::Notice,
            Self::IncarnationRecovered | Self::SessionRecovered | Self::OutcomeUnknown => Severity::Warning,
            Self::LogAbsent | Self::LogKey | Self::LogLate => Severity::Warning,
            Self::HeartbeatSilence | Self::IncarnationAbandoned => Severity::Warning,
            // Whether data can be read is not whether evidence holds.
            Self::ShreddingKey | Self::SessionKey => Severity::Warning,
            // Outside retention, deletable, and writable by the console: evidence does not rest on them.
            Self::ApprovalDetails | Self::ApprovalDecision => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// A rule that something did not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {message}")]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was found and what was expected; never a value from evidence beyond names, numbers and digests.
    pub message: String,
}

impl Violation {
    /// A violation of `rule`.
    #[must_use]
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }
}
