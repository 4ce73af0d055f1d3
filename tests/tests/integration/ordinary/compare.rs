//! Whether two answers are the same.

use super::corpus::{Answer, Case};
use super::world::{BEHIND, PLAIN, TWIN};
use crate::harness::Said;
use crate::harness::corpus::values;
use crate::harness::raw::Message;

/// What became of a case through the relay.
pub(super) enum Verdict {
    /// The same as directly.
    Same,
    /// An error that is none directly; its message.
    Refused(String),
    /// Anything else.
    Different(String),
}

/// Compares them.
pub(super) fn judge(case: &Case, direct: &Answer, relayed: &Answer) -> Verdict {
    match (direct, relayed) {
        (Answer::Steps(direct), Answer::Steps(relayed)) => {
            let failed: Vec<String> = direct.answers().filter_map(state).collect();
            if failed != case.fails {
                let first = direct.answers().find(|message| message.tag == 'E').map(Message::fields);
                return Verdict::Different(format!("directly it fails with {failed:?}: {first:?}"));
            }
            let steps = direct.steps.iter().zip(&relayed.steps);
            let found = steps.map(|(direct, relayed)| step(direct, relayed, case.ordered));
            found.into_iter().find(|verdict| !matches!(verdict, Verdict::Same)).unwrap_or(Verdict::Same)
        }
        (Answer::Program(direct), Answer::Program(relayed)) => program(direct, relayed),
        _ => Verdict::Different("a program and steps".to_owned()),
    }
}

fn program(direct: &Said, relayed: &Said) -> Verdict {
    let (one, other) = (printed(&direct.text), printed(&relayed.text));
    match (direct.success, relayed.success) {
        (false, _) => Verdict::Different(format!("directly it fails: {}", end(&one))),
        (true, false) => Verdict::Refused(end(&other)),
        (true, true) if one == other => Verdict::Same,
        (true, true) => {
            let at = one.iter().zip(&other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
            Verdict::Different(format!("line {at}: {:?}, through the relay {:?}", one.get(at), other.get(at)))
        }
    }
}

/// Lines, without those whose key is another one each time.
fn printed(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
    lines.map(anywhere).collect()
}

fn end(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join(" | ")
}

fn step(direct: &[Message], relayed: &[Message], ordered: bool) -> Verdict {
    let refusal = relayed.iter().find(|message| message.tag == 'E');
    if let Some(refusal) = refusal
        && direct.iter().filter_map(state).collect::<Vec<_>>() != relayed.iter().filter_map(state).collect::<Vec<_>>()
    {
        let fields = refusal.fields();
        return Verdict::Refused(format!("{} {}", fields[&'C'], fields[&'M']));
    }
    let (mut one, mut other) = (told(direct, ordered), told(relayed, ordered));
    if refusal.is_some() {
        // A constant is computed when a statement is planned, a value when its row is reached: an error comes before or
        // after the first rows.
        for told in [&mut one, &mut other] {
            told.retain(|(tag, _)| !matches!(tag, 'T' | 'D'));
        }
    }
    if one == other {
        return Verdict::Same;
    }
    let at = one.iter().zip(&other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
    Verdict::Different(format!("message {at}: {:?}, through the relay {:?}", one.get(at), other.get(at)))
}

fn state(message: &Message) -> Option<String> {
    (message.tag == 'E').then(|| message.fields()[&'C'].clone())
}

/// What of the messages must be the same; rows without an order are put into one.
fn told(messages: &[Message], ordered: bool) -> Vec<(char, String)> {
    let mut all: Vec<(char, String)> = messages.iter().map(|message| (message.tag, of(message))).collect();
    if !ordered {
        for rows in all.chunk_by_mut(|one, next| one.0 == next.0 && matches!(one.0, 'D' | 'd')) {
            rows.sort();
        }
    }
    all
}

fn of(message: &Message) -> String {
    match message.tag {
        'T' => columns(&message.body),
        'D' => {
            let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8_lossy(&value).into_owned());
            anywhere(&format!("{:?}", values(message).into_iter().map(text).collect::<Vec<_>>()))
        }
        'E' | 'N' => message.fields()[&'C'].clone(),
        _ => anywhere(&String::from_utf8_lossy(&message.body)),
    }
}

/// Name, type, its length and modifier, and format; not where a column comes from, for a masked one comes from nowhere.
fn columns(body: &[u8]) -> String {
    let mut rest = &body[2..];
    let mut columns = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (name, after) = (&rest[..end], &rest[end + 1..]);
        columns.push(format!("{} {:?}", String::from_utf8_lossy(name), &after[6..18]));
        rest = &after[18..];
    }
    columns.join(", ")
}

/// The same wherever it was said.
fn anywhere(text: &str) -> String {
    text.replace(TWIN, BEHIND).replace(PLAIN, BEHIND)
}

const LINES_SHOWN: usize = 3;
