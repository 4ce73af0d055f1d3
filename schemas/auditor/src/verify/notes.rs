//! What the store told when the evidence was copied out of it. Nobody signed it, so it changes no verdict.

use std::fs::File;
use std::io::{self, Read, Write};

use schemas::export_notes::ExportNotes;
use schemas::instant::rfc3339;

use crate::error::Error;
use crate::folder::Folder;
use crate::safe_text::OneLine;

/// The notes; nothing where there are none.
pub(super) fn read(folder: &Folder) -> Result<Option<ExportNotes>, Error> {
    let path = folder.root().join(ExportNotes::FILE);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::file(&path))?,
    };
    let mut bytes = Vec::new();
    file.take(ExportNotes::LENGTH_MAX).read_to_end(&mut bytes).map_err(Error::file(&path))?;
    ExportNotes::from_slice(&bytes).map(Some).map_err(|error| Error::content(&path, error))
}

pub(super) fn print(notes: Option<&ExportNotes>, out: &mut dyn Write) -> io::Result<()> {
    let Some(notes) = notes.filter(|notes| !notes.is_quiet()) else { return Ok(()) };
    writeln!(out, "The store told this when the evidence was copied (not proven; what follows does not rest on it):")?;
    for overlay in &notes.overlays {
        let since = overlay.at_s.map(|at_s| format!(", since {}", rfc3339(at_s.saturating_mul(1_000_000))));
        writeln!(out, "  {}: {}{}", OneLine(&overlay.key), OneLine(&overlay.what), since.unwrap_or_default())?;
    }
    for stranger in &notes.strangers {
        writeln!(out, "  {}: not copied, for it is no key of ours", OneLine(stranger))?;
    }
    Ok(())
}
