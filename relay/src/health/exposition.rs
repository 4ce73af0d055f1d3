//! Figures as OpenMetrics 1.0 writes them (<https://github.com/prometheus/OpenMetrics>, "Text format"). Some lines of our
//! own: a library would bring its own registry, and locks where the sessions count.

use std::fmt::Write;

use super::{Health, Watched};
use crate::figures::{Figures, Refused};

/// What `Content-Type` says of it.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All figures, as they are now.
pub(super) fn exposition(health: &Health) -> String {
    let mut page = Page(String::new());
    page.gauge(
        "affidavit_ready",
        "",
        "1 while the relay can record and takes sessions, else 0.",
        u64::from(health.ready().is_ok()),
    );
    if let Some(watched) = health.watched.get() {
        sessions(&mut page, watched);
        statements(&mut page, watched);
        evidence(&mut page, watched);
    }
    page.0.push_str("# EOF\n");
    page.0
}

fn sessions(page: &mut Page, watched: &Watched) {
    page.gauge("affidavit_sessions", "", "Sessions that are served.", watched.sum(|of| &of.sessions));
    page.counter("affidavit_sessions_begun", "", "Sessions that were begun.", watched.sum(|of| &of.begun));
    page.family("affidavit_logins_refused", "counter", "", "Connections that came to no session, by why.");
    for (index, refused) in Refused::ALL.into_iter().enumerate() {
        let count = watched.figures.iter().filter_map(|of| of.logins_refused.get(index));
        let count = count.fold(0, |sum: u64, figure| sum.saturating_add(figure.get()));
        page.labelled("affidavit_logins_refused_total", "reason", refused.as_str(), count);
    }
    let bytes = |of: fn(&Figures) -> &crate::figures::Figure| watched.sum(of);
    let (received, sent) = (bytes(|of| &of.received_bytes), bytes(|of| &of.sent_bytes));
    page.counter("affidavit_client_received_bytes", "bytes", "What clients of sessions sent, inside TLS.", received);
    page.counter("affidavit_client_sent_bytes", "bytes", "What they were sent, inside TLS.", sent);
}

fn statements(page: &mut Page, watched: &Watched) {
    page.family("affidavit_statements", "counter", "", "Statements on record, by what was decided.");
    for (verdict, count) in [
        ("permitted", watched.sum(|of| &of.permitted)),
        ("held", watched.sum(|of| &of.held)),
        ("refused", watched.sum(|of| &of.refused)),
    ] {
        page.labelled("affidavit_statements_total", "verdict", verdict, count);
    }
    page.gauge("affidavit_statements_waiting", "", "Statements that wait for approval.", watched.sum(|of| &of.waiting));
    page.counter(
        "affidavit_executions",
        "",
        "Executions that targets were asked for.",
        watched.sum(|of| &of.executions),
    );
    page.family("affidavit_decisions", "counter", "", "Decisions, by whether the session had made the same before.");
    for (from, count) in [("memory", watched.sum(|of| &of.remembered)), ("policy", watched.sum(|of| &of.decided))] {
        page.labelled("affidavit_decisions_total", "from", from, count);
    }
}

fn evidence(page: &mut Page, watched: &Watched) {
    let (condition, puts) = (watched.incarnations.condition(), &watched.puts);
    page.gauge("affidavit_spool_used_bytes", "bytes", "What is recorded and not stored yet.", condition.spool_used);
    page.gauge("affidavit_spool_limit_bytes", "bytes", "What the spool may hold.", condition.spool_limit);
    page.family("affidavit_store_puts", "counter", "", "Objects for the evidence store, by what became of them.");
    for (outcome, count) in [("stored", puts.stored()), ("failed", puts.failed())] {
        page.labelled("affidavit_store_puts_total", "outcome", outcome, count);
    }
    page.gauge(
        "affidavit_store_last_put_timestamp_seconds",
        "seconds",
        "When something was stored last; an idle relay stores a heartbeat.",
        seconds(puts.last_us()),
    );
    page.gauge(
        "affidavit_certificate_end_timestamp_seconds",
        "seconds",
        "When the certificate ends by which evidence is signed; another one comes in half of its time.",
        seconds(condition.until_us),
    );
    if let Some(ends_at) = watched.certificates.iter().filter_map(|shown| shown.ends_at()).min() {
        page.gauge(
            "affidavit_tls_certificate_end_timestamp_seconds",
            "seconds",
            "When the first of the certificates ends that clients are shown.",
            ends_at,
        );
    }
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, unit: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", unit, help);
        self.line(format_args!("{name} {value}"));
    }

    fn counter(&mut self, name: &str, unit: &str, help: &str, value: u64) {
        self.family(name, "counter", unit, help);
        self.line(format_args!("{name}_total {value}"));
    }

    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
        if !unit.is_empty() {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {help}"));
    }

    fn labelled(&mut self, name: &str, label: &str, is: &str, value: u64) {
        self.line(format_args!("{name}{{{label}=\"{is}\"}} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a `String` does not fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }
}
