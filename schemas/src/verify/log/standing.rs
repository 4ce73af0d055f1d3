//! What a revoked key signed, and whether it stands: the log's order decides, not the time that a thief can claim.

use super::super::examiner::Examiner;
use super::super::revocations::{self, Revocations};
use super::{Outside, Statements};
use crate::log::LogOrigin;
use crate::rule::Rule;

/// Names the statements that do not stand, and counts them by incarnation.
pub(super) fn name_void(
    examiner: &mut Examiner<'_>,
    statements: &Statements,
    revocations: &Revocations,
    outside: &Outside,
) {
    if revocations.is_empty() {
        return;
    }
    for stated in &statements.all {
        let object = &stated.object;
        let own = object.kind.incarnation();
        let life = (object.scope.clone(), stated.signer.as_ref().unwrap_or(own).clone());
        // Who signed a certificate or a revocation has another key.
        let Some(revoked) = revocations.get(&life) else { continue };
        let is_outside =
            object.kind.session().is_some_and(|session| outside.contains(&(life.0.clone(), session.clone())));
        if is_outside {
            continue;
        }
        let origin = statements.origin_of(object).and_then(|origin| origin.parse::<LogOrigin>().ok());
        let size = origin.and_then(|origin| revocations::standing(revoked, &origin)).unwrap_or(0);
        let void = stated.index.is_none_or(|index| index >= size);
        let reports = &mut examiner.report.incarnations;
        if let Some(report) =
            reports.iter_mut().find(|report| (&report.scope, &report.incarnation) == (&life.0, &life.1))
        {
            report.revoked_from = Some(size);
            report.void += u64::from(void);
        }
        if !void {
            continue;
        }
        if let Some(session) = object.kind.session() {
            let sessions = examiner.report.sessions.iter_mut();
            let mut of_it = sessions.filter(|report| report.scope == object.scope && report.session == *session);
            if let Some(report) = of_it.next() {
                report.sound = false;
            }
        }
        let place = stated.index.map_or("is no entry of the log".to_owned(), |index| format!("is entry {index}"));
        let message = format!("{place}; its signer is revoked, and stands in the first {size} entries alone");
        examiner.find(&object.key(), Rule::RevocationVoid, message);
    }
}
