//! The keys of a deployment that no relay has, as the certificates root certified them.

use std::collections::BTreeSet;

use super::examiner::Examiner;
use crate::dsse::{ENVELOPE_MAX, Envelope};
use crate::key_certificate::KeyCertificate;
use crate::layout::parse_key_certificate;
use crate::rule::Rule;
use crate::signature::PublicKey;

/// The key certificates that hold.
pub(super) fn check(examiner: &mut Examiner<'_>, keys: &BTreeSet<String>, root: &PublicKey) -> Vec<KeyCertificate> {
    let mut certificates = Vec::new();
    for key in keys {
        let Some(bytes) = examiner.read(key, ENVELOPE_MAX as u64) else { continue };
        match open(key, &bytes, root) {
            Ok(certificate) => {
                examiner.report.checked.signatures += 1;
                certificates.push(certificate);
            }
            Err(problem) => examiner.find(key, Rule::KeyCertificate, problem),
        }
    }
    certificates
}

fn open(key: &str, bytes: &[u8], root: &PublicKey) -> Result<KeyCertificate, String> {
    let envelope = Envelope::from_slice(bytes).map_err(|error| error.to_string())?;
    let certificate: KeyCertificate = envelope.open(root).map_err(|error| error.to_string())?;
    let place = (certificate.tenant.clone(), certificate.environment.clone(), envelope.statement_digest());
    if parse_key_certificate(key) == Some(place) {
        Ok(certificate)
    } else {
        Err("names something else than the place it stands in".to_owned())
    }
}
