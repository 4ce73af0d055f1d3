//! Checkpoints (c2sp.org/tlog-checkpoint): the root of a log's tree at a size, as a signed note.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::note::{Note, NoteKey};
use super::origin::LogOrigin;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::signature::{PublicKey, Signer};

/// What a log says of itself. No extension lines: nobody could audit them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: LogOrigin,
    /// Entries in it.
    pub size: u64,
    /// Root of its tree.
    pub root: Sha256Digest,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// The text before its signature was checked.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let parsed = parse(text).filter(|checkpoint| checkpoint.text() == text);
        parsed.ok_or(Error::Malformed { what: "checkpoint", expected: "three lines: origin, size and root" })
    }

    /// Puts together what a key service signed: `signature` is over [`Checkpoint::text`].
    ///
    /// # Errors
    /// [`Error::Bug`].
    pub fn assemble(&self, key: &PublicKey, signature: Vec<u8>) -> Result<Note, Error> {
        Note::assemble(self.text(), &note_key(&self.origin, key)?, signature)
    }

    /// Signs it.
    ///
    /// # Errors
    /// Those of the signer.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Note, Error> {
        self.assemble(signer.public_key(), signer.sign(self.text().as_bytes())?)
    }

    /// Reads a checkpoint of log `origin` that `key` signed.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`] (also for another log's), [`Error::Signature`].
    pub fn open(note: &[u8], origin: &LogOrigin, key: &PublicKey) -> Result<Self, Error> {
        let note = Note::from_slice(note)?;
        let checkpoint = Self::from_text(note.verify(&note_key(origin, key)?)?)?;
        if checkpoint.origin == *origin { Ok(checkpoint) } else { Err(OTHER_LOG) }
    }

    /// Reads a checkpoint *without checking its signature*.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`].
    pub fn read_unverified(note: &[u8]) -> Result<Self, Error> {
        Self::from_text(Note::from_slice(note)?.text_unverified())
    }
}

/// A log signs under its origin.
fn note_key(origin: &LogOrigin, key: &PublicKey) -> Result<NoteKey, Error> {
    NoteKey::new(origin.as_str(), key.clone())
}

fn parse(text: &str) -> Option<Checkpoint> {
    let mut lines = text.split('\n');
    let origin = lines.next()?.parse().ok()?;
    let size = lines.next()?.parse().ok()?;
    let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    Some(Checkpoint { origin, size, root: Sha256Digest::from_bytes(root) })
}

const OTHER_LOG: Error = Error::Malformed { what: "checkpoint", expected: "the origin of this log" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::P256Key;

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "log.test/one".parse().unwrap(), size: 20_852_163, root: Sha256Digest::of(b"root") }
    }

    #[test]
    fn the_text_is_origin_size_and_root() {
        let root = STANDARD.encode(Sha256Digest::of(b"root").as_bytes());
        let text = format!("log.test/one\n20852163\n{root}\n");
        assert_eq!(checkpoint().text(), text);
        assert_eq!(Checkpoint::from_text(&text).unwrap(), checkpoint());
        for bad in [
            text.replace("20852163", "020852163"),
            text.replace("20852163", "+20852163"),
            text.replace("20852163", "-1"),
            text.replace("log.test/one\n", "\n"),
            text.replace('=', ""),
            format!("{text}extension\n"),
            format!("{text}\n"),
            text.trim_end().to_owned(),
            text.replace('\n', "\r\n"),
        ] {
            assert!(Checkpoint::from_text(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_checkpoint_opens_for_its_log_and_key_alone() {
        let (key, other) = (P256Key::generate().unwrap(), P256Key::generate().unwrap());
        let note = checkpoint().sign(&key).unwrap().to_vec();
        let origin = checkpoint().origin;
        assert_eq!(Checkpoint::open(&note, &origin, key.public_key()).unwrap(), checkpoint());
        assert!(Checkpoint::open(&note, &origin, other.public_key()).is_err());
        assert!(Checkpoint::open(&note, &"log.test/two".parse().unwrap(), key.public_key()).is_err());
        // A text of another log, signed under this one's name.
        let signature = key.sign(checkpoint().text().as_bytes()).unwrap();
        let name = NoteKey::new("log.test/two", key.public_key().clone()).unwrap();
        let note = Note::assemble(checkpoint().text(), &name, signature).unwrap().to_vec();
        assert!(Checkpoint::open(&note, &"log.test/two".parse().unwrap(), key.public_key()).is_err());
    }
}
