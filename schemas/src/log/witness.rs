//! Cosignatures (c2sp.org/tlog-cosignature, cosignature/v1): a witness saw this checkpoint at this time, and that its log
//! only grew since the one before.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::note::{Note, is_name};
use crate::digest::Sha256Digest;
use crate::ed25519::{Ed25519Key, Ed25519PublicKey};
use crate::error::Error;
use crate::hex;

/// A witness, by its name and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    name: String,
    key: Ed25519PublicKey,
}

impl Witness {
    /// A witness of this name.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an empty name, or one with a space or plus.
    pub fn new(name: impl Into<String>, key: Ed25519PublicKey) -> Result<Self, Error> {
        let name = name.into();
        if is_name(&name) { Ok(Self { name, key }) } else { Err(BAD_NAME) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 over name, LF, signature type and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let material = [self.name.as_bytes(), b"\n", &[COSIGNATURE_V1], self.key.as_bytes()].concat();
        let [first, second, third, fourth, ..] = *Sha256Digest::of(&material).as_bytes();
        [first, second, third, fourth]
    }

    /// The key as other implementations take it (vkey): `<name>+<id in hex>+<Base64 of 0x04 and the key>`.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        let material = [&[COSIGNATURE_V1][..], self.key.as_bytes()].concat();
        format!("{}+{}+{}", self.name, hex::encode(&self.id()), STANDARD.encode(material))
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`Error::Key`] when it is none of a witness.
    pub fn from_vkey(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (name, rest) = text.split_once('+')?;
            let (id, material) = rest.split_once('+')?;
            let material = STANDARD.decode(material).ok()?;
            let (COSIGNATURE_V1, key) = material.split_first().map(|(kind, key)| (*kind, key))? else { return None };
            let witness = Self::new(name, Ed25519PublicKey::from_bytes(key.try_into().ok()?)).ok()?;
            (hex::decode(id) == Some(witness.id())).then_some(witness)
        };
        parse().ok_or(Error::Key { what: "witness key", expected: "a vkey of signature type 0x04 with an Ed25519 key" })
    }

    /// Adds a cosignature to a note: this witness saw it at `time`, seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Bug`] when `key` is another one's.
    pub fn cosign(&self, note: &mut Note, key: &Ed25519Key, time: u64) -> Result<(), Error> {
        if key.public_key() != self.key {
            return Err(Error::Bug("a witness signs with its own key"));
        }
        let signature = key.sign(&message(note, time));
        note.add(&self.name, self.id(), [&time.to_be_bytes()[..], &signature].concat());
        Ok(())
    }

    /// When this witness saw the note, seconds since 1970: the newest of its cosignatures, all of which must verify.
    /// Nothing when it has none, or one that does not.
    #[must_use]
    pub fn saw(&self, note: &Note) -> Option<u64> {
        let mut newest = None;
        for line in note.lines_of(&self.name, self.id()) {
            let (time, signature) = line.split_first_chunk::<8>()?;
            let time = u64::from_be_bytes(*time);
            self.key.verify(&message(note, time), signature).ok()?;
            newest = newest.max(Some(time));
        }
        newest
    }
}

fn message(note: &Note, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{}", note.text_unverified()).into_bytes()
}

/// Signature type of c2sp.org/signed-note: timestamped Ed25519 cosignatures.
const COSIGNATURE_V1: u8 = 0x04;
const BAD_NAME: Error = Error::Malformed { what: "witness name", expected: "a text without spaces and plus" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Checkpoint;
    use crate::signature::{P256Key, Signer};

    fn note() -> (Note, P256Key) {
        let key = P256Key::generate().unwrap();
        let origin = "log.test/one".parse().unwrap();
        let checkpoint = Checkpoint { origin, size: 7, root: Sha256Digest::of(b"root") };
        (checkpoint.sign(&key).unwrap(), key)
    }

    fn witness() -> (Witness, Ed25519Key) {
        let key = Ed25519Key::generate().unwrap();
        (Witness::new("witness.test/w1", key.public_key()).unwrap(), key)
    }

    #[test]
    fn a_cosigned_checkpoint_is_still_the_logs_and_tells_when_it_was_seen() {
        let (mut note, log) = note();
        let (witness, key) = witness();
        assert_eq!(witness.saw(&note), None);
        witness.cosign(&mut note, &key, 1_790_000_000).unwrap();
        witness.cosign(&mut note, &key, 1_790_000_100).unwrap();
        let stored = note.to_vec();
        let read = Note::from_slice(&stored).unwrap();
        assert_eq!(witness.saw(&read), Some(1_790_000_100));
        let origin = "log.test/one".parse().unwrap();
        assert_eq!(Checkpoint::open(&stored, &origin, log.public_key()).unwrap().size, 7);
        let (other, _) = self::witness();
        assert_eq!(other.saw(&read), None);
        assert_eq!(Witness::from_vkey(&witness.to_vkey()).unwrap(), witness);
    }

    #[test]
    fn another_time_text_or_key_is_no_cosignature() {
        let (mut note, _) = note();
        let (witness, key) = witness();
        witness.cosign(&mut note, &key, 7).unwrap();
        let stored = String::from_utf8(note.to_vec()).unwrap();
        let changed = Note::from_slice(stored.replace("\n7\n", "\n8\n").as_bytes()).unwrap();
        assert_eq!(witness.saw(&changed), None);
        let line = note.lines_of(witness.name(), witness.id()).next().unwrap().to_vec();
        let mut later = line.clone();
        later[7] += 1;
        let mut forged = self::note().0;
        forged.add(witness.name(), witness.id(), later);
        assert_eq!(witness.saw(&forged), None);
        let (_, other) = self::witness();
        assert!(witness.cosign(&mut forged, &other, 7).is_err());
    }
}
