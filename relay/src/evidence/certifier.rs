//! Who says that an incarnation's key is a relay's.

use async_trait::async_trait;
use schemas::dsse::Envelope;
use schemas::identifiers::Name;
use schemas::signature::PublicKey;

/// Issues certificates to incarnations. A relay has no right to sign with the certificates' root itself.
#[async_trait]
pub trait Certifier: Send + Sync {
    /// A [`schemas::leaf::Certificate`] for this key, signed by the certificates' root, valid from now for a bounded
    /// time. Asked once an incarnation, before anything is signed with the key.
    async fn certify(&self, request: CertificateRequest) -> Result<Envelope, CertifierError>;
}

/// What a relay asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The incarnation's key; the incarnation's identifier follows from it.
    pub public_key: PublicKey,
    /// Build of the relay's program, as it claims.
    pub build: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertifierError {
    /// The certifier refuses this relay.
    #[error("refused: {0}")]
    Refused(String),
    /// The certifier is away; the same request may succeed later.
    #[error("unavailable: {0}")]
    Unavailable(String),
}
