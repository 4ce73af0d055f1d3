//! `auditor verify`: what was checked, and every finding.

mod bundle;
mod completeness;
mod notes;

use std::io::{self, Write};
use std::path::Path;

use schemas::rule::Severity;
use schemas::verify::{Checked, Finding, LogReport, Report, SessionReport, SessionState};

use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::names::{count, name};
use crate::safe_text::OneLine;
use crate::trust::{self, Grounds};
use schemas::instant::rfc3339;

pub(crate) fn run(dir: &Path, grounds: &Grounds, json: bool, out: &mut dyn Write) -> Result<Exit, Error> {
    if let Some(folder) = Folder::bundle(dir) {
        return bundle::run(&folder, grounds, json, out);
    }
    let folder = Folder::open(dir)?;
    let report = trust::verify(&folder, grounds)?;
    let notes = notes::read(&folder)?;
    if json {
        let whole = serde_json::json!({ "holds": report.holds(), "report": report, "told_by_the_store": notes });
        writeln!(out, "{whole:#}")?;
    } else {
        notes::print(notes.as_ref(), out)?;
        print(&report, out)?;
    }
    Ok(if report.holds() { Exit::Holds } else { Exit::Findings })
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    print_checked(&report.checked, out)?;
    print_parts(report, out)?;
    for finding in &report.findings {
        print_finding(finding, out)?;
    }
    print_verdict(report.holds(), report.errors().count() as u64, out)
}

fn print_verdict(holds: bool, errors: u64, out: &mut dyn Write) -> io::Result<()> {
    match (holds, errors) {
        (true, _) => writeln!(out, "It holds."),
        (false, 0) => writeln!(out, "It does not hold: nothing certified was found."),
        (false, errors) => writeln!(out, "It does not hold: {}.", count(errors, "error")),
    }
}

fn print_checked(checked: &Checked, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Checked {}: {}, {}, {}, {}, {},\n{} ({}) with {} and {}.",
        count(checked.objects, "object"),
        count(checked.signatures, "signature"),
        count(checked.certificates, "certificate"),
        count(checked.incarnations, "incarnation"),
        count(checked.sessions, "session"),
        count(checked.voids, "voided counter"),
        count(checked.chunks, "chunk"),
        count(checked.stored_bytes, "byte"),
        count(checked.events, "event"),
        count(checked.data_blocks, "encrypted data block"),
    )
}

/// Logs and sessions.
fn print_parts(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for log in &report.logs {
        print_log(log, out)?;
    }
    report.incarnations.iter().try_for_each(|life| completeness::print(life, out))?;
    report.sessions.iter().try_for_each(|session| print_session(session, out))
}

fn print_log(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let signed = if log.signed { "signed" } else { "NOT SIGNED by a known key" };
    let LogReport { origin, checkpoint, entries, size, earlier, witnessed, .. } = log;
    write!(out, "log {origin} {signed}, checkpoint {checkpoint}: {entries} of {size} entries read")?;
    match earlier {
        0 => {}
        kept => write!(out, ", begins with {}", count(*kept, "kept checkpoint"))?,
    }
    match witnessed {
        Some(time) => writeln!(out, ", seen by a witness at {}", rfc3339(time.saturating_mul(1_000_000))),
        None => writeln!(out),
    }
}

fn print_session(session: &SessionReport, out: &mut dyn Write) -> io::Result<()> {
    let sound = if session.sound { "verified" } else { "NOT VERIFIED" };
    write!(out, "session {} {sound}, {}", session.session, name(&session.state))?;
    if session.state == SessionState::Void {
        return writeln!(out);
    }
    if session.outside {
        return writeln!(out, ", outside of the period: no chunks here");
    }
    if let Some(reason) = &session.reason {
        write!(out, " ({})", name(reason))?;
    }
    if let Some(open_at) = session.open_at_us {
        write!(out, " (still running as of {})", rfc3339(open_at))?;
    }
    let opened = session.opened_us.map_or("?".to_owned(), rfc3339);
    let who = session.details.as_ref().map_or("?".to_owned(), |details| OneLine(&details.actor.subject).to_string());
    let (chunks, events) = (count(session.chunks, "chunk"), count(session.events, "event"));
    write!(out, ", by {who}, opened {opened}, {chunks}, {events}")?;
    match session.shredded_us {
        Some(time_us) => writeln!(out, ", SHREDDED {}", rfc3339(time_us))?,
        None => writeln!(out)?,
    }
    session.gaps.iter().try_for_each(|gap| writeln!(out, "  INCOMPLETE {gap}"))
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
