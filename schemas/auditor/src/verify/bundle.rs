//! A bundle: its own files, then its evidence.

use std::io::{self, Write};

use schemas::bundle::Predicate;
use schemas::instant::rfc3339;
use schemas::verify::{BundleReport, CheckedBundle};

use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::names::count;
use crate::trust::{self, Grounds};

pub(super) fn run(folder: &Folder, grounds: &Grounds, json: bool, out: &mut dyn Write) -> Result<Exit, Error> {
    let report = trust::verify_bundle(folder, grounds)?;
    if json {
        let whole = serde_json::json!({ "holds": report.holds(), "report": report });
        writeln!(out, "{whole:#}")?;
    } else {
        print(&report, out)?;
    }
    Ok(if report.holds() { Exit::Holds } else { Exit::Findings })
}

fn print(report: &BundleReport, out: &mut dyn Write) -> io::Result<()> {
    match &report.bundle {
        Some(bundle) => print_bundle(bundle, out)?,
        None => writeln!(out, "Bundle without a manifest that can be read.")?,
    }
    super::notes::print(report.told_by_the_store.as_ref(), out)?;
    print_checked(&report.checked, out)?;
    super::print_checked(&report.evidence.checked, out)?;
    super::print_parts(&report.evidence, out)?;
    for finding in report.findings.iter().chain(&report.evidence.findings) {
        super::print_finding(finding, out)?;
    }
    if report.holds() {
        writeln!(out, "Not checked: whether report and replay pages say what the evidence says; they are signed.")?;
    }
    super::print_verdict(report.holds(), report.errors().count() as u64, out)
}

fn print_bundle(bundle: &Predicate, out: &mut dyn Write) -> io::Result<()> {
    let (from, to) = (rfc3339(bundle.period.from_us), rfc3339(bundle.period.to_us));
    let (tenant, environment, created) = (&bundle.tenant, &bundle.environment, rfc3339(bundle.created_us));
    writeln!(out, "Bundle of {tenant}/{environment}, {from} up to {to}, made {created}.")
}

fn print_checked(checked: &CheckedBundle, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Checked {} ({}): {}, {}, {}.",
        count(checked.files, "file"),
        count(checked.bytes, "byte"),
        if checked.signature { "signed by the bundles key" } else { "NO VALID SIGNATURE" },
        count(checked.key_certificates, "key certificate"),
        count(checked.safeguards, "safeguard"),
    )?;
    writeln!(
        out,
        "Tables made again from the chunks and compared with {}, {} equal:",
        count(checked.tables, "file"),
        count(checked.equal_rows, "row"),
    )?;
    for (table, rows) in &checked.rows {
        writeln!(out, "  {table}: {}", count(*rows, "row"))?;
    }
    Ok(())
}
