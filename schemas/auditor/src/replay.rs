//! `auditor replay`: one session, in the order it happened.

mod events;
mod head;

use std::io::Write;
use std::path::Path;

use schemas::event::EventBody;

use crate::cli::TrustArguments;
use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::listing;
use crate::trust::{self, Trust};
use crate::unlock;

pub(crate) fn run(
    dir: &Path,
    session: &str,
    keys: Option<&Path>,
    arguments: &TrustArguments,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let folder = Folder::open(dir)?;
    let listed = listing::find(&folder, session)?;
    let trust = trust::decide(&folder, arguments, keys, Some(&listed.session))?;
    let told = if trust == Trust::Verified { "verified" } else { "NOT VERIFIED" };
    writeln!(out, "session   {} ({told})", listed.session)?;
    if let Some(keys) = keys {
        // BUG: the recorded bytes are opened and not shown until `wire` decodes recordings.
        let told = match unlock::data_key(&folder, &listed, keys)? {
            Some(_) => "opens; this build does not show them",
            None => "gone: the session's key was shredded, or is not among the evidence",
        };
        writeln!(out, "data      exact queries and results: {told}")?;
    }
    for chunk in listed.open(&folder) {
        let chunk = chunk?;
        for event in chunk.events() {
            let event = event.map_err(|violation| Error::content(folder.root(), violation))?;
            match &event.body {
                EventBody::SessionOpen(open) => head::print(open, event.time_us, out)?,
                body => events::print(body, event.time_us, out)?,
            }
        }
    }
    Ok(Exit::Holds)
}
