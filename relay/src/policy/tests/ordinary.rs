//! Ordinary work runs, masked.

use super::*;

#[test]
fn a_plain_select_reads_masks_where_columns_are_protected() {
    let sql = Clinic::analyst().upstream("SELECT name, ssn FROM clinic.patients p WHERE id = 7");
    assert!(sql.starts_with("SELECT name, ssn FROM (SELECT scan.id, '***'::pg_catalog.text"), "{sql}");
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
fn a_name_of_the_relays_own_is_refused_where_it_would_stand_for_two_things() {
    let clinic = Clinic::analyst();
    for sql in [
        "SELECT name AS affidavit_part_0_ FROM clinic.patients",
        "SELECT 'affidavit_part_0_' FROM clinic.patients",
        "WITH affidavit_part_0_ AS (SELECT 1 AS ssn) SELECT ssn FROM affidavit_part_0_, clinic.patients p",
        "SELECT affidavit_part_0_.ssn FROM clinic.patients affidavit_part_0_",
        "SELECT \"xaffidavit_part_1_\".ssn FROM clinic.patients p, clinic.patients \"xaffidavit_part_1_\"",
    ] {
        let refusal = clinic.refusal(sql);
        assert!(refusal.message.contains("a name or a value that the relay uses itself"), "{sql}: {}", refusal.message);
    }
    // Nothing stands for anything here.
    clinic.upstream("SELECT 'affidavit_part_0_' AS affidavit_part_0_");
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
fn a_view_of_nothing_protected_is_left_as_it_is() {
    let sql = Clinic::analyst().upstream("SELECT v.amount FROM billing.open_invoices v, billing.invoices i");
    assert!(sql.starts_with("SELECT v.amount FROM billing.open_invoices v, billing.invoices i WHERE"), "{sql}");
    assert_eq!(sql.matches("regclass").count(), 2, "each relation of the statement's own has its guard: {sql}");
}

#[test]
fn what_is_prepared_by_sql_is_masked_and_guarded_like_anything_else() {
    let clinic = Clinic::analyst();
    let plain = clinic.upstream("SELECT ssn FROM clinic.patients WHERE id = $1");
    assert_eq!(
        clinic.upstream("PREPARE p(int) AS SELECT ssn FROM clinic.patients WHERE id = $1"),
        format!("PREPARE p(int) AS {plain}")
    );
    let extended = clinic.decide_by(Path::Extended, "PREPARE p AS SELECT 1");
    assert!(matches!(extended.outcome, Outcome::Refused { refusal } if refusal.message.contains("simple queries")));
}

#[test]
fn of_relations_of_the_system_that_hold_more_the_part_that_tells_nothing_is_seen() {
    let clinic = Clinic::analyst();
    let sql = clinic.upstream("SELECT * FROM pg_subscription");
    assert!(sql.contains("n.subname") && sql.contains("NULL::pg_catalog.text AS subconninfo"), "{sql}");
    let sql = clinic.upstream("SELECT state, query FROM pg_stat_activity");
    assert!(sql.contains("NULL::pg_catalog.text AS query") && !sql.contains("n.query"), "{sql}");
    let sql = clinic.upstream("SELECT ssl FROM pg_catalog.pg_stat_ssl");
    assert!(sql.contains("n.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"), "{sql}");
    let sql = clinic.upstream("SELECT relname, n_dead_tup FROM pg_stat_user_tables");
    assert!(sql.contains("n.relname, CASE WHEN s.shown IS NOT NULL THEN n.n_dead_tup END AS n_dead_tup"), "{sql}");
    // Neither what is protected, nor what a key ties to a masked column, nor what policy does not let them read.
    assert!(sql.contains("unnest('{300,301}'::pg_catalog.oid[])"), "{sql}");
    let sql = clinic.upstream("SELECT xact_commit, tup_fetched FROM pg_stat_database");
    assert!(sql.contains("n.xact_commit, CASE WHEN false THEN n.tup_fetched END AS tup_fetched"), "{sql}");
    // This server does not say which columns it has.
    clinic.refusal("SELECT * FROM pg_locks");
}

/// A key of the patients, and another name for one thing.
fn keyed(catalog: &mut Value) {
    catalog["relations"][0]["primary_key"] = json!([1]);
    catalog["relations"][4]["primary_key"] = json!([1]);
}

#[test]
fn what_is_grouped_by_a_primary_key_is_grouped_by_what_depends_on_it() {
    let clinic = Clinic::changed(&keyed);
    for (sql, grouped) in [
        ("SELECT p.id, p.name, count(*) FROM clinic.patients p GROUP BY p.id", "GROUP BY p.id, p.name"),
        (
            "SELECT id, upper(name) FROM clinic.patients GROUP BY 1 ORDER BY ssn",
            "GROUP BY 1, patients.name, patients.ssn",
        ),
        (
            "SELECT clinic.patients.id FROM clinic.patients GROUP BY clinic.patients.id HAVING max(clinic.patients.zip) = ''",
            "GROUP BY patients.id, patients.zip HAVING",
        ),
        (
            "SELECT p.name, i.status FROM clinic.patients p JOIN billing.invoices i ON i.patient_id = p.id GROUP BY p.id, i.status",
            "GROUP BY p.id, i.status, p.name",
        ),
        (
            "SELECT p.* FROM clinic.patients p GROUP BY p.id",
            "GROUP BY p.id, p.birth_date, p.email, p.mrn, p.name, p.phone, p.ssn, p.visited, p.zip",
        ),
    ] {
        let upstream = clinic.upstream(sql);
        assert!(upstream.contains(grouped), "{sql}\n{upstream}");
    }
    for (sql, grouped) in [
        // By something else than the key, or what PostgreSQL knows the key of itself.
        ("SELECT p.name FROM clinic.patients p GROUP BY p.zip", "GROUP BY p.zip"),
        ("SELECT p.name FROM billing.payers p GROUP BY p.id", "GROUP BY p.id"),
        ("SELECT p.name FROM clinic.patients p GROUP BY ROLLUP (p.id)", "GROUP BY ROLLUP (p.id)"),
        ("SELECT p.b FROM clinic.patients p(id, b) GROUP BY p.id", "GROUP BY p.id"),
    ] {
        let upstream = clinic.upstream(sql);
        let after = upstream.split_once(grouped).unwrap_or_else(|| panic!("{sql}\n{upstream}")).1;
        assert!(!after.starts_with(','), "{sql}\n{upstream}");
    }
}

#[test]
fn syntax_that_an_older_server_takes_for_calls_is_let_through_where_it_is_syntax() {
    const FORMS: [(u32, &str); 9] = [
        (
            16,
            "SELECT JSON_OBJECT('a': 1, 'b': name ABSENT ON NULL WITH UNIQUE KEYS RETURNING jsonb) FROM billing.payers",
        ),
        (16, "SELECT JSON_ARRAY(1, name FORMAT JSON NULL ON NULL), JSON_ARRAY(SELECT id FROM billing.payers)"),
        (16, "SELECT JSON_OBJECTAGG(id: name), JSON_ARRAYAGG(name ORDER BY id RETURNING text) FROM billing.payers"),
        (16, "SELECT name IS JSON, name IS NOT JSON OBJECT WITH UNIQUE KEYS FROM billing.payers"),
        (
            17,
            "SELECT JSON_VALUE(name, '$.a' PASSING 1 AS x RETURNING int DEFAULT 0 ON EMPTY ERROR ON ERROR) FROM billing.payers",
        ),
        (
            17,
            "SELECT JSON_QUERY(name, '$.a' WITH CONDITIONAL WRAPPER OMIT QUOTES), JSON_EXISTS(name, '$') FROM billing.payers",
        ),
        (17, "SELECT JSON_SCALAR(1), JSON_SERIALIZE('{}' RETURNING text), JSON('{}' WITH UNIQUE KEYS)"),
        (
            17,
            "SELECT t.a FROM JSON_TABLE('[]', '$[*]' AS p COLUMNS (o FOR ORDINALITY, a int PATH '$.a' NULL ON EMPTY, NESTED PATH '$.b' COLUMNS (c text EXISTS PATH '$'))) AS t",
        ),
        (16, "SELECT xmlserialize(DOCUMENT '<a/>' AS text INDENT)"),
    ];
    for version in [15, 16, 17, 18] {
        let clinic = Clinic::changed(&|catalog| catalog["server_version_num"] = json!(version * 10_000));
        for (since, sql) in FORMS {
            if version < since {
                clinic.refusal(sql);
            } else {
                clinic.upstream(sql);
            }
        }
        clinic.refusal("SELECT JSON_OBJECT('a': leak(name)) FROM billing.payers");
        clinic.refusal("SELECT JSON_VALUE(name, '$' RETURNING positive) FROM billing.payers");
    }
}

/// One sequence for each of: a clear key, a protected column, a table that nobody protects, nothing.
fn numbered(catalog: &mut Value) {
    let sequence = |oid: u32, schema: &str, name: &str, columns: Value| json!({"oid": oid, "schema": schema, "name": name, "columns": columns});
    catalog["sequences"] = json!([
        sequence(600, "clinic", "patients_id_seq", json!([[100, 1]])),
        sequence(601, "clinic", "mrn_seq", json!([[100, 2]])),
        sequence(602, "billing", "payers_id_seq", json!([[300, 1]])),
        sequence(603, "billing", "Loose", json!([])),
        sequence(604, "clinic", "loose", json!(null)),
    ]);
}

#[test]
fn sequences_are_used_by_who_may_use_their_columns_unless_they_tell_a_protected_one() {
    let analyst = Clinic::changed(&numbered);
    for (sql, upstream) in [
        (
            "SELECT nextval('billing.payers_id_seq')",
            "SELECT pg_catalog.nextval('billing.payers_id_seq'::pg_catalog.regclass)",
        ),
        (
            "SELECT setval(pg_get_serial_sequence('billing.payers', 'id'), 5, false)",
            "SELECT pg_catalog.setval('billing.payers_id_seq'::pg_catalog.regclass, 5, false)",
        ),
        (
            "SELECT currval('patients_id_seq'::regclass)",
            "SELECT pg_catalog.currval('clinic.patients_id_seq'::pg_catalog.regclass)",
        ),
        (
            "SELECT last_value FROM patients_id_seq",
            "SELECT last_value FROM clinic.patients_id_seq WHERE 'clinic.patients_id_seq'::pg_catalog.regclass::pg_catalog.oid OPERATOR(pg_catalog.=) '600'::pg_catalog.oid",
        ),
    ] {
        assert_eq!(analyst.upstream(sql), upstream);
    }
    for (sql, part) in [
        ("SELECT nextval('clinic.patients_id_seq')", "policy does not permit taking numbers for clinic.patients"),
        ("SELECT currval('clinic.mrn_seq')", "protected column"),
        ("SELECT * FROM clinic.mrn_seq", "protected column"),
        ("SELECT last_value FROM clinic.loose", "may number a protected column"),
        ("SELECT * FROM pg_sequences", "protected column"),
        ("SELECT * FROM pg_sequence s, pg_get_sequence_data(s.seqrelid)", "protected column"),
        (r#"SELECT nextval('billing."Loose"')"#, "policy does not permit using a sequence of schema billing"),
        ("SELECT nextval('billing.' || 'payers_id_seq')", "plain name"),
        ("SELECT nextval(name) FROM billing.payers", "plain name"),
        ("SELECT nextval('billing.payers_id_seq'::regclass::oid)", "plain name"),
        ("SELECT lastval()", "protected column"),
    ] {
        let refusal = analyst.refusal(sql);
        assert!(refusal.message.contains(part), "{sql}: {}", refusal.message);
    }
    let operator = Clinic::of("operators", &numbered);
    operator.upstream(r#"SELECT nextval('billing."Loose"')"#);
    let open = Clinic::changed(&|catalog| {
        numbered(catalog);
        catalog["sequences"].as_array_mut().unwrap().retain(|one| one["oid"] != 601 && one["oid"] != 604);
    });
    open.upstream("SELECT last_value FROM pg_sequences");
    open.upstream("SELECT lastval()");
    open.upstream("SELECT last_value FROM pg_sequence s, pg_get_sequence_data(s.seqrelid)");
}

#[test]
fn a_sample_of_what_is_masked_is_taken_row_by_row_inside_of_its_scan() {
    let clinic = Clinic::analyst();
    let sql = clinic.upstream("SELECT id FROM billing.payers TABLESAMPLE system (10)");
    assert!(
        sql.contains("TABLESAMPLE pg_catalog.system(10)") && sql.contains("'billing.payers'::pg_catalog.regclass"),
        "{sql}"
    );
    let sql = clinic.upstream("SELECT p.ssn FROM ONLY clinic.patients p TABLESAMPLE system ($1)");
    assert!(
        sql.contains("FROM ONLY clinic.patients scan TABLESAMPLE pg_catalog.bernoulli($1) WHERE 'clinic.patients'"),
        "{sql}"
    );
    for sql in [
        "SELECT id FROM clinic.patients TABLESAMPLE system (10) REPEATABLE (1)",
        "SELECT id FROM clinic.patients TABLESAMPLE system ((SELECT 1))",
        "INSERT INTO billing.payers SELECT id, 'x' FROM clinic.patients TABLESAMPLE system (10)",
        "SELECT id FROM clinic.contacts TABLESAMPLE system (10)",
        "SELECT id FROM billing.payers TABLESAMPLE mine (10)",
        "SELECT id FROM billing.payers TABLESAMPLE system (leak('x'))",
    ] {
        clinic.refusal(sql);
    }
}

#[test]
fn a_function_that_users_made_visible_later_is_refused_by_its_name() {
    let plain = Clinic::analyst();
    plain.upstream("SELECT upper('a')");
    let shadowed = Clinic::changed(&|catalog| catalog["functions"] = json!([["clinic", "upper", false]]));
    assert!(shadowed.refusal("SELECT upper('a')").message.contains("upper"));
}

#[test]
fn every_listed_function_is_written_back_exactly() {
    let clinic = Clinic::analyst();
    for function in crate::rewrite::functions::all().filter(|name| *name != "lower") {
        clinic.upstream(&format!("SELECT \"{function}\"(1, 'a')"));
        clinic.upstream(&format!("SELECT pg_catalog.\"{function}\"(VARIADIC ARRAY[1])"));
    }
}

/// Forms that people, ORMs and drivers write; what counts is that each is written back exactly and masked or guarded.
const FORMS: &[&str] = &[
    "select 1; select 2",
    "select 1 as \"One\", 'x' y, -1, - 1, 2 - -1, +5, 1.50, 1e10, .5, 12345678901234567890, true, null",
    "select E'a\\nb', $$dollar$$, U&'\\0061', B'101', X'1F', 'it''s'",
    "select date '2020-01-01', interval '1 day', interval '1' year, interval '1-2' year to month, interval(3) '1 second', timestamp(3) with time zone '2020-01-01', time '10:00', bit '101', bit(3) '101', char(3) 'abc', double precision '1.5'",
    "select id::bigint, cast(name as varchar(10)), name::char(4), amount::numeric(5,1), id::int[] from billing.payers, billing.invoices",
    "select * from billing.payers p(a, b) where a in (1, 2, 3) and b not in ('x') and a between 1 and 5 and b not between symmetric 'a' and 'b'",
    "select * from billing.payers where name like 'a%' or name ilike '%b' escape '!' or name not like 'c' or name similar to 'x' or name ~* 'z' or name is null or name is not null",
    "select not id > 1, not (id > 1 and id < 5), (id > 1) is true, (id > 1) is not unknown, id is distinct from 5 from billing.payers",
    "select case when id = 1 then 'a' when id = 2 then 'b' else 'c' end, case id when 1 then 2 end from billing.payers",
    "select count(*), count(distinct status), sum(amount) filter (where status = 'open'), array_agg(id order by id desc nulls last) from billing.invoices group by status having count(*) > 1 order by 1 desc, status collate \"C\" asc nulls first limit 10 offset 5",
    "select status, sum(amount) over (partition by status order by id rows between unbounded preceding and current row), row_number() over w, lag(amount, 1) over (w range between '1' preceding and '1' following exclude ties) from billing.invoices window w as (partition by patient_id order by id)",
    "select distinct on (status) * from billing.invoices order by status, id fetch first 3 rows with ties",
    "select * from billing.invoices i join billing.payers p on p.id = i.id left join billing.payers q using (id) right join billing.payers r on true full join billing.payers s using (id) as j cross join billing.payers t natural join billing.payers u",
    "select * from (billing.invoices i join billing.payers p on p.id = i.id) as x",
    "select * from billing.invoices i, lateral (select * from billing.payers p where p.id = i.id) l",
    "with a as (select 1 as n), b(m) as not materialized (select n from a) select * from a, b where n = m union all select 1, 2 intersect (select 3, 4 except select 5, 6) order by 1",
    "values (1, 'a'), (2, null) order by 1",
    "select (select max(id) from billing.payers), exists (select 1), array(select id from billing.payers), id = any (array[1,2]), id <> all (select 1), (id, name) = (1, 'a'), (id, name) in (select 1, 'a'), row(id, name) from billing.payers",
    "select a[1], a[1:2], a[:2][3:], (array[[1,2],[3,4]])[1][2], array[]::int[] from (select array[1,2,3] as a) x",
    "select extract(year from now()), date_part('year', now()), now() at time zone 'UTC', current_date, current_timestamp(3), localtime, current_user, session_user, current_schema, current_catalog, position('a' in 'b'), substring('abc' from 2 for 1), substring('abc' from 'b'), substring('a' similar 'b' escape '#'), trim(leading 'x' from 'y'), trim(' a '), overlay('a' placing 'b' from 1 for 2), collation for ('a'), normalize('a', nfc), 'a' is normalized, (date '2020-01-01', date '2020-02-01') overlaps (date '2020-01-15', interval '1 month')",
    "select coalesce(name, 'x'), nullif(name, ''), greatest(1, 2), least(1, 2) from billing.payers",
    "select '{\"a\":1}'::jsonb -> 'a' ->> 'b', '{}'::jsonb @> '{}', '{}'::jsonb ? 'a', jsonb_build_object('a', 1) #>> '{a}', '{}'::jsonb @? '$.a'",
    "select * from generate_series(1, 10) with ordinality as g(n, o), unnest(array['a','b']) u, rows from (generate_series(1,2), generate_series(1,3)) as r(x, y)",
    "select * from unnest(array[1,2], array['a','b']) with ordinality as u(id, name, place)",
    "select * from rows from (generate_series(1,3), unnest($1::int[], $2::text[], array[true])) as r",
    "insert into billing.payers (id, name) select * from unnest(($1)::int[], ($2)::varchar(40)[])",
    "select current_setting($1::varchar), current_setting($2, true)",
    "select * from json_to_recordset('[]') as x(a int, b text), jsonb_each('{}') e(k, v)",
    "select format('%s-%I', 'a', 'b'), to_char(now(), 'YYYY-MM-DD'), regexp_replace('a', 'b', 'c', 'g'), string_to_array('a,b', ','), array_to_string(array[1], ','), md5('x'), encode('a'::bytea, 'hex')",
    "select grouping(status), status from billing.invoices group by rollup (status), grouping sets ((id), ()), cube (amount, patient_id)",
    "select percentile_cont(0.5) within group (order by amount), mode() within group (order by status) from billing.invoices",
    "select make_interval(days => 3), generate_series(1, 3), p.*, p from billing.payers p",
    "select * from billing.payers where id = $1 and name = $2::text and id = any ($3::int[])",
    "select 1 where 2 + 3 * 4 - 5 / 6 % 7 ^ 8 > 9 and 'a' || 'b' || 'c' = 'd' and 1 = 1 is true",
    "select -id, - (- id), @ id, ~ id, id # 5, id << 2, |/ 25.0, id ^ 2 from billing.payers",
    "select * from billing.payers for update of payers nowait",
    "table billing.payers",
    "select all id from billing.payers where id operator(pg_catalog.=) 1",
    "select 't'::bool, 'f'::boolean as no, cast('t' as bool), 'yes'::bool",
    "select 'happy'::mood, 'sad'::public.mood, array['happy']::mood[]",
    "select to_tsvector('english', 'a b') @@ plainto_tsquery('a'), 'a' <-> 'b'",
    "insert into billing.payers (id, name) values (1, 'a'), (2, default) on conflict (id) do update set name = excluded.name where payers.id > 0 returning id, name as n",
    "insert into billing.payers select id, 'x' from billing.invoices on conflict do nothing",
    "insert into billing.payers default values",
    "insert into billing.payers as p (id) overriding system value values (1) on conflict on constraint payers_pkey do nothing",
    "update billing.invoices i set amount = amount * 2, status = default, (id, status) = (select 1, 'a') from billing.payers p where p.id = i.id returning i.*",
    "update only billing.payers set name = 'x' where id = 1",
    "delete from billing.invoices i using billing.payers p where p.id = i.id and i.id = $1 returning *",
    "with x as (select 1 as id) delete from billing.payers where id in (select id from x)",
    "begin",
    "begin isolation level serializable read only deferrable",
    "start transaction",
    "commit",
    "end",
    "abort",
    "rollback",
    "savepoint a",
    "release a",
    "rollback to savepoint a",
    "commit and chain",
    "set application_name = 'x'",
    "set timezone to 'Europe/Vienna'",
    "set time zone local",
    "set statement_timeout = 5000",
    "set local lock_timeout = '5s'",
    "set datestyle = iso, mdy",
    "set session characteristics as transaction isolation level repeatable read",
    "set transaction read only",
    "reset timezone",
    "reset all",
    "set client_encoding = 'UTF8'",
    "set extra_float_digits = 3",
    "set names 'utf8'",
    "set standard_conforming_strings = on",
    "show transaction isolation level",
    "show server_version",
    "show search_path",
    "show timezone",
    "show standard_conforming_strings",
    "discard all",
    "deallocate all",
    "deallocate \"_pg3_0\"",
    "close all",
    "prepare p (pg_catalog.oid, varchar(3)[], int) as select relname from pg_class where oid = $1",
    "prepare p as insert into billing.payers (id, name) values ($1, $2) returning id",
    "prepare p as delete from billing.payers where id = $1",
    "execute p",
    "execute p ('6100', -1, null, array[1,2], 'x'::text)",
    "deallocate p",
    "lock table billing.payers, clinic.patients in access share mode",
    "lock clinic.visits in access share mode nowait",
    "set row_security = off",
    "set synchronize_seqscans to off",
    "select set_config(name, 'view, foreign-table', false) from pg_settings where name = 'restrict_nonsystem_relation_kind'",
    "select count(*) from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())",
    "unlisten *",
    "explain select * from billing.payers",
    "explain (format json, verbose, costs off) select 1",
    "select c.relname from pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'x' and c.relkind = any (array['r','v']::\"char\"[]) and pg_catalog.pg_table_is_visible(c.oid)",
    "select 'pg_class'::regclass::oid, 16384::regclass::text, a.atttypid::regtype, format_type(a.atttypid, a.atttypmod) from pg_attribute a",
    "select set_config('bytea_output','hex',false) from pg_show_all_settings() where name = 'bytea_output'",
    "select s.name, pg_catalog.current_setting(s.name) from pg_catalog.pg_settings s where s.source <> 'default'",
    "show work_mem",
    "reset search_path",
    "set session authorization default",
    "reset role",
    "set constraints all immediate",
    "set constraints billing.a, b deferred",
    "select * from billing.payers tablesample bernoulli (10) repeatable (7) where id > 1",
    "select * from billing.payers p tablesample system (5.5)",
    "select name from billing.payers order by name collate \"en-x-icu\", name collate other.thing",
    "select point(1, 2), '(1,2)'::point <-> '<(0,0),1>'::circle, area('<(0,0),1>'::circle), inet '10.0.0.1' <<= '10.0.0.0/8'",
    "select pg_try_advisory_xact_lock(1), txid_current(), pg_column_size('x'), hashtext('x')",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) search depth first by n set o cycle n set c using p select * from t",
    "with recursive t(n) as (select 1 union all select n from t) cycle n set c to 'y' default 'n' using p select * from t",
    "select xmlelement(name a, xmlattributes(id as i), name), xmlforest(id, name as n), xmlconcat('<a/>', '<b/>'), xmlpi(name php), xmlroot('<a/>', version '1.0'), '<a/>' is document, xmlserialize(content '<a/>' as text) from billing.payers",
    "select t.* from billing.payers p, xmltable('/r' passing p.name columns a int path '@a' default 1 not null, o for ordinality) as t",
    "select table_name, column_name from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')",
];

#[test]
fn ordinary_forms_are_written_back_exactly_and_run() {
    let clinic = Clinic::analyst();
    let refused: Vec<String> = FORMS
        .iter()
        .filter_map(|sql| match clinic.decide(sql).outcome {
            Outcome::Permitted { .. } | Outcome::Held { .. } => None,
            Outcome::Refused { refusal } => Some(format!("{sql}\n    {}", refusal.message)),
        })
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn in_which_part_a_row_is_can_be_asked_where_the_whole_is_cut_by_a_clear_column() {
    let clinic = Clinic::analyst();
    let sql = clinic.upstream("SELECT tableoid::regclass AS part, count(*) FROM clinic.visits GROUP BY 1");
    assert!(sql.contains(", scan.tableoid AS tableoid FROM clinic.visits scan WHERE"), "{sql}");
    let sql = clinic.upstream(
        "SELECT v.tableoid, s.d FROM (SELECT v.department AS d FROM clinic.visits v) s, ONLY clinic.visits v",
    );
    assert!(sql.matches("scan.tableoid").count() == 1 && sql.contains("FROM ONLY clinic.visits scan"), "{sql}");
    // Where all columns come along, it is none of them.
    for sql in [
        "SELECT tableoid, v.* FROM clinic.visits v",
        "SELECT id FROM clinic.visits v NATURAL JOIN billing.payers WHERE v.tableoid = 1",
        "SELECT * FROM clinic.visits WHERE tableoid = 1",
        "INSERT INTO billing.payers SELECT v.tableoid::int, 'x' FROM clinic.visits v",
    ] {
        assert!(!clinic.upstream(sql).contains("scan.tableoid"), "{sql}");
    }
    for key in [[5], [0], [6]] {
        let clinic = Clinic::changed(&|catalog| catalog["relations"][1]["partition_key"] = json!(key));
        assert!(!clinic.upstream("SELECT tableoid FROM clinic.visits").contains("scan.tableoid"));
    }
    let clinic = Clinic::changed(&|catalog| catalog["relations"][1]["partition_key"] = json!([3]));
    assert!(clinic.upstream("SELECT tableoid FROM clinic.visits").contains("scan.tableoid"));
}

#[test]
fn a_query_in_a_constant_is_rewritten_as_any_other() {
    let clinic = Clinic::analyst();
    let sql = clinic.upstream("SELECT word FROM ts_stat('SELECT to_tsvector(status) FROM billing.invoices', 'ab')");
    assert!(
        sql.contains("pg_catalog.ts_stat('SELECT pg_catalog.to_tsvector(status) FROM billing.invoices WHERE ''billing.invoices''::pg_catalog.regclass"),
        "{sql}"
    );
    for sql in [
        "SELECT word FROM ts_stat('SELECT to_tsvector(name) FROM clinic.patients')",
        "SELECT word FROM ts_stat('SELECT to_tsvector(email) FROM clinic.contacts')",
        "SELECT word FROM ts_stat('SELECT 1; SELECT 2')",
        "SELECT word FROM ts_stat('DELETE FROM billing.invoices RETURNING 1')",
        "SELECT word FROM ts_stat('WITH d AS (DELETE FROM billing.invoices RETURNING 1) SELECT 1 FROM d')",
        "SELECT word FROM ts_stat('SELECT ' || 'x')",
        "SELECT word FROM ts_stat($1)",
        "SELECT word FROM ts_stat('SELECT public.leak(1)')",
        "SELECT word FROM ts_stat('SELECT to_tsvector(state) FROM pg_stat_activity')",
        "SELECT word FROM ts_stat('SELECT word FROM ts_stat(''SELECT to_tsvector(ssn) FROM clinic.patients'')')",
        "SELECT word FROM ts_stat('SELECT id FROM billing.invoices FOR UPDATE')",
    ] {
        clinic.refusal(sql);
    }
    Clinic::of("operators", &|_| {})
        .refusal("CREATE VIEW billing.v AS SELECT word FROM ts_stat('SELECT to_tsvector(name) FROM payers')");
}
