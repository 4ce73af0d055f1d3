//! `local sessions`: what the index knows.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use functions::indexer::Env;
use schemas::instant::rfc3339;
use seams::{FileStore, Index, KeyFiles, KeyName, Keys, RedbIndex, SessionRow};

use crate::error::Error;
use crate::folder::Folder;
use crate::indexing;
use crate::settings::Endpoints;

/// The sessions in the index. While `local up` runs it alone holds the index; then another one is made from the
/// evidence, for an index never holds anything that the evidence does not.
///
/// # Errors
/// [`Error`], naming the part.
pub async fn read(folder: &Folder) -> Result<Vec<SessionRow>, Error> {
    if Endpoints::read(folder)?.is_some() {
        return rebuild(folder).await;
    }
    let index = RedbIndex::open(&folder.index()).map_err(Error::of("index"))?;
    index.sessions().await.map_err(Error::of("index"))
}

async fn rebuild(folder: &Folder) -> Result<Vec<SessionRow>, Error> {
    let keys = KeyFiles::open(&folder.keys()).map_err(Error::of("keys"))?;
    let root = keys.public_key(KeyName::Certificates).await.map_err(Error::of("keys"))?;
    let approvals = keys.public_key(KeyName::Approvals).await.map_err(Error::of("keys"))?;
    let store = FileStore::for_reading(folder.evidence());
    let file = Passing(folder.root().join(format!("index.{}.redb", std::process::id())));
    let index = Arc::new(RedbIndex::open(&file.0).map_err(Error::of("index"))?);
    indexing::all(&Env { store: Arc::new(store), index: index.clone(), root, approvals }).await;
    index.sessions().await.map_err(Error::of("index"))
}

/// A file that is removed again.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // Left behind it costs some kilobytes.
        let _ = std::fs::remove_file(&self.0);
    }
}

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
            "{} {} to {}, opened {}, {}, {} chunks, {} events",
            row.session,
            text(row.subject.as_deref()),
            row.connection.as_ref().map_or("?".to_owned(), ToString::to_string),
            row.opened_us.map_or("?".to_owned(), rfc3339),
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
