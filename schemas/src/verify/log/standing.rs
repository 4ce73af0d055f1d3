//! What a revoked key signed, and whether it stands: the log's order decides, not the time that a thief can claim.

use std::collections::{BTreeMap, BTreeSet};

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
    let (mut lives, mut unsound) = (BTreeMap::new(), BTreeSet::new());
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
        let (least, count) = lives.entry(life).or_insert((size, 0));
        *least = (*least).min(size);
        if !void {
            continue;
        }
        *count += 1;
        if let Some(session) = object.kind.session() {
            unsound.insert((object.scope.clone(), session.clone()));
        }
        let place = stated.index.map_or("is no entry of the log".to_owned(), |index| format!("is entry {index}"));
        let message = format!("{place}; its signer is revoked, and stands in the first {size} entries alone");
        examiner.find(&object.key(), Rule::RevocationVoid, message);
    }
    for report in &mut examiner.report.incarnations {
        if let Some((size, count)) = lives.get(&(report.scope.clone(), report.incarnation.clone())) {
            (report.revoked_from, report.void) = (Some(*size), *count);
        }
    }
    for report in &mut examiner.report.sessions {
        report.sound &= !unsound.contains(&(report.scope.clone(), report.session.clone()));
    }
}
