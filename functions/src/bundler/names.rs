//! What files and times of a bundle are called on its pages.

use schemas::bundle::layout::BundleFile;
use schemas::instant::rfc3339;
use schemas::period::Period;

/// A period as people read it.
pub(super) fn period(period: Period) -> String {
    match period.from_us {
        0 => format!("everything up to {}", second(period.to_us)),
        from_us => format!("{} up to {}", second(from_us), second(period.to_us)),
    }
}

/// `2026-11-20 10:03:04 UTC`
pub(super) fn second(time_us: u64) -> String {
    let text: String = rfc3339(time_us).chars().take(SECOND_LENGTH).collect();
    format!("{} UTC", text.replace('T', " "))
}

/// Where a session's replay page stands, from the report; the session's identifier as the tables have it.
pub(super) fn replay(session: &str) -> String {
    session.parse().map(|session| BundleFile::Replay(session).path()).unwrap_or_default()
}

/// Files of a bundle and what they are.
pub(super) const FILES: &[(&str, &str)] = &[
    ("manifest.dsse.json", "Names every file of the bundle with its SHA-256; signed (in-toto Statement v1 in DSSE)."),
    ("VERIFY.md", "How to verify the bundle, with our program and by hand."),
    ("verify.py, forms.json", "A verifier in Python that shares no code with ours, and the forms that it reads."),
    ("report.html", "This page."),
    ("replay/…html", "Each session in the order it happened; values as tokens."),
    ("tables/…parquet", "The tables, for DuckDB, pyarrow, Spark, Athena."),
    (
        "csv/…csv, json/…json",
        "The same tables. approvals: requests and decisions. statements, executions: the audit log of sessions. masking: what was masked or revealed. grants: what each session was allowed.",
    ),
    ("safeguards.toml", "The catalogue: what each safeguard asks, and the queries."),
    ("safeguards.json", "What the rows answer to it."),
    (
        "evidence/…",
        "The signed evidence itself: certificates, statements, chunks. Recorded data in chunks is encrypted; its key is not here.",
    ),
    ("trust/…", "Certificates of the keys that sign bundles, checkpoints and decisions."),
    ("log/…", "Checkpoint and tiles of the log, where there is one."),
];
/// `2026-11-20T10:03:04`
const SECOND_LENGTH: usize = 19;
