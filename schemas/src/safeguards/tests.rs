//! Small catalogues over a few rows, and the one that is shipped.

use super::*;
use crate::tables::{ApprovalRow, MaskingRow, Row, Table, Time, Value};

const HEAD: &str = "framework = \"F\"\nsource = \"s\"\nnote = \"n\"\nunanswered = []\n";

/// A catalogue of one safeguard with these counts and exceptions, each a TOML table of a query.
fn catalogue(counts: &[&str], exceptions: &[&str]) -> String {
    let mut text = format!(
        "{HEAD}[[safeguard]]\ncitation = \"C\"\ntitle = \"t\"\ndesignation = \"standard\"\nasks = \"a\"\nshows = \"s\"\n\
         not_covered = [\"x\"]\n"
    );
    let list = |queries: &[&str], more: &str| {
        let entries: Vec<String> =
            queries.iter().map(|query| format!("{{ label = \"l\", {more}query = {query} }}")).collect();
        entries.join(", ")
    };
    text.push_str(&format!("count = [{}]\n", list(counts, "")));
    text.push_str(&format!("exception = [{}]\n", list(exceptions, "show = [\"session\", \"statement\"], ")));
    text
}

fn masking(statement: u64, subject: &str, treatment: &str) -> Vec<Value> {
    let row = MaskingRow {
        session: "s".to_owned(),
        statement,
        time: Time(statement),
        issuer: "i".to_owned(),
        subject: subject.to_owned(),
        connection: "c".to_owned(),
        object: "clinic.patients".to_owned(),
        column: "ssn".to_owned(),
        treatment: treatment.to_owned(),
        style: None,
        decision: "permitted".to_owned(),
    };
    row.values()
}

fn answered(text: &str, rows: &[(Table, Vec<Value>)]) -> Answer {
    let mut answering = Answering::new(text).unwrap();
    for (table, row) in rows {
        answering.row(*table, row);
    }
    answering.finish().answers.remove(0)
}

fn maskings() -> Vec<(Table, Vec<Value>)> {
    [(1, "ana", "masked"), (2, "ana", "revealed"), (3, "ben", "masked")]
        .map(|(statement, subject, treatment)| (Table::Masking, masking(statement, subject, treatment)))
        .to_vec()
}

#[test]
fn rows_distinct_values_and_sums_are_counted() {
    let text = catalogue(
        &[
            "{ table = \"masking\" }",
            "{ table = \"masking\", where = [{ column = \"treatment\", is = \"masked\" }] }",
            "{ table = \"masking\", measure = { distinct = [\"issuer\", \"subject\"] } }",
            "{ table = \"masking\", measure = { sum = \"statement\" } }",
            "{ table = \"denials\" }",
        ],
        &[],
    );
    let counts: Vec<u64> = answered(&text, &maskings()).counts.iter().map(|count| count.count).collect();
    assert_eq!(counts, [3, 2, 2, 6, 0]);
}

#[test]
fn each_test_tells_rows_apart() {
    for (condition, expected) in [
        ("{ column = \"subject\", is-not = \"ana\" }", 1),
        ("{ column = \"subject\", in = [\"ana\", \"ben\"] }", 3),
        ("{ column = \"subject\", not-in = [\"ana\", \"ben\"] }", 0),
        ("{ column = \"style\", empty = true }", 3),
        ("{ column = \"style\", is-not = \"last4\" }", 3),
        ("{ column = \"style\", same-as = \"subject\" }", 0),
        ("{ column = \"subject\", same-as = \"subject\" }", 3),
        ("{ column = \"subject\", empty = false }", 3),
        ("{ column = \"statement\", above = 1 }", 2),
        ("{ column = \"time\", above = 2 }", 1),
        ("{ column = \"statement\", is = 2 }", 1),
        ("{ column = \"subject\", above-column = \"treatment\" }", 0),
        ("{ column = \"treatment\", above-column = \"subject\" }", 3),
    ] {
        let text = catalogue(&[&format!("{{ table = \"masking\", where = [{condition}] }}")], &[]);
        assert_eq!(answered(&text, &maskings()).counts[0].count, expected, "{condition}");
    }
}

fn approval(statement: u64, verdict: &str) -> Vec<Value> {
    let columns = ApprovalRow::COLUMNS;
    let value = |name: &str| match name {
        "session" => Value::Text("s".to_owned()),
        "statement" => Value::Integer(i64::try_from(statement).unwrap()),
        "verdict" => Value::Text(verdict.to_owned()),
        _ => Value::Null,
    };
    columns.iter().map(|column| value(column.name)).collect()
}

#[test]
fn a_row_without_partner_is_an_exception_whichever_came_first() {
    let query = "{ table = \"masking\", without = { table = \"approvals\", on = [\"session\", \"statement\"], \
                 where = [{ column = \"verdict\", is = \"approved\" }] } }";
    let text = catalogue(&[], &[query]);
    let mut rows = maskings();
    rows.insert(0, (Table::Approvals, approval(1, "approved")));
    rows.push((Table::Approvals, approval(2, "approved")));
    rows.push((Table::Approvals, approval(3, "denied")));
    let exception = answered(&text, &rows).exceptions.remove(0);
    assert_eq!((exception.count, exception.rows), (1, vec![vec![serde_json::json!("s"), serde_json::json!(3)]]));
}

#[test]
fn long_lists_are_cut_and_counted_whole() {
    let text = catalogue(&[], &["{ table = \"masking\" }"]);
    let rows: Vec<_> = (1..=60).map(|number| (Table::Masking, masking(number, "ana", "masked"))).collect();
    let exception = answered(&text, &rows).exceptions.remove(0);
    assert_eq!((exception.count, exception.rows.len()), (60, LISTED_MAX));
}

#[test]
fn a_catalogue_that_asks_for_what_there_is_not_is_refused() {
    for query in [
        "{ table = \"mask\" }",
        "{ table = \"masking\", where = [{ column = \"mask\", empty = true }] }",
        "{ table = \"masking\", where = [{ column = \"subject\", is = 1 }] }",
        "{ table = \"masking\", where = [{ column = \"subject\", above = 1 }] }",
        "{ table = \"masking\", where = [{ column = \"subject\" }] }",
        "{ table = \"masking\", where = [{ column = \"subject\", is = \"a\", empty = true }] }",
        "{ table = \"masking\", where = [{ column = \"subject\", like = \"a\" }] }",
        "{ table = \"masking\", where = [{ column = \"subject\", same-as = \"statement\" }] }",
        "{ table = \"masking\", measure = { sum = \"subject\" } }",
        "{ table = \"masking\", measure = { distinct = [\"mask\"] } }",
        "{ table = \"masking\", without = { table = \"approvals\", on = [\"treatment\"] } }",
        "{ table = \"masking\", sql = \"SELECT 1\" }",
    ] {
        assert!(Catalogue::parse(&catalogue(&[query], &[])).is_err(), "{query}");
    }
    let shown = catalogue(&[], &["{ table = \"sessions\" }"]);
    assert!(matches!(Catalogue::parse(&shown), Err(SafeguardError::Query { .. })), "sessions have no statement");
    let twice = format!("{}{}", catalogue(&[], &[]), catalogue(&[], &[]).split_off(HEAD.len()));
    assert!(matches!(Catalogue::parse(&twice), Err(SafeguardError::Unreadable(_))));
}

#[test]
fn the_catalogue_of_hipaa_answers_at_least_what_was_promised() {
    let catalogue = Catalogue::parse(HIPAA).unwrap();
    let citations: Vec<&str> = catalogue.safeguard.iter().map(|safeguard| safeguard.citation.as_str()).collect();
    for promised in ["308(a)(4)(ii)(B)", "312(a)(1)", "312(a)(2)(i)", "312(b)", "312(d)", "312(e)(1)", "502(b)"] {
        assert!(citations.contains(&format!("45 CFR 164.{promised}").as_str()), "{promised}");
    }
    for safeguard in &catalogue.safeguard {
        let citation = &safeguard.citation;
        assert!(!safeguard.not_covered.is_empty(), "{citation} says what it does not cover");
        assert!(!safeguard.count.is_empty() && !safeguard.exception.is_empty(), "{citation} is answered by rows");
    }
}

#[test]
fn answers_are_canonical_json_that_reads_back() {
    let mut answering = Answering::new(HIPAA).unwrap();
    for (table, row) in maskings() {
        answering.row(table, &row);
    }
    let answers = answering.finish();
    let bytes = crate::canonical::to_vec(&answers).unwrap();
    assert_eq!(crate::canonical::from_slice::<Answers>("answers", &bytes).unwrap(), answers);
    let minimum = answers.answers.iter().find(|answer| answer.citation.ends_with("164.502(b)")).unwrap();
    assert_eq!((minimum.counts[0].count, minimum.counts[1].count, minimum.exceptions_total()), (2, 1, 1));
}
