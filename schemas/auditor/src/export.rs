//! `auditor export`: all sessions with their statements.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use schemas::csv;
use schemas::event::Actor;

use crate::cli::{Format, TrustArguments};
use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::listing;
use crate::names::name;
use crate::summary::{SessionSummary, StatementSummary};
use crate::trust::{self, Trust};

pub(crate) fn run(
    dir: &Path,
    format: Format,
    file: Option<&Path>,
    arguments: &TrustArguments,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let folder = Folder::open(dir)?;
    let trust = trust::decide(&folder, arguments, None, None)?;
    match file {
        None => write(&folder, format, trust, out)?,
        Some(path) => {
            let created = OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::file(path))?;
            let mut buffered = BufWriter::new(created);
            write(&folder, format, trust, &mut buffered)?;
            buffered.flush().map_err(Error::file(path))?;
        }
    }
    Ok(Exit::Holds)
}

fn write(folder: &Folder, format: Format, trust: Trust, out: &mut dyn Write) -> Result<(), Error> {
    match format {
        Format::Csv => write_csv(folder, trust, out),
        Format::Json => write_json(folder, trust, out),
    }
}

/// One session at a time, so that memory holds one.
fn write_json(folder: &Folder, trust: Trust, out: &mut dyn Write) -> Result<(), Error> {
    write!(out, "{{\"verified\":{},\"sessions\":[", trust == Trust::Verified)?;
    for (index, listed) in listing::sessions(folder)?.iter().enumerate() {
        let summary = SessionSummary::read(folder, listed)?;
        out.write_all(if index > 0 { b",\n" } else { b"\n" })?;
        serde_json::to_writer(&mut *out, &summary).map_err(io::Error::from)?;
    }
    out.write_all(b"\n]}\n")?;
    Ok(())
}

fn write_csv(folder: &Folder, trust: Trust, out: &mut dyn Write) -> Result<(), Error> {
    out.write_all(&csv::record(SESSION_COLUMNS.into_iter().chain(STATEMENT_COLUMNS).map(Some)))?;
    for listed in listing::sessions(folder)? {
        let summary = SessionSummary::read(folder, &listed)?;
        let session = session_cells(&summary, trust);
        let nothing = STATEMENT_COLUMNS.map(|_| String::new());
        if summary.statements.is_empty() {
            write_record(session.iter().chain(&nothing), out)?;
        }
        for statement in &summary.statements {
            write_record(session.iter().chain(&statement_cells(statement)), out)?;
        }
    }
    Ok(())
}

fn write_record<'a>(cells: impl Iterator<Item = &'a String>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&csv::record(cells.map(|cell| Some(cell.as_str()))))
}

const SESSION_COLUMNS: [&str; 20] = [
    "verified",
    "session",
    "tenant",
    "environment",
    "relay",
    "actor_kind",
    "issuer",
    "subject",
    "name",
    "groups",
    "acts_for",
    "client_address",
    "client_application",
    "connection",
    "target",
    "policy_sha256",
    "opened",
    "closed",
    "close_reason",
    "recovered",
];

fn session_cells(summary: &SessionSummary, trust: Trust) -> [String; SESSION_COLUMNS.len()] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let details = summary.details.as_ref();
    let detail = |of: fn(&schemas::event::SessionOpen) -> String| details.map(of).unwrap_or_default();
    [
        (trust == Trust::Verified).to_string(),
        summary.session.clone(),
        summary.tenant.clone(),
        summary.environment.clone(),
        summary.relay.clone(),
        detail(|open| name(&open.actor.kind)),
        detail(|open| open.actor.issuer.clone()),
        detail(|open| open.actor.subject.clone()),
        detail(|open| open.actor.name.clone()),
        detail(|open| open.actor.groups.join(";")),
        detail(|open| acts_for(&open.actor)),
        detail(|open| open.client_address.clone()),
        detail(|open| open.client_application.clone()),
        detail(|open| open.connection.clone()),
        detail(|open| open.target.clone()),
        detail(|open| open.policy_sha256.clone()),
        text(&summary.opened),
        text(&summary.closed),
        text(&summary.close_reason),
        summary.recovered.to_string(),
    ]
}

/// `planner;alice`: nearest first.
fn acts_for(actor: &Actor) -> String {
    let chain = std::iter::successors(actor.acts_for.as_deref(), |actor| actor.acts_for.as_deref());
    chain.map(|actor| actor.subject.as_str()).collect::<Vec<_>>().join(";")
}

const STATEMENT_COLUMNS: [&str; 20] = [
    "statement",
    "time",
    "path",
    "class",
    "decision",
    "policies",
    "sqlstate",
    "reason",
    "objects",
    "masked",
    "revealed",
    "executions",
    "rolled_back",
    "outcome",
    "outcome_sqlstate",
    "rows_returned",
    "rows_affected",
    "bytes_returned",
    "bytes_received",
    "text",
];

fn statement_cells(summary: &StatementSummary) -> [String; STATEMENT_COLUMNS.len()] {
    let statement = &summary.statement;
    let decision = &statement.decision;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let objects: Vec<String> = statement.objects.iter().map(|one| format!("{} {}", one.action, one.object)).collect();
    let columns = statement.objects.iter();
    let masked: Vec<String> = columns
        .clone()
        .flat_map(|one| one.masked.iter().map(move |mask| format!("{}.{}={}", one.object, mask.column, mask.style)))
        .collect();
    let revealed: Vec<String> =
        columns.flat_map(|one| one.revealed.iter().map(move |column| format!("{}.{column}", one.object))).collect();
    [
        statement.statement.to_string(),
        summary.time.clone(),
        name(&statement.path),
        statement.class.clone(),
        name(&decision.outcome),
        decision.policies.join(";"),
        text(&decision.sqlstate),
        text(&decision.reason),
        objects.join(";"),
        masked.join(";"),
        revealed.join(";"),
        summary.executions.to_string(),
        summary.rolled_back.to_string(),
        text(&summary.outcome),
        text(&summary.outcome_sqlstate),
        summary.rows_returned.to_string(),
        summary.rows_affected.to_string(),
        summary.bytes_returned.to_string(),
        summary.bytes_received.to_string(),
        text(&statement.text),
    ]
}
