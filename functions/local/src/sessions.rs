//! `local sessions`: what the index knows.

use std::io::{self, Write};

use seams::SessionRow;

/// Writes one line a session: id, who, connection, opened, state, chunks.
///
/// # Errors
/// Those of `out`.
pub fn print(sessions: &[SessionRow], out: &mut dyn Write) -> io::Result<()> {
    for row in sessions {
        let text = |value: Option<&str>| value.unwrap_or("?").to_owned();
        let number = |value: Option<u64>| value.map_or("?".to_owned(), |number| number.to_string());
        writeln!(
            out,
            "{} {} {} opened {} µs, {}, {} chunks, {} events",
            row.session,
            text(row.subject.as_deref()),
            row.connection.as_ref().map_or("?".to_owned(), ToString::to_string),
            number(row.opened_us),
            state(row),
            number(row.chunks),
            number(row.events),
        )?;
    }
    Ok(())
}

fn state(row: &SessionRow) -> String {
    match (row.voided, row.reason, row.recovered) {
        (true, ..) => "void".to_owned(),
        (false, None, _) => "open".to_owned(),
        (false, Some(reason), recovered) => {
            let note = if recovered == Some(true) { " (recovered)" } else { "" };
            format!("{}{note}", name(reason))
        }
    }
}

/// The name that the evidence has for it.
fn name(reason: schemas::event::CloseReason) -> String {
    serde_json::to_value(reason).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
