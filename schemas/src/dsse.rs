//! Signed statements: DSSE v1 (Dead Simple Signing Envelope) with exactly one signature.
//!
//! Source: secure-systems-lab/dsse, `protocol.md` and `envelope.md`, v1.0.

mod verified;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::canonical;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::payload_type::PayloadType;
use crate::signature::{PublicKey, Signer};
use verified::Verified;

/// A typed value that gets signed: its kind is part of what the signature covers.
pub trait Statement: Serialize + DeserializeOwned {
    /// The kind of this statement.
    const TYPE: PayloadType;
}

/// A signed statement. Stored as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Kind of the payload.
    #[serde(rename = "payloadType")]
    payload_type: PayloadType,
    /// The statement's canonical JSON.
    payload: Base64Bytes,
    /// Exactly one.
    signatures: [Signature; 1],
    #[serde(skip)]
    verified: Verified,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    /// SHA-256 of the signer's SubjectPublicKeyInfo.
    keyid: Sha256Digest,
    /// DER.
    sig: Base64Bytes,
}

/// Pre-authentication encoding: the bytes that are signed.
#[must_use]
pub fn pae(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut bytes = pae_header(payload_type, payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// What the encoding puts before the payload.
pub(crate) fn pae_header(payload_type: PayloadType, payload_length: usize) -> String {
    let kind = payload_type.as_str();
    format!("DSSEv1 {} {kind} {payload_length} ", kind.len())
}

impl Envelope {
    /// Signs a statement.
    ///
    /// # Errors
    /// Those of [`canonical::to_vec`] and of the signer.
    pub fn of<T: Statement>(statement: &T, signer: &dyn Signer) -> Result<Self, Error> {
        Self::sign(T::TYPE, canonical::to_vec(statement)?, signer)
    }

    /// Signs the payload's bytes.
    ///
    /// # Errors
    /// Those of the signer.
    pub fn sign(payload_type: PayloadType, payload: Vec<u8>, signer: &dyn Signer) -> Result<Self, Error> {
        let signature = signer.sign(&pae(payload_type, &payload))?;
        Ok(Self::assemble(payload_type, payload, signer.public_key(), signature))
    }

    /// Puts together what a key service signed: `signature` is over [`pae`] of type and payload.
    #[must_use]
    pub fn assemble(payload_type: PayloadType, payload: Vec<u8>, key: &PublicKey, signature: Vec<u8>) -> Self {
        let signature = Signature { keyid: key.key_id(), sig: Base64Bytes(signature) };
        Self { payload_type, payload: Base64Bytes(payload), signatures: [signature], verified: Verified::default() }
    }

    /// Reads an envelope: canonical JSON, one signature, at most [`ENVELOPE_MAX`] bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_slice_within(bytes, ENVELOPE_MAX)
    }

    /// [`Envelope::from_slice`] with another limit, for what becomes no leaf.
    ///
    /// # Errors
    /// Those of [`Envelope::from_slice`].
    pub fn from_slice_within(bytes: &[u8], limit: usize) -> Result<Self, Error> {
        if bytes.len() > limit {
            return Err(Error::TooLarge { what: "envelope", limit: limit as u64 });
        }
        canonical::from_slice("envelope", bytes)
    }

    /// The envelope as stored.
    ///
    /// # Errors
    /// Those of [`canonical::to_vec`].
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        canonical::to_vec(self)
    }

    /// Checks kind, key and signature, and gives the payload's bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] for another kind, [`Error::Signature`] for another key or a wrong signature.
    pub fn verify(&self, key: &PublicKey, expected: PayloadType) -> Result<&[u8], Error> {
        if self.payload_type != expected {
            return Err(Error::Malformed { what: "payload type", expected: expected.as_str() });
        }
        let [signature] = &self.signatures;
        if signature.keyid != key.key_id() {
            return Err(Error::Signature(expected.as_str()));
        }
        if !self.verified.by(key) {
            key.verify(&pae(expected, &self.payload.0), &signature.sig.0)
                .map_err(|_| Error::Signature(expected.as_str()))?;
            self.verified.remember(key);
        }
        Ok(&self.payload.0)
    }

    /// [`Envelope::verify`], then reads the statement (strictly canonical).
    ///
    /// # Errors
    /// Those of `verify`, and [`Error::Malformed`].
    pub fn open<T: Statement>(&self, key: &PublicKey) -> Result<T, Error> {
        canonical::from_slice(T::TYPE.as_str(), self.verify(key, T::TYPE)?)
    }

    /// Reads the statement *without checking its signature*: to learn which key must have signed it.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn read_unverified<T: Statement>(&self) -> Result<T, Error> {
        if self.payload_type != T::TYPE {
            return Err(Error::Malformed { what: "payload type", expected: T::TYPE.as_str() });
        }
        canonical::from_slice(T::TYPE.as_str(), &self.payload.0)
    }

    /// SHA-256 of the [`pae`]: names the statement, whoever signed it and however often.
    #[must_use]
    pub fn statement_digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.pae())
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(self.payload_type, &self.payload.0)
    }

    /// Kind of the payload.
    #[must_use]
    pub fn payload_type(&self) -> PayloadType {
        self.payload_type
    }

    /// The payload's bytes, signature unchecked.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload.0
    }

    /// The signature (DER), unchecked.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        let [signature] = &self.signatures;
        &signature.sig.0
    }

    /// Key the envelope names as its signer's, unchecked: SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn key_id(&self) -> Sha256Digest {
        let [signature] = &self.signatures;
        signature.keyid
    }
}

/// A log leaf holds at most 65,535 bytes (C2SP tlog-tiles), and every envelope of evidence is to become a leaf.
pub const ENVELOPE_MAX: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::P256Key;

    #[test]
    fn the_encoding_is_that_of_the_dsse_protocol() {
        let text = pae(PayloadType::Chunk, b"hello");
        assert_eq!(text, b"DSSEv1 39 application/vnd.affidavit.chunk.v1+json 5 hello");
    }

    #[test]
    fn an_envelope_verifies_only_with_its_key_and_kind() {
        let (key, other) = (P256Key::generate().unwrap(), P256Key::generate().unwrap());
        let envelope = Envelope::sign(PayloadType::Chunk, b"{}".to_vec(), &key).unwrap();
        let read = Envelope::from_slice(&envelope.to_vec().unwrap()).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(read.verify(key.public_key(), PayloadType::Chunk).unwrap(), b"{}");
        assert!(read.verify(other.public_key(), PayloadType::Chunk).is_err());
        assert!(read.verify(key.public_key(), PayloadType::SessionClose).is_err());
    }

    #[test]
    fn what_was_verified_once_is_no_more_than_that() {
        let key = P256Key::generate().unwrap();
        let envelope = Envelope::sign(PayloadType::Chunk, b"{}".to_vec(), &key).unwrap();
        let unasked = envelope.clone();
        envelope.verify(key.public_key(), PayloadType::Chunk).unwrap();
        assert_eq!(envelope, unasked);
        assert_eq!(envelope.to_vec().unwrap(), unasked.to_vec().unwrap());
        assert!(envelope.verify(key.public_key(), PayloadType::SessionClose).is_err());
        let forged = envelope.to_vec().unwrap();
        let forged = String::from_utf8(forged).unwrap().replace("\"e30=\"", "\"W10=\"");
        let forged = Envelope::from_slice(forged.as_bytes()).unwrap();
        assert!(forged.verify(key.public_key(), PayloadType::Chunk).is_err(), "read anew, it is verified anew");
    }

    #[test]
    fn two_signatures_none_or_another_spelling_are_refused() {
        let key = P256Key::generate().unwrap();
        let text = Envelope::sign(PayloadType::Chunk, b"{}".to_vec(), &key).unwrap().to_vec().unwrap();
        let text = String::from_utf8(text).unwrap();
        let one = text.split_once("[").unwrap().1.split_once("]").unwrap().0;
        for bad in [
            text.replace(one, &format!("{one},{one}")),
            text.replace(one, ""),
            format!("{text} "),
            text.replace("payloadType\":", "payloadType\": "),
        ] {
            assert!(Envelope::from_slice(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
