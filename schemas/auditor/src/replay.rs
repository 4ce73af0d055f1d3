//! `auditor replay`: one session, in the order it happened.

mod events;
mod exact;
mod head;

use std::io::Write;
use std::path::Path;

use schemas::chunk::OpenedChunk;
use schemas::event::EventBody;
use schemas::instant::rfc3339;

use crate::cli::TrustArguments;
use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::listing;
use crate::trust::{self, Judged, Trust};
use crate::unlock;
use exact::Exact;

/// What to show.
pub(crate) struct Request<'a> {
    /// Beginning of the session's identifier.
    pub(crate) session: &'a str,
    /// Folder with `data.key`.
    pub(crate) keys: Option<&'a Path>,
    /// Long texts too.
    pub(crate) full: bool,
}

pub(crate) fn run(
    dir: &Path,
    request: &Request<'_>,
    arguments: &TrustArguments,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let Request { session, keys, full } = *request;
    let folder = Folder::open(dir)?;
    let listed = listing::find(&folder, session)?;
    let Judged { trust, shredded_us } = trust::decide(&folder, arguments, keys, Some(&listed.session))?;
    let key = keys.map(|keys| unlock::session_key(&folder, &listed, keys)).transpose()?;
    let told = if trust == Trust::Verified { "verified" } else { "NOT VERIFIED" };
    writeln!(out, "session   {} ({told})", listed.session)?;
    match (shredded_us, &key) {
        (Some(time_us), _) => {
            let at = rfc3339(time_us);
            writeln!(out, "data      shredded {at}: its key was destroyed on purpose, which is no damage")?;
        }
        (None, Some(None)) => {
            writeln!(
                out,
                "data      cannot be read: the session's key is gone, and nobody says that it was destroyed"
            )?;
        }
        (None, _) => {}
    }
    let key = key.flatten().map(|key| key.data_key()).transpose();
    let mut exact = key.map_err(|error| Error::content(folder.root(), error))?.map(Exact::new);
    let mut expected = 1;
    for chunk in listed.open(&folder) {
        let chunk = chunk?;
        let sequence = chunk.manifest().sequence;
        if sequence != expected {
            writeln!(out, "\nMISSING: chunks {expected} to {}", sequence.saturating_sub(1))?;
            exact.iter_mut().for_each(Exact::gap);
        }
        expected = sequence.saturating_add(1);
        print(&folder, &chunk, exact.as_mut(), full, out)?;
    }
    if let Some(exact) = exact {
        exact.finish(out)?;
    }
    Ok(Exit::Holds)
}

fn print(
    folder: &Folder,
    chunk: &OpenedChunk,
    mut exact: Option<&mut Exact>,
    full: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if let Some(exact) = &mut exact {
        exact.read(chunk).map_err(|error| Error::content(folder.root(), error))?;
    }
    for event in chunk.events() {
        let event = event.map_err(|violation| Error::content(folder.root(), violation))?;
        if let Some(exact) = &mut exact {
            exact.print_before(event.time_us, out)?;
        }
        match &event.body {
            EventBody::SessionOpen(open) => head::print(open, event.time_us, out)?,
            body => events::print(body, event.time_us, full, out)?,
        }
    }
    Ok(())
}
