//! Evidence from the first counter to the last leaf: one [`Incarnation`] is one life of a relay.
//!
//! ```text
//! open_session → Recorder ── write(2) ──► spool segment ──seal──► chunk on disk ──ship──► chunk in the store
//!                                                  └── a dead relay's spool takes the same way ──┘
//! ```

mod announcement;
mod certifier;
mod condition;
mod core;
mod heartbeat;
mod incarnation;
mod leaves;
mod open;
mod recovery;
mod sealing;
mod settlement;
mod succession;
mod tally;
#[cfg(test)]
mod tests;

pub use certifier::{CertificateRequest, Certifier, CertifierError};
pub(crate) use condition::Condition;
pub use incarnation::{Incarnation, Settings};
pub(crate) use leaves::Storing;
pub(crate) use succession::Incarnations;

pub use crate::spool::SpoolError;

/// Why evidence could not be begun, kept or ended. The message is for the operator's log; what a client may be told
/// is [`EvidenceError::external`].
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] crate::spool::SpoolError),
    /// A live session could not record.
    #[error(transparent)]
    Record(#[from] crate::recorder::RecordError),
    /// The evidence store is away, and a session begins only when its opening is stored (rule 16).
    #[error("the evidence store is unavailable")]
    StoreUnavailable,
    /// Something else stands in the store where this relay writes.
    #[error("fenced: {reason}")]
    Fenced {
        /// What the store said first.
        reason: String,
    },
    /// The holder of the data key or of the certificates' root is away or refuses.
    #[error("keys: {0}")]
    Keys(#[from] seams::KeysError),
    /// The certifier gave no certificate.
    #[error("certifier: {0}")]
    Certifier(#[from] CertifierError),
    /// The certifier's answer is not a certificate of this incarnation.
    #[error("certificate: {0}")]
    Certificate(&'static str),
    /// The relay's clock is so far behind the certifier's that nothing it signs would lie within its certificate.
    #[error("the relay's clock is {seconds} s behind the beginning of its certificate")]
    ClockBehind {
        /// How far.
        seconds: u64,
    },
    /// The certificate ends: nothing more could be sealed under it.
    #[error("the relay's certificate has expired")]
    CertificateExpired,
    /// Beginning a session took longer than its named limit.
    #[error("opening a session took longer than {seconds} s")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// The root revoked this incarnation's key: what it signs is worth nothing.
    #[error("the relay's key is revoked")]
    Revoked,
    /// Another incarnation of this relay says that this one has ended: what it signs would come after its end.
    #[error("another relay of this name took this one for dead and retired it")]
    Superseded,
    /// The incarnation is ending.
    #[error("the relay is stopping")]
    Retiring,
    /// Sessions that could not be completed in time; the next incarnation recovers them.
    #[error("{sessions} sessions are not completed; the next start recovers them")]
    Unfinished {
        /// How many.
        sessions: usize,
    },
    /// A connection's name, a policy digest or a file of the spool is none.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// Signing, hashing or encoding failed.
    #[error(transparent)]
    Schemas(#[from] schemas::Error),
    /// A background task ended early: the relay is stopping, or it has a defect.
    #[error("a background task ended early")]
    Interrupted,
}

impl EvidenceError {
    /// What a client may be told: no path, no name, no cause it could use.
    #[must_use]
    pub fn external(&self) -> &'static str {
        match self {
            Self::Spool(crate::spool::SpoolError::Full { .. }) => "evidence cannot be written: the spool is full",
            Self::Record(error) => error.external(),
            Self::StoreUnavailable | Self::TimedOut { .. } => "evidence cannot be stored; try again later",
            Self::CertificateExpired => "evidence cannot be signed: the relay's certificate has expired",
            Self::Revoked => "evidence cannot be signed: the relay's key is revoked",
            Self::Superseded => "evidence cannot be signed: another relay took over",
            Self::Retiring => "the relay is stopping",
            _ => "evidence cannot be written",
        }
    }
}

impl From<crate::ship::Fenced> for EvidenceError {
    fn from(fenced: crate::ship::Fenced) -> Self {
        Self::Fenced { reason: fenced.to_string() }
    }
}

impl From<crate::ship::ShipError> for EvidenceError {
    fn from(error: crate::ship::ShipError) -> Self {
        match error {
            crate::ship::ShipError::Fenced(fenced) => fenced.into(),
            crate::ship::ShipError::Unavailable => Self::StoreUnavailable,
        }
    }
}
