//! The second signature of a log's checkpoints: Ed25519 (signature type 0x01 of c2sp.org/signed-note), which others read.

use super::checkpoint::Checkpoint;
use super::note::Note;
use super::origin::LogOrigin;
use crate::digest::Sha256Digest;
use crate::ed25519::Ed25519PublicKey;
use crate::error::Error;

/// An Ed25519 key of a log, under the log's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondKey {
    origin: LogOrigin,
    key: Ed25519PublicKey,
}

impl SecondKey {
    /// The key of this log.
    #[must_use]
    pub fn new(origin: LogOrigin, key: Ed25519PublicKey) -> Self {
        Self { origin, key }
    }

    /// The first four bytes of SHA-256 over name, LF, signature type and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let material = [self.origin.as_str().as_bytes(), b"\n", &[ED25519], self.key.as_bytes()].concat();
        let [first, second, third, fourth, ..] = *Sha256Digest::of(&material).as_bytes();
        [first, second, third, fourth]
    }

    /// Adds what the key's holder signed: 64 bytes over [`Checkpoint::text`].
    ///
    /// # Errors
    /// [`Error::Signature`] when it does not verify.
    pub fn add(&self, note: &mut Note, signature: Vec<u8>) -> Result<(), Error> {
        self.key.verify(note.text_unverified().as_bytes(), &signature)?;
        note.add(self.origin.as_str(), self.id(), signature);
        Ok(())
    }

    /// Whether this key signed the note: nothing when it has no line, false when one of its lines does not verify.
    #[must_use]
    pub fn signed(&self, note: &Note) -> Option<bool> {
        let text = note.text_unverified().as_bytes();
        let lines = note.lines_of(self.origin.as_str(), self.id());
        lines.map(|line| self.key.verify(text, line).is_ok()).reduce(|one, other| one && other)
    }

    /// Reads a checkpoint of this log that this key signed.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`].
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, Error> {
        let note = Note::from_slice(note)?;
        if self.signed(&note) != Some(true) {
            return Err(Error::Signature("signed note"));
        }
        let checkpoint = Checkpoint::from_text(note.text_unverified())?;
        let refused = Error::Malformed { what: "checkpoint", expected: "the origin of this log" };
        if checkpoint.origin == self.origin { Ok(checkpoint) } else { Err(refused) }
    }
}

const ED25519: u8 = 0x01;
