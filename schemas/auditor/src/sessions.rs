//! `auditor sessions`: which sessions there is evidence of.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::listing;
use crate::names::count;
use crate::safe_text::OneLine;
use crate::summary::SessionSummary;

pub(crate) fn run(dir: &Path, out: &mut dyn Write) -> Result<Exit, Error> {
    let folder = Folder::open(dir)?;
    for listed in listing::sessions(&folder)? {
        let state = match (listed.voided, listed.opened, listed.closed) {
            (true, _, _) => "void",
            (_, _, true) => "closed",
            (_, true, false) => "open",
            (_, false, false) => "never opened",
        };
        let summary = SessionSummary::read(&folder, &listed);
        let Ok(summary) = summary else {
            // One that cannot be read must not hide the others.
            writeln!(out, "{} {state}, cannot be read", listed.session)?;
            continue;
        };
        let who = summary.details.as_ref().map_or("?", |details| &details.actor.subject);
        let connection = summary.details.as_ref().map_or("?", |details| &details.connection);
        writeln!(
            out,
            "{} {state}, {} to {}, opened {}, {}",
            listed.session,
            OneLine(who),
            OneLine(connection),
            summary.opened.as_deref().unwrap_or("?"),
            count(summary.statements.len() as u64, "statement"),
        )?;
    }
    Ok(Exit::Holds)
}
