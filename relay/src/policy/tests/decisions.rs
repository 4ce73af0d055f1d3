//! What was decided before is only ever found by what it was decided from.

use std::sync::Arc;

use schemas::event::Path;
use serde_json::json;

use super::super::decisions::HALF_BYTES;
use super::*;

impl Clinic {
    fn known(&self, decisions: &mut Decisions, path: Path, sql: &str, types: &[u32]) -> Arc<Ruling> {
        let context = Context {
            profile: &self.profile,
            snapshot: &self.snapshot,
            footing: &Footing::on(&self.search_path),
            own: Own::none(),
            token: &token,
        };
        let ruling = decisions.decide(&context, path, sql, types);
        let anew = decide(&context, path, sql, types);
        assert_eq!(format!("{ruling:?}"), format!("{anew:?}"), "{sql}");
        ruling
    }
}

const MASKED: &str = "SELECT ssn FROM clinic.patients WHERE id = 7";

#[test]
fn a_permitted_text_is_decided_once_and_a_refused_one_each_time() {
    let (clinic, mut decisions) = (Clinic::analyst(), Decisions::default());
    let first = clinic.known(&mut decisions, Path::Simple, MASKED, &[]);
    assert!(Arc::ptr_eq(&first, &clinic.known(&mut decisions, Path::Simple, MASKED, &[])));
    let refused = clinic.known(&mut decisions, Path::Simple, "SELECT * FROM billing.payroll", &[]);
    let again = clinic.known(&mut decisions, Path::Simple, "SELECT * FROM billing.payroll", &[]);
    assert!(!Arc::ptr_eq(&refused, &again));
}

#[test]
fn text_path_and_types_are_the_key_to_the_last_byte() {
    let (clinic, mut decisions) = (Clinic::analyst(), Decisions::default());
    let first = clinic.known(&mut decisions, Path::Simple, MASKED, &[]);
    let others: [(Path, &str, &[u32]); 5] = [
        (Path::Extended, MASKED, &[]),
        (Path::Extended, MASKED, &[23]),
        (Path::Simple, "SELECT ssn FROM clinic.patients WHERE id = 8", &[]),
        (Path::Simple, "SELECT ssn FROM clinic.patients WHERE id = 7 ", &[]),
        (Path::Simple, "SELECT ssn FROM clinic.visits WHERE id = 7", &[]),
    ];
    for (path, sql, types) in others {
        assert!(!Arc::ptr_eq(&first, &clinic.known(&mut decisions, path, sql, types)), "{sql}");
    }
    assert!(Arc::ptr_eq(&first, &clinic.known(&mut decisions, Path::Simple, MASKED, &[])), "and it is still known");
}

#[test]
fn nothing_outlives_the_grounds_that_it_was_decided_on() {
    let mut decisions = Decisions::default();
    let analyst = Clinic::analyst();
    let first = analyst.known(&mut decisions, Path::Simple, MASKED, &[]);
    // The same text over another catalog, and along another search path: each looks into its own.
    let moved = Clinic::changed(&|catalog| catalog["relations"][0]["oid"] = json!(101));
    let other = moved.known(&mut decisions, Path::Simple, MASKED, &[]);
    assert!(format!("{:?}", other.outcome).contains("101") && !format!("{:?}", first.outcome).contains("101"));
    assert!(!Arc::ptr_eq(&first, &analyst.known(&mut decisions, Path::Simple, MASKED, &[])));
    let mut elsewhere = Clinic::analyst();
    elsewhere.search_path = vec!["billing".to_owned()];
    for sql in ["SELECT * FROM visits", "SELECT * FROM payers"] {
        let here = analyst.known(&mut decisions, Path::Simple, sql, &[]);
        let there = elsewhere.known(&mut decisions, Path::Simple, sql, &[]);
        assert_ne!(format!("{:?}", here.outcome), format!("{:?}", there.outcome), "{sql}");
    }
}

#[test]
fn what_is_kept_is_bounded_and_what_is_in_use_stays() {
    let (clinic, mut decisions) = (Clinic::analyst(), Decisions::default());
    let often = clinic.known(&mut decisions, Path::Simple, MASKED, &[]);
    for id in 0..500 {
        clinic.known(&mut decisions, Path::Simple, &format!("SELECT name FROM clinic.patients WHERE id = {id}"), &[]);
        assert!(Arc::ptr_eq(&often, &clinic.known(&mut decisions, Path::Simple, MASKED, &[])), "after {id}");
        assert!(decisions.kept_bytes() <= 2 * HALF_BYTES);
    }
    let long = format!("SELECT '{}'", "x".repeat(HALF_BYTES));
    let first = clinic.known(&mut decisions, Path::Simple, &long, &[]);
    assert!(!Arc::ptr_eq(&first, &clinic.known(&mut decisions, Path::Simple, &long, &[])));
}
