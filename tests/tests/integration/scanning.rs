//! `relay scan` proposes a classification that loads, protects what was planted, and holds no value.

use std::path::Path;
use std::process::{Command, Stdio};

use relay::config::{Classification, ColumnStyle};

use crate::harness::{Database, Programs, Relay, Said, repository};

#[test]
fn the_proposal_for_the_clinic_protects_who_its_patients_are_and_repeats_none_of_them() {
    let said = scan(&Relay::shared().config(), &[]);
    assert_eq!(Database::shared().leak_in(&said), None);
    let proposed = classification(&said);
    for (column, style) in [
        ("mrn", "redact"),
        ("name", "redact"),
        ("ssn", "redact"),
        ("birth_date", "year"),
        ("zip", "zip3"),
        ("email", "redact"),
        ("phone", "redact"),
        ("id", "clear"),
    ] {
        let whole = ColumnStyle::Whole(style.to_owned());
        assert_eq!(style_of(&proposed, "clinic.patients", column), Some(&whole), "{column}:\n{said}");
    }
    for (column, protected) in [("notes", true), ("visited_on", true), ("department", false), ("patient_id", false)] {
        let style = style_of(&proposed, "clinic.visits", column).unwrap();
        assert_eq!(!style.is_clear(), protected, "{column}:\n{said}");
    }
    assert!(proposed.table.iter().all(|table| !table.name.starts_with("clinic.visits_")), "a part is its parent's");
    assert!(said.contains("#   billing.payers: nothing says that it is about people"), "{said}");
    assert!(said.contains("100 values have the form"), "values were looked at:\n{said}");
}

#[test]
fn names_alone_are_enough_where_nothing_may_be_read() {
    let said = scan(&Relay::shared().config(), &["--no-sample"]);
    let proposed = classification(&said);
    for column in ["mrn", "name", "ssn", "birth_date", "zip", "email", "phone"] {
        assert!(
            style_of(&proposed, "clinic.patients", column).is_some_and(|style| !style.is_clear()),
            "{column}:\n{said}"
        );
    }
    assert!(!said.contains("100 values") && said.contains("Not sampled"), "{said}");
}

#[test]
fn everything_that_the_attacks_look_for_is_proposed_protected() {
    let database = Database::shared();
    database.run("CREATE DATABASE scanned");
    let mut psql = database.psql();
    psql.args(["--quiet", "--set=ON_ERROR_STOP=1", "--dbname=scanned"]);
    psql.arg("--file").arg(repository().join("tests/attacks/schema.sql"));
    psql.args(["--command", "GRANT USAGE ON SCHEMA clinic, billing TO affidavit_relay"]);
    psql.args(["--command", "GRANT SELECT ON ALL TABLES IN SCHEMA clinic, billing TO affidavit_relay"]);
    assert!(psql.stdout(Stdio::null()).status().unwrap().success());
    let own = Relay::shared().config();
    let config = own.with_file_name("scanned.toml");
    let text = std::fs::read_to_string(&own).unwrap();
    assert!(text.contains("database = \"clinic\""), "{text}");
    std::fs::write(&config, text.replace("database = \"clinic\"", "database = \"scanned\"")).unwrap();

    let said = scan(&config, &[]);
    let proposed = classification(&said);
    let planted: toml::Table =
        toml::from_str(&std::fs::read_to_string(repository().join("tests/attacks/schema.toml")).unwrap()).unwrap();
    let canaries = planted["canaries"].as_table().unwrap();
    for (column, value) in canaries {
        let table = if column == "notes" { "clinic.visits" } else { "clinic.patients" };
        let style = style_of(&proposed, table, column);
        assert!(style.is_some_and(|style| !style.is_clear()), "{table}.{column} is {style:?}:\n{said}");
        assert!(!said.contains(value.as_str().unwrap()), "the value of {column} is told:\n{said}");
    }
    for column in ["id", "ward"] {
        assert!(style_of(&proposed, "clinic.patients", column).is_some_and(ColumnStyle::is_clear), "{column}:\n{said}");
    }
    // It fits that database, as it stands.
    let file = config.with_file_name("proposed.toml");
    std::fs::write(&file, &said).unwrap();
    let relay = Relay::of_superuser(database, "scanned", |data| {
        std::fs::copy(&file, data.join("classification.toml")).unwrap();
    });
    let shown = relay.psql("alice", &["SELECT * FROM clinic.patients WHERE id = 1"]).ok();
    for value in canaries.values().filter_map(toml::Value::as_str) {
        assert!(!shown.contains(value), "{value} is shown:\n{shown}");
    }
    assert!(shown.contains("(1 row)"), "{shown}");
}

#[test]
fn keys_that_are_identifiers_and_what_refers_to_them_are_protected_however_far_away() {
    let database = Database::shared();
    database.run("CREATE DATABASE keyed");
    let sql = "CREATE TABLE holders (mrn integer PRIMARY KEY, \"E-Mail\" text, locked boolean);
        COMMENT ON COLUMN holders.locked IS 'set on the date of death';
        CREATE TABLE stays (stay integer PRIMARY KEY, holder integer REFERENCES holders, started date, cost numeric,
                            doubled numeric GENERATED ALWAYS AS (cost * 2) STORED);
        CREATE TABLE samples (sample integer PRIMARY KEY, stay integer REFERENCES stays, taken date, result text, raw bytea);
        CREATE TABLE \"odd \"\"one\" (\"a = b\n# c\" text, fax text, voice bytea);
        CREATE TABLE codes (code text PRIMARY KEY, label text, introduced date);
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO affidavit_relay";
    let said = Said::by(database.psql().args(["--quiet", "--set=ON_ERROR_STOP=1", "--dbname=keyed", "--command", sql]));
    said.ok();
    let own = Relay::shared().config();
    let config = own.with_file_name("keyed.toml");
    let text = std::fs::read_to_string(&own).unwrap().replace("database = \"clinic\"", "database = \"keyed\"");
    std::fs::write(&config, text).unwrap();
    let said = scan(&config, &[]);
    let proposed = classification(&said);
    let protected =
        |table: &str, column: &str| style_of(&proposed, table, column).is_some_and(|style| !style.is_clear());
    for (table, column) in [
        ("public.holders", "mrn"),
        ("public.holders", "E-Mail"),
        ("public.holders", "locked"),
        ("public.stays", "holder"),
        ("public.stays", "started"),
        ("public.samples", "taken"),
        ("public.samples", "raw"),
        ("public.\"odd \"\"one\"", "fax"),
        ("public.\"odd \"\"one\"", "a = b\n# c"),
    ] {
        assert!(protected(table, column), "{table}.{column}:\n{said}");
    }
    for (table, column) in [("public.samples", "sample"), ("public.samples", "stay"), ("public.stays", "cost")] {
        assert!(!protected(table, column), "{table}.{column}:\n{said}");
    }
    assert!(!proposed.table.iter().any(|table| table.name == "public.codes"), "{said}");
}

#[test]
fn what_cannot_be_scanned_is_said() {
    let config = Relay::shared().config();
    let said = run(&config, "elsewhere", &[]);
    let said = said.refused();
    assert!(said.contains("no connection elsewhere"), "{said}");
    let said = run(Path::new("nowhere.toml"), "clinic", &[]);
    let said = said.refused();
    assert!(said.contains("nowhere.toml"), "{said}");
}

fn scan(config: &Path, more: &[&str]) -> String {
    run(config, "clinic", more).ok()
}

fn run(config: &Path, connection: &str, more: &[&str]) -> Said {
    let mut relay = Command::new(Programs::built().executable("relay"));
    Said::by(relay.args(["scan", connection, "--config"]).arg(config).args(more))
}

fn classification(said: &str) -> Classification {
    toml::from_str(said).unwrap_or_else(|error| panic!("{error}\n{said}"))
}

fn style_of<'a>(classification: &'a Classification, table: &str, column: &str) -> Option<&'a ColumnStyle> {
    classification.table.iter().find(|known| known.name == table)?.columns.get(column)
}
