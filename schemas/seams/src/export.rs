//! A copy of stored evidence in a folder that the auditor reads, from whatever store, and beside it what the store tells
//! of tampering.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use schemas::export_notes::{ExportNotes, ExportedOverlay};
use schemas::layout::{
    APPROVALS_PREFIX, EVIDENCE_PREFIX, KEYS_PREFIX, LOG_PREFIX, TRUST_PREFIX, parse, parse_key_certificate, parse_log,
};

use crate::evidence_store::{EvidenceStore, StoreError};

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store did not give an object.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes every object that verifying looks at into `folder`, which must not hold any of them yet, and [`ExportNotes`]
/// last. One object at a time is in memory.
///
/// # Errors
/// [`ExportError`]; what was written stays, and has no notes.
pub async fn export(store: &dyn EvidenceStore, folder: &Path) -> Result<ExportNotes, ExportError> {
    let mut notes = ExportNotes { objects: 0, overlays: Vec::new(), strangers: BTreeSet::new() };
    // Logs first: whatever they tell of was stored before, and so is there when evidence is listed.
    for prefix in [LOG_PREFIX, TRUST_PREFIX, EVIDENCE_PREFIX, APPROVALS_PREFIX, KEYS_PREFIX] {
        let mut after = String::new();
        loop {
            let page = store.list_after(prefix, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            for key in page {
                // Others may have put what would stand in the way of a folder of ours.
                if !is_ours(&key) {
                    notes.add_stranger(key);
                } else if let Some(bytes) = store.get(&key).await? {
                    write_new(&folder.join(&key), &bytes)?;
                    notes.objects = notes.objects.saturating_add(1);
                }
            }
        }
        let rest = ExportNotes::NAMED_MAX.saturating_sub(notes.overlays.len());
        notes.overlays.extend(store.overlays(prefix, rest).await?.into_iter().map(|overlay| ExportedOverlay {
            key: overlay.key,
            what: overlay.kind.as_str().to_owned(),
            at_s: overlay.at_s,
        }));
    }
    let text = notes.to_vec().map_err(|error| file(&folder.join(ExportNotes::FILE), io::Error::other(error)))?;
    write_new(&folder.join(ExportNotes::FILE), &text)?;
    Ok(notes)
}

fn is_ours(key: &str) -> bool {
    parse(key).is_some() || parse_log(key).is_some() || parse_key_certificate(key).is_some()
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| file(path, error))
}

fn file(path: &Path, source: io::Error) -> ExportError {
    ExportError::File { path: path.to_owned(), source }
}

const PAGE: usize = 1000;
