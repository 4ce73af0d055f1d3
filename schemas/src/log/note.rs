//! Signed notes (c2sp.org/signed-note) with ECDSA P-256: signature type 0x02.
//!
//! A key's id is the first four bytes of SHA-256 over its SubjectPublicKeyInfo; the key's name is not in it (unlike
//! Ed25519's). The signature is DER over SHA-256 of the note's text, so `openssl dgst -sha256 -verify` checks it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;
use crate::hex;
use crate::signature::PublicKey;

/// A text and its signatures, none of them checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A key that signs notes, under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: PublicKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl Note {
    /// Puts together what was signed: `signature` is over `text`, by `key`.
    ///
    /// # Errors
    /// [`Error::Bug`] for a text that no note can have.
    pub fn assemble(text: String, key: &NoteKey, signature: Vec<u8>) -> Result<Self, Error> {
        if !is_text(&text) || !text.ends_with('\n') || text.len() > NOTE_MAX {
            return Err(Error::Bug("a note's text is lines without control characters"));
        }
        let signature = NoteSignature { name: key.name.clone(), key_id: key.id(), signature };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > NOTE_MAX {
            return Err(Error::TooLarge { what: "signed note", limit: NOTE_MAX as u64 });
        }
        let note = std::str::from_utf8(bytes).ok().filter(|note| is_text(note)).ok_or(MALFORMED)?;
        // The last empty line parts text and signatures; the text keeps its own newline.
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(MALFORMED)?;
        let lines = signatures.strip_suffix('\n').ok_or(MALFORMED)?.split('\n');
        let signatures = lines.map(NoteSignature::from_line).collect::<Option<_>>().ok_or(MALFORMED)?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The note as stored.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let lines: String = self.signatures.iter().map(NoteSignature::to_line).collect();
        format!("{}\n{lines}", self.text).into_bytes()
    }

    /// Checks that `key` signed, and gives the text. Signatures of other keys mean nothing and are passed over.
    ///
    /// # Errors
    /// [`Error::Signature`] when the key's signature is missing or any of them is wrong.
    pub fn verify(&self, key: &NoteKey) -> Result<&str, Error> {
        let refused = Error::Signature("signed note");
        let mut by_key = self.signatures.iter().filter(|line| line.name == key.name && line.key_id == key.id());
        let mut signed = by_key.clone().peekable();
        if signed.peek().is_some() && by_key.all(|line| key.key.verify(self.text.as_bytes(), &line.signature).is_ok()) {
            Ok(&self.text)
        } else {
            Err(refused)
        }
    }

    /// Adds a signature line. What it says is the signer's to know.
    pub(super) fn add(&mut self, name: &str, key_id: [u8; 4], signature: Vec<u8>) {
        self.signatures.push(NoteSignature { name: name.to_owned(), key_id, signature });
    }

    /// The signatures of this name and key id.
    pub(super) fn lines_of(&self, name: &str, key_id: [u8; 4]) -> impl Iterator<Item = &[u8]> {
        let own = self.signatures.iter().filter(move |line| line.name == name && line.key_id == key_id);
        own.map(|line| line.signature.as_slice())
    }

    /// The last signature line, with its newline.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        self.signatures.last().map(NoteSignature::to_line)
    }

    /// The text, which nobody may have signed.
    #[must_use]
    pub fn text_unverified(&self) -> &str {
        &self.text
    }
}

impl NoteKey {
    /// A key under its name: for a log, its origin.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an empty name, or one with a space or plus.
    pub fn new(name: impl Into<String>, key: PublicKey) -> Result<Self, Error> {
        let name = name.into();
        if is_name(&name) { Ok(Self { name, key }) } else { Err(BAD_NAME) }
    }

    /// The first four bytes of the SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let [first, second, third, fourth, ..] = *self.key.key_id().as_bytes();
        [first, second, third, fourth]
    }

    /// The key as other implementations take it (vkey): `<name>+<id in hex>+<Base64 of 0x02 and the key in DER>`.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        let material = [&[ECDSA_SHA256][..], &self.key.spki_der()].concat();
        format!("{}+{}+{}", self.name, hex::encode(&self.id()), STANDARD.encode(material))
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`Error::Key`] when it is none of a P-256 key.
    pub fn from_vkey(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (name, rest) = text.split_once('+')?;
            let (id, material) = rest.split_once('+')?;
            let material = STANDARD.decode(material).ok()?;
            let (ECDSA_SHA256, der) = material.split_first().map(|(kind, der)| (*kind, der))? else { return None };
            let key = Self::new(name, PublicKey::from_spki_der(der).ok()?).ok()?;
            (hex::decode(id) == Some(key.id())).then_some(key)
        };
        parse().ok_or(Error::Key { what: "verifier key", expected: "a vkey of signature type 0x02 with a P-256 key" })
    }
}

impl NoteSignature {
    fn from_line(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (key_id, signature) = decoded.split_first_chunk()?;
        let well_formed = is_name(name) && !signature.is_empty();
        well_formed.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }

    fn to_line(&self) -> String {
        let encoded = STANDARD.encode([&self.key_id[..], &self.signature].concat());
        format!("{LINE_START}{} {encoded}\n", self.name)
    }
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && is_text(name) && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

fn is_text(text: &str) -> bool {
    text.chars().all(|c| c >= ' ' || c == '\n')
}

/// Sixteen signatures of post-quantum size (5 kB each), and a text.
pub const NOTE_MAX: usize = 128 * 1024;
/// Signature type of c2sp.org/signed-note.
const ECDSA_SHA256: u8 = 0x02;
/// Em dash and space.
const LINE_START: &str = "\u{2014} ";
const MALFORMED: Error =
    Error::Malformed { what: "signed note", expected: "a text, an empty line and signature lines" };
const BAD_NAME: Error = Error::Malformed { what: "note key name", expected: "a text without spaces and plus" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{P256Key, Signer};
    use proptest::prelude::*;

    fn signed(text: &str) -> (Note, NoteKey) {
        let signer = P256Key::generate().unwrap();
        let key = NoteKey::new("log.test/one", signer.public_key().clone()).unwrap();
        (Note::assemble(text.to_owned(), &key, signer.sign(text.as_bytes()).unwrap()).unwrap(), key)
    }

    #[test]
    fn a_note_is_its_text_an_empty_line_and_signature_lines() {
        let (note, key) = signed("first\n\nlast\n");
        let stored = String::from_utf8(note.to_vec()).unwrap();
        assert!(stored.starts_with("first\n\nlast\n\n\u{2014} log.test/one "), "{stored}");
        let read = Note::from_slice(stored.as_bytes()).unwrap();
        assert_eq!(read.verify(&key).unwrap(), "first\n\nlast\n");
    }

    #[test]
    fn unknown_signatures_are_passed_over_and_a_wrong_known_one_refuses_the_note() {
        let (note, key) = signed("text\n");
        let (other, other_key) = signed("text\n");
        let both = Note { signatures: [other.signatures.clone(), note.signatures.clone()].concat(), ..note.clone() };
        both.verify(&key).unwrap();
        assert!(note.verify(&other_key).is_err());
        let renamed = NoteKey { name: "log.test/two".to_owned(), ..key.clone() };
        assert!(note.verify(&renamed).is_err());
        let mut wrong = both.clone();
        wrong
            .signatures
            .push(NoteSignature { signature: other.signatures[0].signature.clone(), ..note.signatures[0].clone() });
        assert!(wrong.verify(&key).is_err());
        assert!(Note { text: "texts\n".to_owned(), ..note }.verify(&key).is_err());
    }

    #[test]
    fn the_key_id_is_that_of_the_key_alone() {
        let (_, key) = signed("text\n");
        let renamed = NoteKey { name: "other".to_owned(), ..key.clone() };
        assert_eq!(key.id(), renamed.id());
        assert_eq!(key.id(), key.key.key_id().as_bytes()[..4]);
        assert_eq!(NoteKey::from_vkey(&key.to_vkey()).unwrap(), key);
    }

    // The key in the documentation of transparency-dev's NewECDSAVerifier, with its true id in place of theirs.
    #[test]
    fn a_vkey_of_another_implementation_is_read() {
        let material = "AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/\
                        4sueRoVj//QP22Ni4Qt9DPfkWLc=";
        let key = NoteKey::from_vkey(&format!("rekor.sigstore.dev+c0d23d6a+{material}")).unwrap();
        assert_eq!(key.name, "rekor.sigstore.dev");
        for bad in [
            format!("rekor.sigstore.dev+12345678+{material}"),
            format!("+c0d23d6a+{material}"),
            format!("rekor.sigstore.dev+c0d23d6a+{}", material.replacen("Aj", "AT", 1)),
            "rekor.sigstore.dev+c0d23d6a".to_owned(),
        ] {
            assert!(NoteKey::from_vkey(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let (note, _) = signed("text\n");
        let stored = String::from_utf8(note.to_vec()).unwrap();
        for bad in [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            stored.replace('\u{2014}', "-"),
            stored.replace("text", "te\txt"),
            stored.replace("log.test/one ", ""),
            stored.trim_end().to_owned(),
            format!("{stored}\n"),
            format!("{stored}more\n"),
            stored.replace("log.test/one", "log.test+one"),
            "text\n\n\u{2014} name AAAAAA==\n".to_owned(),
            "x".repeat(NOTE_MAX + 1),
        ] {
            assert!(Note::from_slice(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_writing_gives_what_was_read(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[a-z\n]{0,30}\n\n(\u{2014} [a-z]{0,3} [A-Za-z0-9+/]{0,3}AAAAAAAA\n){0,3}") {
            for bytes in [bytes, text.into_bytes()] {
                if let Ok(note) = Note::from_slice(&bytes) {
                    prop_assert_eq!(note.to_vec(), bytes);
                }
            }
        }
    }
}
