//! `auditor verify`: what was checked, and every finding.

use std::io::{self, Write};
use std::path::Path;

use schemas::rule::Severity;
use schemas::verify::{Checked, Finding, Report, SessionReport, SessionState};

use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::instant::rfc3339;
use crate::names::name;
use crate::safe_text::OneLine;
use crate::trust;

pub(crate) fn run(dir: &Path, root: &Path, json: bool, out: &mut dyn Write) -> Result<Exit, Error> {
    let report = trust::verify(&Folder::open(dir)?, root)?;
    if json {
        let whole = serde_json::json!({ "holds": report.holds(), "report": report });
        writeln!(out, "{whole:#}")?;
    } else {
        print(&report, out)?;
    }
    Ok(if report.holds() { Exit::Holds } else { Exit::Findings })
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    print_checked(&report.checked, out)?;
    for session in &report.sessions {
        print_session(session, out)?;
    }
    for finding in &report.findings {
        print_finding(finding, out)?;
    }
    match (report.holds(), report.errors().count()) {
        (true, _) => writeln!(out, "It holds."),
        (false, 0) => writeln!(out, "It does not hold: nothing certified was found."),
        (false, 1) => writeln!(out, "It does not hold: 1 error."),
        (false, errors) => writeln!(out, "It does not hold: {errors} errors."),
    }
}

fn print_checked(checked: &Checked, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Checked {} objects: {} signatures, {} certificates, {} incarnations, {} sessions, {} voided counters,\n\
         {} chunks ({} bytes) with {} events and {} encrypted data blocks.",
        checked.objects,
        checked.signatures,
        checked.certificates,
        checked.incarnations,
        checked.sessions,
        checked.voids,
        checked.chunks,
        checked.stored_bytes,
        checked.events,
        checked.data_blocks,
    )
}

fn print_session(session: &SessionReport, out: &mut dyn Write) -> io::Result<()> {
    let sound = if session.sound { "verified" } else { "NOT VERIFIED" };
    write!(out, "session {} {sound}, {}", session.session, name(&session.state))?;
    if session.state == SessionState::Void {
        return writeln!(out);
    }
    if let Some(reason) = &session.reason {
        write!(out, " ({})", name(reason))?;
    }
    let opened = session.opened_us.map_or("?".to_owned(), rfc3339);
    let who = session.details.as_ref().map_or("?".to_owned(), |details| OneLine(&details.actor.subject).to_string());
    writeln!(out, ", by {who}, opened {opened}, {} chunks, {} events", session.chunks, session.events)
}

fn print_finding(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let severity = match finding.severity {
        Severity::Error => "ERROR".to_owned(),
        other => name(&other),
    };
    writeln!(
        out,
        "{severity} {}\n  {}: {}\n  rule: {}",
        OneLine(&finding.object),
        finding.rule,
        OneLine(&finding.message),
        finding.rule.requires(),
    )
}
