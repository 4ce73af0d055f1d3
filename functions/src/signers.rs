//! Whose signature a stored object must bear.

use schemas::chunk::Container;
use schemas::dsse::Envelope;
use schemas::identifiers::Incarnation;
use schemas::layout::{self, ObjectKind, Scope};
use schemas::leaf::Certificate;
use schemas::signature::PublicKey;
use seams::{EvidenceStore, StoreError};

/// Why an incarnation's key is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerError {
    /// Its certificate is not stored: it may be on its way.
    #[error("{0}: no certificate is stored")]
    NotCertified(Incarnation),
    /// What stands there is no certificate of this incarnation by this root.
    #[error("{key}: {problem}")]
    Wrong { key: String, problem: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key of an incarnation, as its certificate under `root` says.
pub(crate) async fn key_of(
    store: &dyn EvidenceStore,
    root: &PublicKey,
    scope: &Scope,
    incarnation: &Incarnation,
) -> Result<PublicKey, SignerError> {
    let key = scope.certificate(incarnation);
    let bytes = store.get(&key).await?.ok_or_else(|| SignerError::NotCertified(incarnation.clone()))?;
    certificate(&bytes, root, scope, incarnation).map_err(|problem| SignerError::Wrong { key, problem })
}

/// Checks a stored certificate and gives the key it certifies.
pub(crate) fn certificate(
    bytes: &[u8],
    root: &PublicKey,
    scope: &Scope,
    incarnation: &Incarnation,
) -> Result<PublicKey, String> {
    let certificate: Certificate =
        Envelope::from_slice(bytes).and_then(|envelope| envelope.open(root)).map_err(|error| error.to_string())?;
    let says = Scope { tenant: certificate.tenant, environment: certificate.environment, relay: certificate.relay };
    if &says != scope || &certificate.incarnation != incarnation || &certificate.spki.incarnation() != incarnation {
        return Err("the certificate is of another relay or incarnation".to_owned());
    }
    Ok(certificate.spki)
}

/// Who says to have signed this object of a relay's.
pub(crate) fn said(key: &str, bytes: &[u8]) -> Option<Incarnation> {
    let key_id = match layout::parse(key)?.kind {
        ObjectKind::Chunk(..) => Container::parse(bytes).ok()?.envelope().key_id(),
        _ => Envelope::from_slice(bytes).ok()?.key_id(),
    };
    Some(Incarnation::of_key(&key_id))
}
