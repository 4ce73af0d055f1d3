//! What the files of a bundle are called and what they are, for the report.

use schemas::bundle::layout::BundleFile;

/// Where a session's replay page stands, from the report; the session's identifier as the tables have it.
pub(super) fn replay(session: &str) -> String {
    session.parse().map(|session| BundleFile::Replay(session).path()).unwrap_or_default()
}

/// Files of a bundle and what they are.
pub(super) const FILES: &[(&str, &str)] = &[
    ("manifest.dsse.json", "Names every file of the bundle with its SHA-256; signed (in-toto Statement v1 in DSSE)."),
    ("VERIFY.md", "How to verify the bundle, with our program and by hand."),
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
