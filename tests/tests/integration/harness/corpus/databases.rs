//! Databases that a corpus fills and copies.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::Database;

/// A copy, with the same OIDs.
pub(crate) fn copy(server: &Database, from: &str, to: &str) {
    server.run(&format!("CREATE DATABASE \"{to}\" TEMPLATE \"{from}\""));
}

/// Runs a script; `\echo` tells a failure's message where it was.
pub(crate) fn script(psql: Command, database: &str, sql: &str) {
    try_script(psql, database, sql).unwrap_or_else(|failure| panic!("script for {database}, {failure}"));
}

/// As [`script`]; a failure is told.
pub(crate) fn try_script(mut psql: Command, database: &str, sql: &str) -> Result<(), String> {
    psql.args(["--quiet", "--set=ON_ERROR_STOP=1", "--dbname", database, "--file=-"]).stdin(Stdio::piped());
    let mut psql = psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = psql.stdin.take().unwrap();
    let text = sql.to_owned();
    let writer = std::thread::spawn(move || {
        let _ended = input.write_all(text.as_bytes());
    });
    let output = psql.wait_with_output().unwrap();
    writer.join().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let place = said.lines().last().unwrap_or_default();
    Err(format!("{place}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The relay's classification of these relations: the style of each column that is named.
pub(crate) fn classification<'a>(
    protects: impl IntoIterator<Item = (&'a String, &'a BTreeMap<String, toml::Value>)>,
) -> String {
    let mut text = String::new();
    for (relation, columns) in protects {
        let columns: Vec<String> = columns.iter().map(|(name, style)| format!("{name} = {style}")).collect();
        writeln!(text, "[[table]]\nname = \"{relation}\"\ncolumns = {{ {} }}", columns.join(", ")).unwrap();
    }
    text
}
