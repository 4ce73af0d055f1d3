//! Ordinary work runs, masked.

use super::*;

#[test]
fn a_plain_select_reads_masks_where_columns_are_protected() {
    let sql = Clinic::analyst().upstream("SELECT name, ssn FROM clinic.patients p WHERE id = 7");
    assert!(sql.starts_with("SELECT name, ssn FROM (SELECT scan.id, '***'::text"), "{sql}");
    assert!(
        sql.contains("'***-**-' OPERATOR(pg_catalog.||) pg_catalog.\"right\"(scan.ssn::pg_catalog.text, 4)"),
        "{sql}"
    );
    assert!(
        sql.ends_with(
            "scan.visited FROM clinic.patients scan WHERE 'clinic.patients'::pg_catalog.regclass::pg_catalog.oid \
             OPERATOR(pg_catalog.=) '100'::pg_catalog.oid) p WHERE id = 7"
        ),
        "{sql}"
    );
}

#[test]
fn what_touches_nothing_protected_only_gets_its_guard() {
    let sql =
        Clinic::analyst().upstream("SELECT count(*) FROM billing.invoices i WHERE status = 'open' AND amount > 5");
    assert_eq!(
        sql,
        "SELECT pg_catalog.count(*) FROM billing.invoices i WHERE status = 'open' AND amount > 5 AND \
         'billing.invoices'::pg_catalog.regclass::pg_catalog.oid OPERATOR(pg_catalog.=) '301'::pg_catalog.oid"
    );
}

#[test]
fn a_function_that_users_made_visible_later_is_refused_by_its_name() {
    let plain = Clinic::analyst();
    plain.upstream("SELECT upper('a')");
    let shadowed = Clinic::changed(&|catalog| catalog["functions"] = json!([["clinic", "upper"]]));
    assert!(shadowed.refusal("SELECT upper('a')").message.contains("upper"));
}
