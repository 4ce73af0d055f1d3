//! Sessions whose key was destroyed: who says so may say so, and the key is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::examiner::Examiner;
use super::report::SessionState;
use crate::dsse::{ENVELOPE_MAX, Envelope};
use crate::identifiers::SessionId;
use crate::instant::rfc3339;
use crate::key_certificate::KeyCertificate;
use crate::layout::{Scope, parse_shredding};
use crate::rule::{Rule, Violation};
use crate::shredding::SessionShredded;

/// A session of a relay.
type Place = (Scope, SessionId);

/// Checks the shreddings, and names the sessions whose key is gone with and without one.
pub(super) fn check(examiner: &mut Examiner<'_>, keys: &BTreeSet<String>, wrapped: &BTreeSet<Place>) {
    let mut shredded = BTreeMap::new();
    for key in keys {
        let (Some(place), Some(bytes)) = (parse_shredding(key), examiner.read(key, ENVELOPE_MAX as u64)) else {
            continue;
        };
        match open(&place, &bytes, &examiner.trusted) {
            Ok(time_us) => {
                examiner.report.checked.signatures += 1;
                if wrapped.contains(&place) {
                    examiner.find(key, Rule::ShreddingKey, "the session's wrapped key is still there");
                }
                shredded.insert(place, time_us);
            }
            Err(violation) => examiner.note(key, violation),
        }
    }
    let mut sessions = std::mem::take(&mut examiner.report.sessions);
    for session in sessions.iter_mut().filter(|session| session.state != SessionState::Void) {
        let place = (session.scope.clone(), session.session.clone());
        session.shredded_us = shredded.get(&place).copied();
        let prefix = session.scope.session_prefix(&session.session);
        match session.shredded_us {
            Some(time_us) => {
                let message =
                    format!("shredded at {}: its key was destroyed, and nobody reads its data", rfc3339(time_us));
                examiner.find(&prefix, Rule::SessionShredded, message);
            }
            None if !wrapped.is_empty() && !wrapped.contains(&place) => {
                examiner.find(
                    &prefix,
                    Rule::SessionKey,
                    "its wrapped key is gone, and nobody says that it was destroyed",
                );
            }
            None => {}
        }
    }
    examiner.report.sessions = sessions;
}

/// When the session was shredded.
fn open(place: &Place, bytes: &[u8], certificates: &[KeyCertificate]) -> Result<u64, Violation> {
    let malformed = |error: crate::Error| Violation::new(Rule::EnvelopeForm, error.to_string());
    let envelope = Envelope::from_slice(bytes).map_err(malformed)?;
    let said: SessionShredded = envelope.read_unverified().map_err(malformed)?;
    let may_sign = |certificate: &&KeyCertificate| {
        (&certificate.tenant, &certificate.environment) == (&said.tenant, &said.environment)
            && (certificate.not_before_us..=certificate.not_after_us).contains(&said.time_us)
    };
    let mut keys = certificates.iter().filter(may_sign).map(|certificate| &certificate.approvals);
    if !keys.any(|key| envelope.open::<SessionShredded>(key).is_ok()) {
        let message = "is not signed by an approvals key that the root certified for it";
        return Err(Violation::new(Rule::ShreddingSignature, message));
    }
    let scope = Scope { tenant: said.tenant, environment: said.environment, relay: said.relay };
    if (scope, said.session) != *place {
        let message = "names something else than the place it stands in";
        return Err(Violation::new(Rule::ShreddingIdentity, message));
    }
    Ok(said.time_us)
}
