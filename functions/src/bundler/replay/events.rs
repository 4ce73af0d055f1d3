//! Events as things on the page.

use std::fmt::Write;

use schemas::approval::ApprovalVerdict;
use schemas::event::{
    ApprovalDecided, ApprovalRequested, Detected, DetectedAction, DetectedPlace, EventBody, Outcome, OutcomeKind,
    Recovered, RolledBack, Statement, Token, Touched, Verdict,
};
use schemas::instant::rfc3339;

use super::page::{Item, StatementView, TouchedView};
use crate::bundler::readable::readable;

/// `opened_us` tells the day that times of day are of.
pub(super) fn item(body: &EventBody, time_us: u64, opened_us: u64) -> Item {
    let event = |text: String, tone| Item::Event { time: clock(time_us, opened_us), text: readable(&text), tone };
    match body {
        EventBody::Statement(told) => Item::Statement(statement(told, clock(time_us, opened_us))),
        EventBody::SessionOpen(_) => event("The session opens".to_owned(), ""),
        EventBody::Bind(bind) => {
            event(format!("Statement {} gets parameters: {}", bind.statement, tokens(&bind.parameters)), "")
        }
        EventBody::Execute(execute) => {
            let limit =
                if execute.row_limit > 0 { format!(", at most {} rows", execute.row_limit) } else { String::new() };
            event(format!("Statement {} runs (execution {}{limit})", execute.statement, execute.execution), "")
        }
        EventBody::Outcome(outcome) => event(outcome_text(outcome), tone_of(outcome.outcome)),
        EventBody::RolledBack(range) => event(rolled_back_text(range), "look"),
        EventBody::Detected(detected) => event(detected_text(detected), "look"),
        EventBody::Cancel => event("The client asks to cancel what runs".to_owned(), ""),
        EventBody::ApprovalRequested(requested) => event(requested_text(requested, opened_us), "look"),
        EventBody::ApprovalDecided(decided) => {
            let tone = match decided.verdict {
                ApprovalVerdict::Approved => "good",
                ApprovalVerdict::Denied => "bad",
                _ => "look",
            };
            event(decided_text(decided), tone)
        }
        EventBody::SessionClose(close) => {
            let (statements, executions) = (count(close.statements, "statement"), count(close.executions, "execution"));
            event(format!("The session closes: {statements}, {executions}"), "")
        }
        EventBody::Recovered(recovered) => event(recovered_text(recovered), "look"),
    }
}

fn statement(told: &Statement, time: String) -> StatementView {
    let (decision, tone) = match told.decision.outcome {
        Verdict::Permitted => ("permitted", "good"),
        Verdict::Held => ("held", "look"),
        Verdict::Refused => ("refused", "bad"),
    };
    let text = told.text.as_deref().map_or_else(
        || format!("{} bytes that could not be tokenised, digest {}", told.text_length, told.text_token),
        readable,
    );
    StatementView {
        number: told.statement,
        time,
        class: readable(&told.class),
        decision,
        tone,
        policies: readable(&told.decision.policies.join(", ")),
        sqlstate: told.decision.sqlstate.clone(),
        reason: told.decision.reason.as_deref().map(readable),
        text,
        literals: tokens(&told.literals),
        touched: told.objects.iter().map(touched).collect(),
        upstream: told.upstream_text.as_deref().map(readable),
    }
}

fn touched(touched: &Touched) -> TouchedView {
    let masked: Vec<String> = touched.masked.iter().map(|mask| format!("{} ({})", mask.column, mask.style)).collect();
    TouchedView {
        object: readable(&touched.object),
        action: readable(&touched.action),
        masked: readable(&masked.join(", ")),
        revealed: readable(&touched.revealed.join(", ")),
    }
}

fn requested_text(requested: &ApprovalRequested, opened_us: u64) -> String {
    let reason = requested.reason.as_ref().map(|reason| format!(", because: {reason}")).unwrap_or_default();
    let expires = clock(requested.expires_us, opened_us);
    format!(
        "Statement {} waits for an approval until {expires} (request {}){reason}",
        requested.statement, requested.request
    )
}

fn decided_text(decided: &ApprovalDecided) -> String {
    // Writing to a text never fails.
    let mut text = match decided.verdict {
        ApprovalVerdict::Approved => format!("Statement {} is approved", decided.statement),
        ApprovalVerdict::Denied => format!("Statement {} is denied", decided.statement),
        ApprovalVerdict::Expired => format!("Nobody decided on statement {} in time", decided.statement),
        ApprovalVerdict::Cancelled => format!("The request for statement {} was cancelled", decided.statement),
        ApprovalVerdict::Invalid => format!("The decision on statement {} was not valid", decided.statement),
    };
    if let Some(approver) = &decided.approver {
        let _ = write!(text, " by {} ({})", approver.name, approver.subject);
    }
    if let Some(why) = decided.rationale.as_ref().or(decided.problem.as_ref()) {
        let _ = write!(text, ": {why}");
    }
    text
}

fn outcome_text(outcome: &Outcome) -> String {
    let what = match outcome.outcome {
        OutcomeKind::Completed => "completed",
        OutcomeKind::Failed => "failed",
        OutcomeKind::Suspended => "stopped at its row limit",
        OutcomeKind::Skipped => "was skipped after an earlier error",
        OutcomeKind::Refused => "was refused; the database never saw it",
        OutcomeKind::Unknown => "was sent; whether it ran is not known",
    };
    let mut text = format!("Statement {} {what}", outcome.statement);
    if let Some(sqlstate) = &outcome.sqlstate {
        let _ = write!(text, ", SQLSTATE {sqlstate}");
    }
    if outcome.rows_returned > 0 || outcome.bytes_returned > 0 {
        let _ = write!(
            text,
            ", {} returned ({})",
            count(outcome.rows_returned, "row"),
            count(outcome.bytes_returned, "byte")
        );
    }
    if let Some(recorded) = outcome.rows_recorded {
        let _ = write!(text, ", {recorded} of them on record by setting");
    }
    if outcome.rows_affected > 0 {
        let _ = write!(text, ", {} changed", count(outcome.rows_affected, "row"));
    }
    text
}

fn rolled_back_text(range: &RolledBack) -> String {
    let (first, last) = (range.first_execution, range.last_execution);
    let which = if first == last { format!("execution {first}") } else { format!("executions {first} to {last}") };
    format!("The transaction was rolled back: what {which} changed was undone")
}

fn detected_text(detected: &Detected) -> String {
    let place = match detected.place {
        DetectedPlace::Result => "a result's column",
        DetectedPlace::Copy => "COPY data, column",
        DetectedPlace::Literal => "literal",
        DetectedPlace::Parameter => "parameter",
    };
    let column = detected.column.as_deref().map(|column| format!(" ({column})")).unwrap_or_default();
    let (statement, kind, values) = (detected.statement, &detected.kind, count(detected.values, "value"));
    let end = match detected.action {
        DetectedAction::Reported => "",
        DetectedAction::Ended => "; the row was not returned and the session ended",
    };
    format!("Statement {statement}, {place} {}{column}: {values} with the form of {kind}{end}", detected.position)
}

fn tone_of(outcome: OutcomeKind) -> &'static str {
    match outcome {
        OutcomeKind::Completed | OutcomeKind::Suspended | OutcomeKind::Skipped => "",
        OutcomeKind::Failed | OutcomeKind::Unknown => "look",
        OutcomeKind::Refused => "bad",
    }
}

fn recovered_text(recovered: &Recovered) -> String {
    let unknown: Vec<String> = recovered.outcome_unknown.iter().map(ToString::to_string).collect();
    let unknown = if unknown.is_empty() { "none".to_owned() } else { unknown.join(", ") };
    format!(
        "The relay died; incarnation {} sealed what was left. {} bytes of a torn record were dropped. Executions of \
         which it is not known whether they ran: {unknown}",
        recovered.by_incarnation, recovered.discarded_bytes
    )
}

/// `?1 integer, 2 bytes, 8899aabbccddeeff; ?2 NULL`
fn tokens(tokens: &[Token]) -> String {
    let one = |(index, token): (usize, &Token)| match (&token.length, &token.token) {
        (Some(length), Some(digest)) => format!("?{} {}, {}, {digest}", index + 1, token.kind, count(*length, "byte")),
        _ => format!("?{} NULL", index + 1),
    };
    readable(&tokens.iter().enumerate().map(one).collect::<Vec<_>>().join("; "))
}

/// Time of day to the millisecond; with its date, where that is not the one the session began on.
fn clock(time_us: u64, opened_us: u64) -> String {
    let text = rfc3339(time_us);
    let (date, time) = text.split_once('T').unwrap_or(("", &text));
    let time: String = time.chars().take(MILLISECOND_LENGTH).collect();
    if time_us / DAY_US == opened_us / DAY_US { time } else { format!("{date} {time}") }
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;
/// `10:03:04.123`
const MILLISECOND_LENGTH: usize = 12;
