//! The small signed statements beside the chunks: what will be leaves of the log.
//!
//! No leaf holds the name of a person, an address, a text, or an unsalted digest of anything guessable (rule 18).

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Hasher, Sha256Digest};
use crate::dsse::Statement;
use crate::error::Error;
use crate::event::{CloseReason, SessionOpen};
use crate::identifiers::{Incarnation, Name, SessionId};
use crate::payload_type::PayloadType;
use crate::signature::PublicKey;

/// An incarnation's key is that of a relay of this name. Signed by the certificates root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Incarnation: must be that of the key.
    pub incarnation: Incarnation,
    /// The incarnation's key.
    pub spki: PublicKey,
    /// Start of validity, microseconds since 1970.
    pub not_before_us: u64,
    /// End of validity, microseconds since 1970.
    pub not_after_us: u64,
    /// Build of the relay's program, as the relay claims it.
    pub build: String,
}

/// An incarnation begins to serve. Signed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayStart {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Incarnation.
    pub incarnation: Incarnation,
    /// Statement digest of its certificate.
    pub certificate: Sha256Digest,
    /// Origin line of the log its statements go to.
    pub log_origin: String,
    /// Seconds between heartbeats, 1 to [`crate::heartbeat::INTERVAL_MAX_SECONDS`].
    pub heartbeat_seconds: u64,
    /// The relay's clock, microseconds since 1970.
    pub time_us: u64,
}

/// A session begins. Signed by its incarnation and stored remotely before the first byte is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOpenLeaf {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Session; its counter has no gaps over the incarnation.
    pub session: SessionId,
    /// Connection by its configured name.
    pub connection: Name,
    /// The relay's clock, microseconds since 1970.
    pub time_us: u64,
    /// SHA-256 of the policy set in force.
    pub policy_sha256: Sha256Digest,
    /// [`commit_to`] the session's first event.
    pub details_commitment: Sha256Digest,
    /// Name of the data key that wrapped the session's key.
    pub data_key_id: String,
}

/// A session ended. Signed by its incarnation, or by the one that recovered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionCloseLeaf {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Session.
    pub session: SessionId,
    /// As the session's `session-close` event says; `aborted` when it has none.
    pub reason: CloseReason,
    /// Chunks of the session.
    pub chunks: u64,
    /// Events of the session.
    pub events: u64,
    /// Statement digest of the last chunk; of the session-open leaf when there is no chunk.
    pub last_manifest: Sha256Digest,
    /// Incarnation that signed.
    pub sealed_by: Incarnation,
    /// Signed by another incarnation than the session's own.
    pub recovered: bool,
    /// The signer's clock, microseconds since 1970.
    pub time_us: u64,
}

/// A counter that was taken and never served a session. Signed by its incarnation, or by one that recovered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionVoid {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The session that was not.
    pub session: SessionId,
    /// Incarnation that signed.
    pub sealed_by: Incarnation,
    /// Signed by another incarnation than the session's own.
    pub recovered: bool,
    /// The signer's clock, microseconds since 1970.
    pub time_us: u64,
}

/// An incarnation serves no more: everything it opened is sealed and stored. Signed by it, or by the one that
/// recovered its spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayRetired {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The incarnation that ended.
    pub incarnation: Incarnation,
    /// Its last counter; 0 when it served no session. Voided ones count.
    pub last_counter: u64,
    /// Sequence of its last heartbeat; of the last one that is stored, where another incarnation signs. 0 = none.
    pub last_heartbeat: u64,
    /// Incarnation that signed.
    pub sealed_by: Incarnation,
    /// Signed by another incarnation than the one that ended: weaker, for counters after the last durable one could
    /// not be known.
    pub recovered: bool,
    /// The signer's clock, microseconds since 1970.
    pub time_us: u64,
}

/// The salted commitment of a session-open leaf to the session's first event: SHA-256 over a label and the event's
/// canonical JSON, whose `salt` member is 32 random bytes that stand in the chunk and in no leaf.
///
/// # Errors
/// Those of [`canonical::to_vec`].
pub fn commit_to(details: &SessionOpen) -> Result<Sha256Digest, Error> {
    let mut hasher = Hasher::new();
    hasher.update(b"affidavit/session-open/v1\0");
    hasher.update(&canonical::to_vec(details)?);
    Ok(hasher.finish())
}

macro_rules! statements {
    ($($type:ident: $kind:ident),* $(,)?) => {
        $(impl Statement for $type {
            const TYPE: PayloadType = PayloadType::$kind;
        })*
    };
}

statements! {
    Certificate: Certificate,
    RelayStart: RelayStart,
    SessionOpenLeaf: SessionOpen,
    SessionCloseLeaf: SessionClose,
    SessionVoid: SessionVoid,
    RelayRetired: RelayRetired,
}
