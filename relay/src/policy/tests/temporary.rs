//! Temporary tables: scratch space of a session, for what its principal may read, masked.

use super::*;

#[test]
fn a_report_goes_through_a_temporary_table_of_masks() {
    let mut clinic = Clinic::analyst();
    let made =
        clinic.run("CREATE TEMP TABLE seen AS SELECT id, name, zip FROM clinic.patients WHERE visited > '2024-01-01'");
    assert!(
        made.starts_with("CREATE TEMPORARY TABLE pg_temp.seen AS SELECT id, name, zip FROM (SELECT scan.id, "),
        "{made}"
    );
    for (sql, upstream) in [
        (
            "SELECT s.zip, count(*) FROM seen s GROUP BY s.zip",
            "SELECT s.zip, pg_catalog.count(*) FROM pg_temp.seen s GROUP BY s.zip",
        ),
        ("SELECT name FROM pg_temp.seen", "SELECT name FROM pg_temp.seen"),
        (
            "UPDATE seen SET name = upper(name) WHERE id = 7",
            "UPDATE pg_temp.seen SET name = pg_catalog.upper(name) WHERE id = 7",
        ),
        ("DELETE FROM seen WHERE id = 8", "DELETE FROM pg_temp.seen WHERE id = 8"),
        ("TRUNCATE seen", "TRUNCATE pg_temp.seen"),
        ("COPY seen (id) FROM STDIN", "COPY pg_temp.seen (\"id\") FROM STDIN"),
        ("COPY seen TO STDOUT", "COPY (SELECT id, name, zip FROM ONLY pg_temp.seen) TO STDOUT"),
        (
            "CREATE INDEX ON seen (lower(name)) WHERE id > 5",
            "CREATE INDEX ON pg_temp.seen USING btree (pg_catalog.lower(name)) WHERE id > 5",
        ),
        ("ANALYZE seen", "ANALYZE pg_temp.seen"),
        ("ALTER TABLE seen ADD COLUMN n int DEFAULT 0", "ALTER TABLE pg_temp.seen ADD COLUMN n int DEFAULT 0"),
        ("DROP TABLE seen", "DROP TABLE pg_temp.seen"),
    ] {
        // The clinic's `public` has a function of that name.
        let sql = sql.replace("lower(name)", "pg_catalog.lower(name)");
        assert_eq!(clinic.upstream(&sql), upstream);
    }
    // What is masked may go on being kept, and what is not protected is guarded as ever.
    let more = clinic.upstream("INSERT INTO seen SELECT p.id, p.name, p.zip FROM clinic.patients p JOIN billing.invoices i ON i.patient_id = p.id");
    assert!(more.contains("'***'") && more.contains("'301'::pg_catalog.oid"), "{more}");
    clinic.run("DROP TABLE seen");
    assert_eq!(clinic.refusal("SELECT * FROM seen").sqlstate, "42P01");
}

#[test]
fn every_way_to_make_one_is_written_as_the_sessions_own() {
    for (sql, upstream) in [
        (
            "CREATE LOCAL TEMPORARY TABLE t (id serial PRIMARY KEY, n numeric(8,2) DEFAULT 0 CHECK (n >= 0)) ON COMMIT DELETE ROWS",
            "CREATE TEMPORARY TABLE pg_temp.t (id serial PRIMARY KEY, n numeric(8, 2) DEFAULT 0 CHECK (n >= 0)) ON COMMIT DELETE ROWS",
        ),
        (
            "CREATE TABLE pg_temp.t (id int GENERATED ALWAYS AS IDENTITY (START WITH 5))",
            "CREATE TEMPORARY TABLE pg_temp.t (id int GENERATED ALWAYS AS IDENTITY (START 5 ))",
        ),
        (
            "SELECT id, ssn INTO TEMP t FROM clinic.patients",
            "CREATE TEMPORARY TABLE pg_temp.t AS SELECT id, ssn FROM (SELECT scan.id",
        ),
        (
            "SELECT 1 AS a INTO pg_temp.t UNION SELECT 2",
            "CREATE TEMPORARY TABLE pg_temp.t AS SELECT 1 AS a UNION SELECT 2",
        ),
        (
            "CREATE TEMP TABLE t (a, b) ON COMMIT DROP AS VALUES (1, 'x') WITH NO DATA",
            "CREATE TEMPORARY TABLE pg_temp.t(a, b) ON COMMIT DROP AS VALUES (1, 'x')  WITH NO DATA",
        ),
        (
            "CREATE TEMP TABLE IF NOT EXISTS t (LIKE clinic.patients)",
            "CREATE TEMPORARY TABLE IF NOT EXISTS pg_temp.t (LIKE clinic.patients)",
        ),
        (
            "CREATE TEMP TABLE t (LIKE billing.invoices INCLUDING ALL)",
            "CREATE TEMPORARY TABLE pg_temp.t (LIKE billing.invoices INCLUDING ALL)",
        ),
        (
            "CREATE TEMP TABLE t (m public.mood, s mood)",
            "CREATE TEMPORARY TABLE pg_temp.t (m public.mood, s public.mood)",
        ),
    ] {
        let mut clinic = Clinic::analyst();
        let text = clinic.run(sql);
        assert!(text.starts_with(upstream), "{sql}\n{text}");
        clinic.upstream("SELECT * FROM t");
    }
}

#[test]
fn what_policy_reveals_is_not_kept_where_nobody_classified_it() {
    let mut doctor = Clinic::of("doctors", &|_| {});
    doctor.run("CREATE TEMP TABLE mine (id int, n text)");
    for sql in [
        "CREATE TEMP TABLE t AS SELECT id FROM clinic.patients",
        "SELECT name INTO TEMP t FROM clinic.patients",
        "CREATE TEMP TABLE t AS SELECT (SELECT max(name) FROM clinic.patients)",
        "CREATE TEMP TABLE t AS SELECT * FROM clinic.contacts",
        "CREATE TEMP TABLE t AS WITH p AS (SELECT * FROM clinic.patients) SELECT 1 FROM p",
        "INSERT INTO mine SELECT id, name FROM clinic.patients",
        "INSERT INTO mine VALUES (1, (SELECT name FROM clinic.patients WHERE id = 1))",
        "UPDATE mine SET n = p.name FROM clinic.patients p WHERE p.id = mine.id",
        "DELETE FROM mine USING clinic.patients p WHERE p.name = mine.n",
        "COPY mine FROM STDIN WHERE n = (SELECT name FROM clinic.patients LIMIT 1)",
    ] {
        let message = doctor.refusal(sql).message;
        assert!(
            (message.contains("reveals to you") || message.contains("revealed to you"))
                && message.contains("clinic.patients"),
            "{sql}: {message}"
        );
    }
    doctor.upstream("CREATE TEMP TABLE t AS SELECT id FROM billing.invoices");
}

#[test]
fn no_temporary_table_hides_anything_of_the_databases() {
    let mut clinic = Clinic::analyst();
    clinic.run("CREATE TEMP TABLE fine (id int)");
    for name in [
        "patients", "visits", "invoices", "contacts", "pg_class", "pg_stats", "text", "date", "_text", "mood",
        "positive", "xml",
    ] {
        for sql in [
            format!("CREATE TEMP TABLE \"{name}\" (id int)"),
            format!("CREATE TABLE pg_temp.\"{name}\" AS SELECT 1 AS id"),
            format!("ALTER TABLE fine RENAME TO \"{name}\""),
        ] {
            assert!(clinic.refusal(&sql).message.contains("would be hidden by it"), "{sql}");
        }
    }
}

#[test]
fn what_a_temporary_table_must_not_be_tied_to() {
    let mut clinic = Clinic::of("owners", &|_| {});
    clinic.run("CREATE TEMP TABLE mine (id int)");
    for (sql, why) in [
        ("CREATE TEMP TABLE t () INHERITS (clinic.patients)", "inheritance"),
        ("CREATE TEMP TABLE t PARTITION OF clinic.visits DEFAULT", "protected columns"),
        ("CREATE TEMP TABLE t (LIKE clinic.patients INCLUDING DEFAULTS)", "INCLUDING"),
        ("CREATE TEMP TABLE t (LIKE clinic.patients INCLUDING STATISTICS)", "INCLUDING"),
        ("CREATE TEMP TABLE t (id int REFERENCES clinic.patients (id))", "foreign key"),
        ("ALTER TABLE mine ADD FOREIGN KEY (id) REFERENCES clinic.patients (id)", "foreign key"),
        ("ALTER TABLE mine INHERIT clinic.patients", "ALTER TABLE"),
        ("CREATE TEMP TABLE t (s text DEFAULT query_to_xml('SELECT 1', true, false, '')::text)", "list"),
        ("CREATE TEMP TABLE t (s text CHECK (public.leak(s) IS NULL))", "list"),
        ("CREATE INDEX ON mine (public.leak(id))", "list"),
        ("CREATE TEMP TABLE t (p clinic.patients)", "list of types"),
        ("CREATE TEMP VIEW v AS SELECT id FROM clinic.patients", "protected columns"),
        ("CREATE TEMP VIEW v AS SELECT id FROM clinic.contacts", "protected columns"),
        ("CREATE TEMP VIEW v AS SELECT * FROM billing.open_invoices", "committed tables"),
        ("CREATE TEMP VIEW v AS SELECT * FROM pg_attribute", "seen in part"),
        ("CREATE TEMP VIEW patients AS SELECT 1 AS id", "has that name"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "REPLACE"),
        ("CREATE TEMP VIEW v AS SELECT * FROM mine", "temporary table"),
        ("CREATE VIEW v AS SELECT * FROM mine", "temporary table"),
        ("CREATE TEMP SEQUENCE s", "temporary sequences"),
        ("CREATE TEMP TABLE t AS EXECUTE p", "anything but a query"),
        ("SELECT * FROM pg_temp.patients", "pg_temp.patients does not exist"),
        ("SELECT * FROM pg_temp_3.mine", "pg_temp_3"),
        ("SELECT x FROM (SELECT 1 AS x INTO t) s", "INTO"),
        ("COPY (SELECT 1 INTO TEMP t) TO STDOUT", "INTO"),
        ("DECLARE c CURSOR FOR SELECT 1 AS x INTO t", "INTO"),
        ("WITH w AS (SELECT 1 AS x INTO t) SELECT * FROM w", "INTO"),
        ("SELECT 1 AS x UNION SELECT 2 INTO t", "INTO"),
        ("CREATE TEMP TABLE t AS SELECT 1 AS x; SELECT * FROM mine", "must be sent alone"),
    ] {
        let message = clinic.refusal(sql).message;
        assert!(message.contains(why), "{sql}: {message}");
    }
}

#[test]
fn a_temporary_table_and_what_was_decided_before_it() {
    let mut clinic = Clinic::analyst();
    let mut decisions = Decisions::default();
    let decide = |clinic: &Clinic, decisions: &mut Decisions, sql: &str| {
        let context = Context {
            profile: &clinic.profile,
            snapshot: &clinic.snapshot,
            footing: &Footing::on(&clinic.search_path),
            own: &clinic.own,
            token: &token,
        };
        decisions.decide(&context, Path::Simple, sql, &[]).outcome.clone()
    };
    assert!(matches!(decide(&clinic, &mut decisions, "TABLE t"), Outcome::Refused { .. }));
    clinic.run("CREATE TEMP TABLE t (id int)");
    assert!(matches!(decide(&clinic, &mut decisions, "TABLE t"), Outcome::Permitted { .. }));
    clinic.run("DISCARD TEMP");
    assert!(matches!(decide(&clinic, &mut decisions, "TABLE t"), Outcome::Refused { .. }), "the set is a ground");
}

#[test]
fn making_one_is_on_record_and_who_may_read_nothing_makes_none() {
    let clinic = Clinic::analyst();
    let ruling = clinic.decide("CREATE TEMP TABLE t AS SELECT ssn FROM clinic.patients");
    let objects = &ruling.statements[0].event.objects;
    let told: Vec<_> = objects.iter().map(|touched| (touched.object.as_str(), touched.action.as_str())).collect();
    assert_eq!(told, [("clinic.patients", "select"), ("pg_temp.t", "ddl")]);
    assert_eq!(ruling.statements[0].event.class, "ddl");
    assert!(ruling.scrub_diagnostics());
    let nobody = Clinic::of("nobody", &|_| {});
    nobody.refusal("CREATE TEMP TABLE t (id int)");
}

#[test]
fn what_needs_approval_reads_no_temporary_table() {
    let mut clinic = approval::held_clinic();
    clinic.run("CREATE TEMP TABLE t (id int, amount numeric)");
    let refusal = clinic.refusal("UPDATE billing.invoices SET amount = t.amount FROM t WHERE t.id = invoices.id");
    assert!(refusal.message.contains("nobody else sees"), "{}", refusal.message);
}

#[test]
fn a_view_of_the_sessions_own_reads_tables_that_are_not_protected_then_as_now() {
    let mut clinic = Clinic::analyst();
    assert_eq!(
        clinic.run("CREATE TEMP VIEW recent AS SELECT * FROM billing.invoices WHERE amount > 5"),
        "CREATE TEMPORARY VIEW pg_temp.recent AS SELECT * FROM billing.invoices WHERE amount > 5"
    );
    let ruling = clinic.decide("SELECT count(*) FROM recent");
    assert!(ruling.statements[0].event.objects.iter().any(|touched| touched.object == "billing.invoices"));
    assert_eq!(clinic.upstream("SELECT count(*) FROM recent"), "SELECT pg_catalog.count(*) FROM pg_temp.recent");
    for (sql, why) in [
        ("UPDATE recent SET amount = 1", "only tables"),
        ("TRUNCATE recent", "it is a view"),
        ("ALTER VIEW recent RENAME TO x", "it is a view"),
        ("COPY recent TO STDOUT", "cannot copy from view"),
    ] {
        assert!(clinic.refusal(sql).message.contains(why), "{sql}: {}", clinic.refusal(sql).message);
    }
    // Somebody has it protected, or puts another one in its place.
    let own = clinic.own.clone();
    for change in [
        &(|catalog: &mut Value| catalog["relations"][5]["parents"] = json!([100])) as &dyn Fn(&mut Value),
        &|catalog| catalog["relations"][5]["oid"] = json!(999),
    ] {
        let changed = Clinic { own: own.clone(), ..Clinic::changed(change) };
        assert!(changed.snapshot.relation_named("billing", "invoices").is_some());
        assert!(changed.refusal("SELECT count(*) FROM recent").message.contains("temporary view"));
    }
    assert_eq!(clinic.run("DROP VIEW recent"), "DROP VIEW pg_temp.recent");
    assert!(clinic.refusal("SELECT * FROM recent").unknown_name);
}
