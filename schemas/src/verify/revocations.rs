//! Keys that are trusted no more, and incarnations that nobody waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::certificates::Certificates;
use super::examiner::Examiner;
use crate::dsse::Statement;
use crate::identifiers::Incarnation;
use crate::layout::{Object, ObjectKind, Scope};
use crate::log::LogOrigin;
use crate::revocation::{ABANDONED_AFTER_US, Abandoned, Revocation};
use crate::rule::Rule;
use crate::signature::PublicKey;

/// The revocations that hold, by key.
pub(super) type Revocations = BTreeMap<(Scope, Incarnation), Vec<Revocation>>;

pub(super) fn check(examiner: &mut Examiner<'_>, stored: &BTreeSet<Object>, root: &PublicKey) -> Revocations {
    let mut revocations = Revocations::new();
    for object in stored {
        if let Some(revocation) = check_one(examiner, object, root) {
            let life = (object.scope.clone(), revocation.incarnation.clone());
            revocations.entry(life).or_default().push(revocation);
        }
    }
    revocations
}

fn check_one(examiner: &mut Examiner<'_>, object: &Object, root: &PublicKey) -> Option<Revocation> {
    let key = object.key();
    let envelope = examiner.read_envelope(&key)?;
    let revocation: Revocation = match envelope.read_unverified() {
        Ok(revocation) => revocation,
        Err(error) => {
            examiner.find(&key, Rule::EnvelopeForm, error.to_string());
            return None;
        }
    };
    if envelope.verify(root, Revocation::TYPE).is_err() {
        examiner.find(&key, Rule::RevocationSignature, "the signature does not verify under the certificates root");
        return None;
    }
    examiner.report.checked.signatures += 1;
    let Revocation { tenant, environment, relay, incarnation, log_size, .. } = &revocation;
    let kind = ObjectKind::Revocation(incarnation.clone(), *log_size);
    if (tenant, environment, relay) != object.scope.names() || kind != object.kind {
        examiner.find(&key, Rule::RevocationIdentity, "names something else than the place it stands in");
        return None;
    }
    Some(revocation)
}

/// Whether somebody who may says that nothing more is expected of this incarnation.
pub(super) fn is_abandoned(
    examiner: &mut Examiner<'_>,
    (scope, incarnation): (&Scope, &Incarnation),
    certificates: &Certificates,
) -> bool {
    let key = scope.abandoned(incarnation);
    let Some(envelope) = examiner.read_envelope(&key) else { return false };
    let abandoned: Abandoned = match envelope.read_unverified() {
        Ok(abandoned) => abandoned,
        Err(error) => {
            examiner.find(&key, Rule::EnvelopeForm, error.to_string());
            return false;
        }
    };
    let keys = checkpoints_keys(examiner, scope);
    if keys.is_empty() {
        examiner.find(&key, Rule::LogKey, "no key is known that signs for the log: what this says is not believed");
        return false;
    }
    if !keys.iter().any(|known| envelope.verify(known, Abandoned::TYPE).is_ok()) {
        examiner.find(&key, Rule::AbandonedSignature, "the signature does not verify under the checkpoints key");
        return false;
    }
    examiner.report.checked.signatures += 1;
    let Abandoned { tenant, environment, relay, .. } = &abandoned;
    if (tenant, environment, relay) != scope.names() || abandoned.incarnation != *incarnation {
        examiner.find(&key, Rule::AbandonedIdentity, "names something else than the place it stands in");
        return false;
    }
    let Some(certified) = certificates.get(incarnation) else { return false };
    let end_us = certified.certificate.not_after_us;
    if abandoned.not_after_us != end_us || abandoned.time_us < end_us.saturating_add(ABANDONED_AFTER_US) {
        let message = format!("signed at {} us, and the certificate ends at {end_us} us", abandoned.time_us);
        examiner.find(&key, Rule::AbandonedEarly, message);
        return false;
    }
    true
}

/// Keys that sign for the log of this relay's environment.
fn checkpoints_keys(examiner: &Examiner<'_>, scope: &Scope) -> Vec<PublicKey> {
    if let Some(given) = &examiner.options.checkpoints_key {
        return vec![given.clone()];
    }
    let place = (&scope.tenant, &scope.environment);
    let own = examiner.trusted.iter().filter(|trusted| (&trusted.tenant, &trusted.environment) == place);
    own.map(|trusted| trusted.checkpoints.clone()).collect()
}

/// Entries of its log in which an incarnation's statements stand: the least that a revocation names. Nothing for a key
/// that was not revoked; a revocation that names another log than `origin` leaves none of them standing.
pub(super) fn standing(revocations: &[Revocation], origin: &LogOrigin) -> Option<u64> {
    let size = |revocation: &Revocation| if revocation.log_origin == origin.as_str() { revocation.log_size } else { 0 };
    revocations.iter().map(size).min()
}
