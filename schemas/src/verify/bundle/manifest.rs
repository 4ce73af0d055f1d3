//! The manifest and the key that signed it.

use std::collections::BTreeMap;

use super::Inspection;
use crate::bundle::layout::BundleFile;
use crate::bundle::{BundleManifest, FORMAT_VERSION, MANIFEST_MAX, Predicate};
use crate::digest::Sha256Digest;
use crate::dsse::{ENVELOPE_MAX, Envelope};
use crate::key_certificate::KeyCertificate;
use crate::layout::{TRUST_PREFIX, parse, parse_key_certificate};
use crate::period::Period;
use crate::rule::Rule;
use crate::signature::PublicKey;

/// A manifest that can be read. When its signature does not hold, that is a finding, and what it says only serves to
/// name what else is wrong.
pub(super) struct Manifest(BundleManifest);

impl Manifest {
    pub(super) fn check(inspection: &mut Inspection<'_>, paths: &[String], root: &PublicKey) -> Option<Self> {
        let certificates = check_certificates(inspection, paths, root);
        let path = BundleFile::Manifest.path();
        let envelope = match read(inspection, &path, MANIFEST_MAX) {
            Ok(envelope) => envelope,
            Err(problem) => {
                inspection.find(&path, Rule::BundleManifest, problem);
                return None;
            }
        };
        let manifest: BundleManifest = match envelope.read_unverified() {
            Ok(manifest) => manifest,
            Err(error) => {
                inspection.find(&path, Rule::BundleManifest, error.to_string());
                return None;
            }
        };
        if let Err(problem) = check_form(&manifest) {
            inspection.find(&path, Rule::BundleManifest, problem);
        }
        match check_signature(&envelope, &manifest.predicate, &certificates, root) {
            Ok(()) => inspection.report.checked.signature = true,
            Err(problem) => inspection.find(&path, Rule::BundleSignature, problem),
        }
        Some(Self(manifest))
    }

    pub(super) fn period(&self) -> Period {
        self.0.predicate.period
    }

    pub(super) fn predicate(&self) -> &Predicate {
        &self.0.predicate
    }

    pub(super) fn into_predicate(self) -> Predicate {
        self.0.predicate
    }

    /// Digests by path. A name that comes twice is a finding already.
    pub(super) fn files(&self) -> BTreeMap<&str, Sha256Digest> {
        self.0.subject.iter().map(|subject| (subject.name.as_str(), subject.digest.sha256)).collect()
    }
}

fn check_form(manifest: &BundleManifest) -> Result<(), &'static str> {
    if manifest.predicate.format != FORMAT_VERSION {
        return Err("expected the bundle format that this verifier knows");
    }
    if !manifest.subject.is_sorted_by(|first, second| first.name < second.name) {
        return Err("expected names that ascend, each once");
    }
    if manifest.predicate.period.from_us >= manifest.predicate.period.to_us {
        return Err("expected a period that ends after its beginning");
    }
    Ok(())
}

fn check_signature(
    envelope: &Envelope,
    predicate: &Predicate,
    certificates: &[KeyCertificate],
    root: &PublicKey,
) -> Result<(), &'static str> {
    let signer = envelope.key_id();
    let named = certificates.iter().filter(|certificate| certificate.bundles.key_id() == signer);
    let place = (&predicate.tenant, &predicate.environment);
    let mut own = named.filter(|certificate| (&certificate.tenant, &certificate.environment) == place).peekable();
    if own.peek().is_none() {
        return Err("its key is no bundles key of this tenant and environment that the certificates root certified");
    }
    let valid = |certificate: &&KeyCertificate| {
        (certificate.not_before_us..=certificate.not_after_us).contains(&predicate.created_us)
    };
    let certificate = own.find(valid).ok_or("it was not made within the validity of its key's certificate")?;
    if (predicate.keys.certificates, predicate.keys.bundles) != (root.key_id(), signer) {
        return Err("it names other keys than those it is verified with");
    }
    let verified = envelope.open::<BundleManifest>(&certificate.bundles);
    verified.map(|_| ()).map_err(|_| "the signature does not verify under the bundles key")
}

/// The key certificates that hold.
fn check_certificates(inspection: &mut Inspection<'_>, paths: &[String], root: &PublicKey) -> Vec<KeyCertificate> {
    let mut certificates = Vec::new();
    // Revocations are checked with the evidence.
    let is_one = |path: &&String| path.starts_with(TRUST_PREFIX) && parse(path).is_none();
    for path in paths.iter().filter(is_one) {
        match check_certificate(inspection, path, root) {
            Ok(certificate) => certificates.push(certificate),
            Err(problem) => inspection.find(path, Rule::KeyCertificate, problem),
        }
    }
    inspection.report.checked.key_certificates = certificates.len() as u64;
    certificates
}

fn check_certificate(inspection: &Inspection<'_>, path: &str, root: &PublicKey) -> Result<KeyCertificate, String> {
    let envelope = read(inspection, path, ENVELOPE_MAX)?;
    let certificate: KeyCertificate = envelope.open(root).map_err(|error| error.to_string())?;
    let place = Some((certificate.tenant.clone(), certificate.environment.clone(), envelope.statement_digest()));
    if parse_key_certificate(path) != place {
        return Err("names something else than the place it stands in".to_owned());
    }
    Ok(certificate)
}

fn read(inspection: &Inspection<'_>, path: &str, limit: usize) -> Result<Envelope, String> {
    let bytes = inspection.files.get(path, limit as u64).map_err(|error| format!("cannot be read: {error}"))?;
    Envelope::from_slice_within(&bytes, limit).map_err(|error| error.to_string())
}
