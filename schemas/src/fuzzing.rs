//! Entry points for fuzzing: each takes any bytes and fails (panics) only if a promise of this crate is broken. The
//! fuzz targets call them, and so do the property tests, so that both hold the same promises.

#[cfg(feature = "parquet")]
mod tables;
mod tree;

#[cfg(feature = "parquet")]
pub use tables::table;
pub use tree::tree;

use crate::approval::{ApprovalDecidedLeaf, ApprovalRequestedLeaf};
use crate::dsse::Envelope;
use crate::frame::Frames;
use crate::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use crate::log::{Checkpoint, Entry, Note, Staged, decode_bundle, encode_bundle};
use crate::manifest::ChunkManifest;
use crate::session_key::SessionKey;
use crate::wrapped_key::WrappedKey;
use crate::{canonical, chunk};

/// Any bytes are a chunk or none, and so is any content that a chunk could have.
pub fn chunk(bytes: &[u8]) {
    let Ok(key) = SessionKey::from_bytes([7; 32]).data_key() else { return };
    if let Ok(opened) = chunk::open(bytes) {
        let mut frames = opened.frames();
        while frames.next().is_some() {}
        opened.blocks(&key).for_each(drop);
        for event in opened.events().flatten() {
            assert!(canonical::to_vec(&event).is_ok(), "an event that was read cannot be written");
        }
    }
    for frame in Frames::new(bytes).flatten() {
        event(frame.payload);
    }
    event(bytes);
}

/// What is read as an event is spelled in one way.
fn event(payload: &[u8]) {
    if let Ok(event) = chunk::read_event(payload) {
        assert_eq!(canonical::to_vec(&event).ok().as_deref(), Some(payload), "an event changed when written again");
    }
}

/// Any bytes are an envelope or none; one that is comes out again as the same statement.
pub fn envelope(bytes: &[u8]) {
    if let Ok(key) = WrappedKey::from_slice(bytes) {
        assert!(key.to_vec().is_ok_and(|again| again == bytes), "a wrapped key changed when written again");
    }
    let Ok(envelope) = Envelope::from_slice(bytes) else { return };
    let again = envelope.to_vec().ok().and_then(|again| Envelope::from_slice(&again).ok());
    assert!(again.is_some_and(|again| again == envelope), "an envelope changed when written again");
    let _ = envelope.read_unverified::<Certificate>();
    let _ = envelope.read_unverified::<RelayStart>();
    let _ = envelope.read_unverified::<RelayRetired>();
    let _ = envelope.read_unverified::<SessionOpenLeaf>();
    let _ = envelope.read_unverified::<SessionCloseLeaf>();
    let _ = envelope.read_unverified::<SessionVoid>();
    let _ = envelope.read_unverified::<ChunkManifest>();
    let _ = envelope.read_unverified::<ApprovalRequestedLeaf>();
    let _ = envelope.read_unverified::<ApprovalDecidedLeaf>();
    let _ = Entry::of(&envelope).place();
}

/// Any bytes are what a log publishes (signed note, checkpoint, entry bundle, entry) or not; what is read writes back
/// the same bytes.
pub fn log(bytes: &[u8]) {
    if let Ok(note) = Note::from_slice(bytes) {
        assert_eq!(note.to_vec(), bytes, "a note changed when written again");
    }
    let _ = Checkpoint::read_unverified(bytes);
    let _ = Staged::from_slice(bytes);
    if let Some(checkpoint) = std::str::from_utf8(bytes).ok().and_then(|text| Checkpoint::from_text(text).ok()) {
        assert_eq!(checkpoint.text().as_bytes(), bytes, "a checkpoint changed when written again");
    }
    if let Ok(entry) = Entry::from_slice(bytes) {
        let _ = entry.place();
    }
    let Some((width, bundle)) = bytes.split_first() else { return };
    if let Ok(entries) = decode_bundle(bundle, u16::from(*width)) {
        assert_eq!(entries.len(), usize::from(*width));
        let again = encode_bundle(&entries);
        assert!(again.is_ok_and(|again| bundle.starts_with(&again)), "entries changed when written again");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Every golden file, as it is and as a hand or a disk may change it.
    fn golden() -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"), &mut files);
        assert!(files.len() > 20, "the golden vectors are there");
        files
    }

    fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { collect(&path, files) } else { files.push(std::fs::read(&path).unwrap()) }
        }
    }

    fn any_reader(bytes: &[u8]) {
        chunk(bytes);
        envelope(bytes);
        log(bytes);
        log(&[&[3], bytes].concat());
    }

    #[test]
    fn golden_files_are_read_and_written_again() {
        golden().iter().for_each(|file| any_reader(file));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
            any_reader(&bytes);
        }

        #[test]
        fn a_damaged_golden_file_is_read_or_refused(
            file in prop::sample::select(golden()),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut bytes = file;
            for (place, value) in damage {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(keep.index(bytes.len() * 2));
            any_reader(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn changed_evidence_never_holds(changes in vec(any::<u8>(), 0..64)) {
            tree(&changes);
        }
    }
}
