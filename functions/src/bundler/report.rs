//! `report.html`: what the rows show, for people.

use askama::Template;
use schemas::instant::rfc3339;
use schemas::rule::Severity;
use schemas::safeguards::{Answer, AnsweredException, Answers, Catalogue, Designation, Safeguard, Unanswered};
use schemas::tables::{ApprovalRow, DenialRow, SessionRow, Time};
use schemas::verify::Report;
use serde_json::Value as Json;

use super::figures::{Figures, Identity, IdentityKey};
use super::readable::{cut, readable};
use super::{BundlerError, Env, Plan};

/// What a report is made of.
pub(super) struct Material<'a> {
    pub(super) env: &'a Env,
    pub(super) plan: &'a Plan,
    pub(super) verified: &'a Report,
    pub(super) figures: &'a Figures,
    pub(super) catalogue: &'a Catalogue,
    pub(super) answers: &'a Answers,
    /// What the log says of the evidence, in a sentence.
    pub(super) log: String,
}

impl Material<'_> {
    /// The page.
    pub(super) fn render(&self) -> Result<String, BundlerError> {
        let (figures, verified) = (self.figures, self.verified);
        let shown = verified.findings.iter().take(FINDINGS_MAX);
        let page = Page {
            tenant: self.env.tenant.to_string(),
            environment: self.env.environment.to_string(),
            period: super::names::period(self.plan.period),
            made: super::names::second(self.plan.made_us),
            id: self.plan.id.as_str(),
            version: env!("CARGO_PKG_VERSION"),
            sessions_total: figures.sessions,
            figures: self.numbers(),
            holds: verified.holds(),
            checked: checked(verified),
            log: &self.log,
            findings: shown.map(finding).collect(),
            findings_left_out: verified.findings.len().saturating_sub(FINDINGS_MAX),
            identities: figures.identities.iter().map(identity).collect(),
            revealed: self.revealed(),
            approvals: figures.approvals.rows.iter().map(|row| self.approval(row)).collect(),
            approvals_left_out: figures.approvals.left_out(),
            denials: figures.denials.rows.iter().map(denial).collect(),
            denials_left_out: figures.denials.left_out(),
            source: &self.catalogue.source,
            note: &self.catalogue.note,
            safeguards: self.catalogue.safeguard.iter().zip(&self.answers.answers).map(safeguard).collect(),
            unanswered: &self.catalogue.unanswered,
            sessions: figures.session_list.rows.iter().map(|row| self.session(row)).collect(),
            sessions_left_out: figures.session_list.left_out(),
            files: super::names::FILES,
        };
        Ok(page.render()?)
    }

    fn numbers(&self) -> Vec<(u64, &'static str)> {
        let figures = self.figures;
        let to_look_at = self.answers.answers.iter().map(Answer::exceptions_total).fold(0, u64::saturating_add);
        vec![
            (figures.sessions, "sessions"),
            (figures.identities.len() as u64, "identities"),
            (figures.statements, "statements decided"),
            (figures.denials.total, "statements not let through"),
            (figures.approvals.total, "requests for approval"),
            (figures.rows_returned, "rows returned"),
            (figures.masked, "times a protected column was masked"),
            (figures.revealed, "times one was revealed"),
            (to_look_at, "rows to look at, over all safeguards"),
        ]
    }

    fn revealed(&self) -> Vec<RevealedView> {
        let seen = self.figures.revealed_columns.iter().take(super::figures::LISTED_MAX);
        seen.map(|((subject, column), seen)| RevealedView {
            subject: readable(subject),
            column: readable(column),
            statements: seen.statements,
            first: minute(seen.first),
            last: minute(seen.last),
        })
        .collect()
    }

    fn approval(&self, row: &ApprovalRow) -> ApprovalView {
        let objects = self.figures.held_objects.get(&(row.session.clone(), row.statement));
        let text = |value: &Option<String>| value.as_deref().map(readable).unwrap_or_default();
        let verdict = row.verdict.clone().unwrap_or_else(|| "waiting".to_owned());
        let approver = match (&row.approver_name, &row.approver_subject) {
            (Some(name), Some(subject)) => format!("{} ({})", readable(name), readable(subject)),
            _ => "nobody".to_owned(),
        };
        ApprovalView {
            requested: minute(row.requested),
            subject: readable(&row.subject),
            objects: objects.map(|objects| readable(&objects.join(", "))).unwrap_or_default(),
            link: format!("{} statement {}", row.session, row.statement),
            tone: match verdict.as_str() {
                "approved" => "good",
                "denied" => "bad",
                _ => "look",
            },
            verdict,
            approver,
            rationale: text(&row.rationale),
            outcome: row.outcome.clone().unwrap_or_else(|| "did not run".to_owned()),
        }
    }

    fn session(&self, row: &SessionRow) -> SessionView {
        let sound = self.verified.sessions.iter().find(|report| report.session.to_string() == row.session);
        let text = |value: &Option<String>| value.as_deref().map_or_else(|| "?".to_owned(), readable);
        let end = match (&row.close_reason, row.state.as_str()) {
            (Some(reason), "complete") => reason.replace('-', " "),
            (Some(reason), state) => format!("{state}: {}", reason.replace('-', " ")),
            (None, state) => state.to_owned(),
        };
        SessionView {
            opened: row.opened.map(minute).unwrap_or_default(),
            subject: text(&row.subject),
            connection: text(&row.connection),
            end,
            statements: row.statements,
            denied: row.denied,
            sound: sound.is_some_and(|report| report.sound),
            replay: super::names::replay(&row.session),
            session: short(&row.session),
        }
    }
}

#[derive(Template)]
#[template(path = "bundle/report.html")]
struct Page<'a> {
    tenant: String,
    environment: String,
    period: String,
    made: String,
    id: &'a str,
    version: &'static str,
    sessions_total: u64,
    figures: Vec<(u64, &'static str)>,
    holds: bool,
    checked: String,
    log: &'a str,
    findings: Vec<FindingView>,
    findings_left_out: usize,
    identities: Vec<IdentityView>,
    revealed: Vec<RevealedView>,
    approvals: Vec<ApprovalView>,
    approvals_left_out: u64,
    denials: Vec<DenialView>,
    denials_left_out: u64,
    source: &'a str,
    note: &'a str,
    safeguards: Vec<SafeguardView<'a>>,
    unanswered: &'a [Unanswered],
    sessions: Vec<SessionView>,
    sessions_left_out: u64,
    files: &'static [(&'static str, &'static str)],
}

struct FindingView {
    severity: &'static str,
    tone: &'static str,
    rule: &'static str,
    object: String,
    message: String,
}

struct IdentityView {
    name: String,
    subject: String,
    issuer: String,
    kind: &'static str,
    acts_for: String,
    sessions: u64,
    statements: u64,
    denied: u64,
    rows_returned: u64,
    rows_affected: u64,
    masked: u64,
    revealed: u64,
}

struct RevealedView {
    subject: String,
    column: String,
    statements: u64,
    first: String,
    last: String,
}

struct ApprovalView {
    requested: String,
    subject: String,
    objects: String,
    link: String,
    verdict: String,
    tone: &'static str,
    approver: String,
    rationale: String,
    outcome: String,
}

struct DenialView {
    time: String,
    subject: String,
    class: String,
    objects: String,
    place: String,
    reason: String,
}

struct SafeguardView<'a> {
    anchor: String,
    citation: &'a str,
    title: &'a str,
    designation: &'static str,
    asks: &'a str,
    shows: &'a str,
    counts: &'a [schemas::safeguards::AnsweredCount],
    exceptions: Vec<ExceptionView<'a>>,
    exceptions_total: u64,
    not_covered: &'a [String],
}

struct ExceptionView<'a> {
    label: &'a str,
    query: &'a str,
    count: u64,
    columns: &'a [String],
    rows: Vec<Vec<String>>,
    left_out: u64,
}

struct SessionView {
    opened: String,
    subject: String,
    connection: String,
    end: String,
    statements: u64,
    denied: u64,
    sound: bool,
    replay: String,
    session: String,
}

fn checked(report: &Report) -> String {
    let checked = &report.checked;
    format!(
        "{} objects with {} signatures, {} sessions, {} chunks with {} events",
        checked.objects, checked.signatures, checked.sessions, checked.chunks, checked.events
    )
}

fn finding(finding: &schemas::verify::Finding) -> FindingView {
    let (severity, tone) = match finding.severity {
        Severity::Error => ("error", "bad"),
        Severity::Warning => ("warning", "look"),
        Severity::Notice => ("notice", ""),
    };
    FindingView {
        severity,
        tone,
        rule: finding.rule.requires(),
        object: readable(&finding.object),
        message: readable(&finding.message),
    }
}

fn identity((key, told): (&IdentityKey, &Identity)) -> IdentityView {
    let (issuer, subject, acts_for) = key;
    let or_unknown = |text: &str| if text.is_empty() { "not on record".to_owned() } else { readable(text) };
    IdentityView {
        name: or_unknown(&told.name),
        subject: or_unknown(subject),
        issuer: or_unknown(issuer),
        kind: match told.kind.as_str() {
            "user" => "person",
            "service" => "service",
            "agent" => "agent",
            _ => "?",
        },
        acts_for: readable(&acts_for.join(", ")),
        sessions: told.sessions,
        statements: told.statements,
        denied: told.denied,
        rows_returned: told.rows_returned,
        rows_affected: told.rows_affected,
        masked: told.masked,
        revealed: told.revealed,
    }
}

fn denial(row: &DenialRow) -> DenialView {
    let why = match (&row.reason, &row.verdict) {
        (Some(reason), _) => readable(reason),
        (None, Some(verdict)) => format!("approval: {verdict}"),
        (None, None) => "no reason on record".to_owned(),
    };
    DenialView {
        time: minute(row.time),
        subject: readable(&row.subject),
        class: readable(&row.class),
        objects: cut(&row.objects.join(", "), OBJECTS_SHOWN),
        place: format!("{} statement {}", short(&row.session), row.statement),
        reason: why,
    }
}

fn safeguard<'a>((safeguard, answer): (&'a Safeguard, &'a Answer)) -> SafeguardView<'a> {
    SafeguardView {
        anchor: safeguard.citation.chars().filter(char::is_ascii_alphanumeric).collect(),
        citation: &safeguard.citation,
        title: &safeguard.title,
        designation: match safeguard.designation {
            Designation::Standard => "standard",
            Designation::Required => "required",
            Designation::Addressable => "addressable",
        },
        asks: &safeguard.asks,
        shows: &safeguard.shows,
        counts: &answer.counts,
        exceptions: answer.exceptions.iter().map(exception).collect(),
        exceptions_total: answer.exceptions_total(),
        not_covered: &answer.not_covered,
    }
}

fn exception(told: &AnsweredException) -> ExceptionView<'_> {
    let shown = told.rows.iter().take(EXCEPTIONS_SHOWN);
    ExceptionView {
        label: &told.label,
        query: &told.query,
        count: told.count,
        columns: &told.columns,
        rows: shown.map(|row| row.iter().map(cell).collect()).collect(),
        left_out: told.count.saturating_sub(told.rows.len().min(EXCEPTIONS_SHOWN) as u64),
    }
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => readable(text),
        Json::Array(texts) => texts.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Date, hour and minute: what a person compares; the tables have microseconds.
fn minute(time: Time) -> String {
    rfc3339(time.0).chars().take(MINUTE_LENGTH).collect::<String>().replace('T', " ")
}

/// Enough of a session's identifier to find it: the first digits of the incarnation, and the counter.
fn short(session: &str) -> String {
    match session.split_once('-') {
        Some((incarnation, counter)) => format!("{}…-{counter}", incarnation.chars().take(8).collect::<String>()),
        None => session.to_owned(),
    }
}

/// `2026-11-20T10:03`
const MINUTE_LENGTH: usize = 16;
const FINDINGS_MAX: usize = 100;
/// Characters: names of some tables.
const OBJECTS_SHOWN: usize = 300;
/// Rows of one kind: the tables and `safeguards.json` have more.
const EXCEPTIONS_SHOWN: usize = 15;
