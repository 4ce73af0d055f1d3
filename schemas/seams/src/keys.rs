use async_trait::async_trait;
use schemas::ed25519::Ed25519PublicKey;
use schemas::identifiers::SessionId;
use schemas::session_key::SessionKey;
use schemas::signature::PublicKey;
use schemas::wrapped_key::WrappedKey;

/// Long-lived keys, which never leave their holder.
///
/// Contract: each [`KeyName`] is a key of its own; the key that wraps is none of them. A wrapped key opens only for
/// the session it was wrapped for.
#[async_trait]
pub trait Keys: Send + Sync {
    /// ECDSA P-256 signature over SHA-256 of `message`, DER.
    async fn sign(&self, key: KeyName, message: &[u8]) -> Result<Vec<u8>, KeysError>;

    /// The key that verifies what [`Keys::sign`] makes.
    async fn public_key(&self, key: KeyName) -> Result<PublicKey, KeysError>;

    /// The Ed25519 key that signs checkpoints too, so that others' readers of logs can verify them; most holders have none.
    async fn second_checkpoints_key(&self) -> Result<Option<Ed25519PublicKey>, KeysError> {
        Ok(None)
    }

    /// Its signature over `message`, 64 bytes; nothing without such a key.
    async fn sign_second(&self, _message: &[u8]) -> Result<Option<Vec<u8>>, KeysError> {
        Ok(None)
    }

    /// Wraps a session's key under the data key, bound to the session.
    async fn wrap(&self, key: &SessionKey, session: &SessionId) -> Result<WrappedKey, KeysError>;

    /// Opens a wrapped key for this session.
    async fn unwrap(&self, wrapped: &WrappedKey, session: &SessionId) -> Result<SessionKey, KeysError>;
}

/// What a signing key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyName {
    /// Root of the relays' certificates.
    Certificates,
    /// Checkpoints of the log.
    Checkpoints,
    /// Decisions on approval requests.
    Approvals,
    /// Bundles.
    Bundles,
}

/// Why a key was not used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The caller has no such key or no right to it.
    #[error("{0}: no such key, or no right to use it")]
    Refused(String),
    /// The wrapped key does not open under this key for this session.
    #[error("the wrapped key does not open for this session")]
    NotOurs,
    /// The key holder is away or broken; the same call may succeed later.
    #[error("{0}: keys unavailable: {1}")]
    Unavailable(String, Box<dyn std::error::Error + Send + Sync>),
}

impl KeyName {
    /// The name as text, e.g. of the key's file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Checkpoints => "checkpoints",
            Self::Approvals => "approvals",
            Self::Bundles => "bundles",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Certificates, Self::Checkpoints, Self::Approvals, Self::Bundles];
}
