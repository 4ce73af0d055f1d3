//! Statements, decisions and outcomes.

use std::io::{self, Write};

use schemas::event::{
    ApprovalDecided, ApprovalRequested, Detected, EventBody, Outcome, Recovered, RolledBack, Statement, Token, Touched,
    Verdict,
};

use crate::names::{count, name};
use crate::safe_text::OneLine;
use schemas::instant::rfc3339;

pub(super) fn print(body: &EventBody, time_us: u64, full: bool, out: &mut dyn Write) -> io::Result<()> {
    let time = rfc3339(time_us);
    match body {
        EventBody::SessionOpen(_) => Ok(()),
        EventBody::Statement(statement) => print_statement(&time, statement, full, out),
        EventBody::Bind(bind) => {
            writeln!(out, "{time} statement {} gets parameters {}", bind.statement, tokens(&bind.parameters))
        }
        EventBody::Execute(execute) => {
            let limit =
                if execute.row_limit > 0 { format!(", at most {} rows", execute.row_limit) } else { String::new() };
            let kept = execute.rows_kept.map(|rows| format!(", {} of its result on record", at_most(rows)));
            let kept = kept.unwrap_or_default();
            writeln!(out, "{time} execution {} of statement {}{limit}{kept}", execute.execution, execute.statement)
        }
        EventBody::Outcome(outcome) => print_outcome(&time, outcome, out),
        EventBody::RolledBack(range) => print_rolled_back(&time, range, out),
        EventBody::Detected(detected) => print_detected(&time, detected, out),
        EventBody::Cancel => writeln!(out, "{time} the client asks to cancel what runs"),
        EventBody::ApprovalRequested(requested) => print_requested(&time, requested, out),
        EventBody::ApprovalDecided(decided) => print_decided(&time, decided, out),
        EventBody::SessionClose(close) => writeln!(
            out,
            "{time} closed: {}, {}, {}",
            name(&close.reason),
            count(close.statements, "statement"),
            count(close.executions, "execution")
        ),
        EventBody::Recovered(recovered) => print_recovered(&time, recovered, out),
    }
}

fn print_statement(time: &str, statement: &Statement, full: bool, out: &mut dyn Write) -> io::Result<()> {
    let decision = &statement.decision;
    let policies =
        if decision.policies.is_empty() { String::new() } else { format!(" by {}", decision.policies.join(", ")) };
    let verdict = match decision.outcome {
        Verdict::Permitted => format!("permitted{policies}"),
        Verdict::Held => format!("HELD for approval{policies}"),
        Verdict::Refused => {
            let sqlstate = decision.sqlstate.as_deref().unwrap_or("no SQLSTATE");
            format!("REFUSED{policies} ({sqlstate}): {}", decision.reason.as_deref().unwrap_or("no reason"))
        }
    };
    let (number, path, class) = (statement.statement, name(&statement.path), &statement.class);
    writeln!(out, "\n{time} statement {number} ({path}, {}): {}", OneLine(class), OneLine(&verdict))?;
    match &statement.text {
        Some(text) => writeln!(out, "  asked     {}", OneLine(text))?,
        None => writeln!(
            out,
            "  asked     {} bytes that no token stands for, digest {}",
            statement.text_length, statement.text_token
        )?,
    }
    if !statement.literals.is_empty() {
        writeln!(out, "  literals  {}", tokens(&statement.literals))?;
    }
    if let Some(text) = &statement.upstream_text {
        print_upstream(text, full, out)?;
    }
    for touched in &statement.objects {
        print_touched(touched, out)?;
    }
    Ok(())
}

/// Masking makes texts long; what matters of them stands in `touches`.
fn print_upstream(text: &str, full: bool, out: &mut dyn Write) -> io::Result<()> {
    let length = text.chars().count();
    if full || length <= UPSTREAM_SHOWN {
        return writeln!(out, "  ran as    {}", OneLine(text));
    }
    let beginning: String = text.chars().take(UPSTREAM_SHOWN).collect();
    writeln!(out, "  ran as    {} … ({length} characters, --full shows them)", OneLine(&beginning))
}

fn print_touched(touched: &Touched, out: &mut dyn Write) -> io::Result<()> {
    let masked: Vec<String> = touched.masked.iter().map(|mask| format!("{} ({})", mask.column, mask.style)).collect();
    let mut text = format!("{} {}", touched.action, touched.object);
    for (what, columns) in [("masked", masked.join(", ")), ("revealed", touched.revealed.join(", "))] {
        if !columns.is_empty() {
            text = format!("{text}; {what}: {columns}");
        }
    }
    writeln!(out, "  touches   {}", OneLine(&text))
}

fn print_outcome(time: &str, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let mut text = match outcome.execution {
        0 => format!("statement {}: {}", outcome.statement, name(&outcome.outcome)),
        execution => format!("execution {execution} of statement {}: {}", outcome.statement, name(&outcome.outcome)),
    };
    if let Some(command) = &outcome.command {
        text = format!("{text} {command}");
    }
    if let Some(sqlstate) = &outcome.sqlstate {
        text = format!("{text}, SQLSTATE {sqlstate}");
    }
    let (returned, bytes) = (count(outcome.rows_returned, "row"), count(outcome.bytes_returned, "byte"));
    let mut text = format!("{text}, {returned} returned ({bytes}), {} affected", outcome.rows_affected);
    if outcome.bytes_received > 0 {
        text = format!("{text}, {} received", count(outcome.bytes_received, "byte"));
    }
    writeln!(out, "{time} {}", OneLine(&text))?;
    match (outcome.rows_recorded, outcome.result_hmac) {
        (Some(recorded), Some(digest)) => {
            writeln!(
                out,
                "  recorded  {} by setting, keyed digest of all that was returned {digest}",
                count(recorded, "row")
            )
        }
        _ => Ok(()),
    }
}

fn at_most(rows: u64) -> String {
    if rows == 0 { "nothing".to_owned() } else { format!("the first {}", count(rows, "row")) }
}

fn print_rolled_back(time: &str, range: &RolledBack, out: &mut dyn Write) -> io::Result<()> {
    let (first, last) = (range.first_execution, range.last_execution);
    let which = if first == last { format!("execution {first}") } else { format!("executions {first} to {last}") };
    writeln!(out, "{time} rolled back: what {which} changed was undone with the transaction")
}

fn print_detected(time: &str, detected: &Detected, out: &mut dyn Write) -> io::Result<()> {
    let Detected { statement, place, position, kind, values, action, .. } = detected;
    let column = detected.column.as_deref().map(|column| format!(" ({})", OneLine(column))).unwrap_or_default();
    let (kind, place, values) = (OneLine(kind), name(place), count(*values, "value"));
    let place = format!("{place} {position}{column}");
    writeln!(out, "{time} DETECTED {kind} in statement {statement}, {place}: {values}, {}", name(action))
}

fn print_requested(time: &str, requested: &ApprovalRequested, out: &mut dyn Write) -> io::Result<()> {
    let until = rfc3339(requested.expires_us);
    writeln!(
        out,
        "{time} approval {} of statement {} asked for until {until}",
        requested.request, requested.statement
    )?;
    writeln!(out, "  binds     {}", requested.commitment)?;
    match &requested.reason {
        Some(reason) => writeln!(out, "  reason    {}", OneLine(reason)),
        None => Ok(()),
    }
}

fn print_decided(time: &str, decided: &ApprovalDecided, out: &mut dyn Write) -> io::Result<()> {
    let by = decided.approver.as_ref().map(|approver| format!(" by {} ({})", approver.name, approver.subject));
    let text = format!("approval {}: {}{}", decided.request, name(&decided.verdict), by.unwrap_or_default());
    writeln!(out, "{time} {}", OneLine(&text))?;
    for (what, text) in [("rationale", &decided.rationale), ("problem  ", &decided.problem)] {
        if let Some(text) = text {
            writeln!(out, "  {what} {}", OneLine(text))?;
        }
    }
    Ok(())
}

fn print_recovered(time: &str, recovered: &Recovered, out: &mut dyn Write) -> io::Result<()> {
    let unknown: Vec<String> = recovered.outcome_unknown.iter().map(ToString::to_string).collect();
    let unknown = if unknown.is_empty() { "none".to_owned() } else { unknown.join(", ") };
    writeln!(
        out,
        "{time} RECOVERED by {}: the relay died; {} bytes of a torn record discarded; executions whose outcome is unknown: {unknown}",
        OneLine(&recovered.by_incarnation),
        recovered.discarded_bytes,
    )
}

/// `?1 integer 4 bytes 8899aabbccddeeff, ?2 NULL`
fn tokens(tokens: &[Token]) -> String {
    let one = |(index, token): (usize, &Token)| match (&token.length, &token.token) {
        (Some(length), Some(digest)) => format!("?{} {} {} {digest}", index + 1, token.kind, count(*length, "byte")),
        _ => format!("?{} NULL", index + 1),
    };
    let all: Vec<String> = tokens.iter().enumerate().map(one).collect();
    OneLine(&all.join(", ")).to_string()
}

/// Characters: two lines of a terminal.
const UPSTREAM_SHOWN: usize = 160;
