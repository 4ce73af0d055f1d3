//! Which keys may sign for a relay.

use std::collections::BTreeMap;

use super::examiner::Examiner;
use super::inventory::StoredIncarnation;
use crate::digest::Sha256Digest;
use crate::identifiers::Incarnation;
use crate::layout::Scope;
use crate::leaf::Certificate;
use crate::rule::Rule;
use crate::signature::PublicKey;

/// The certificates of one relay that hold.
pub(super) type Certificates = BTreeMap<Incarnation, Certified>;

/// A certificate that holds.
pub(super) struct Certified {
    pub(super) certificate: Certificate,
    /// Statement digest.
    pub(super) digest: Sha256Digest,
}

impl Certified {
    /// Whether a statement of this time lies within the certificate's validity, with grace.
    pub(super) fn covers(&self, time_us: u64, grace_us: u64) -> bool {
        let first = self.certificate.not_before_us.saturating_sub(grace_us);
        let last = self.certificate.not_after_us.saturating_add(grace_us);
        (first..=last).contains(&time_us)
    }
}

pub(super) fn check(
    examiner: &mut Examiner<'_>,
    scope: &Scope,
    incarnations: &BTreeMap<Incarnation, StoredIncarnation>,
    root: &PublicKey,
) -> Certificates {
    let mut certificates = Certificates::new();
    for (incarnation, stored) in incarnations {
        let key = scope.certificate(incarnation);
        if !stored.certificate {
            examiner.find(&key, Rule::CertificateMissing, "expected the certificate of this incarnation");
        } else if let Some(certified) = check_one(examiner, scope, incarnation, &key, root) {
            examiner.report.checked.certificates += 1;
            certificates.insert(incarnation.clone(), certified);
        }
    }
    certificates
}

fn check_one(
    examiner: &mut Examiner<'_>,
    scope: &Scope,
    incarnation: &Incarnation,
    key: &str,
    root: &PublicKey,
) -> Option<Certified> {
    let envelope = examiner.read_envelope(key)?;
    if let Err(error) = envelope.read_unverified::<Certificate>() {
        examiner.find(key, Rule::EnvelopeForm, error.to_string());
        return None;
    }
    let Ok(certificate) = envelope.open::<Certificate>(root) else {
        examiner.find(key, Rule::CertificateSignature, "the signature does not verify under the certificates root");
        return None;
    };
    examiner.report.checked.signatures += 1;
    let place = (&certificate.tenant, &certificate.environment, &certificate.relay);
    if place != (&scope.tenant, &scope.environment, &scope.relay) {
        examiner.find(key, Rule::CertificateIdentity, "names another relay than the place it stands in");
        return None;
    }
    if certificate.incarnation != *incarnation || certificate.spki.incarnation() != *incarnation {
        let message = "names another incarnation, or a key of another one, than the place it stands in";
        examiner.find(key, Rule::CertificateIdentity, message);
        return None;
    }
    Some(Certified { certificate, digest: envelope.statement_digest() })
}
