//! Takes a chunk apart, strictly (rule 14): structure first, then signature, then digests, then decompression.

use std::borrow::Cow;
use std::io::Read;

use super::decoded_frames::decoder;
use super::{DECODED_MAX, OpenedChunk, SKIPPABLE_HEADER, SKIPPABLE_MAGIC, STORED_MAX, TRAILER_LENGTH, zstd_frames};
use crate::digest::Hasher;
use crate::dsse::{Envelope, Statement};
use crate::manifest::{ChunkManifest, Extent, FORMAT_VERSION};
use crate::rule::{Rule, Violation};
use crate::signature::PublicKey;

/// A chunk whose structure is sound and whose manifest was read. Neither its signature nor its digests are checked.
#[derive(Debug)]
pub struct Container<'a> {
    stored: Cow<'a, [u8]>,
    envelope: Envelope,
    manifest: ChunkManifest,
}

impl<'a> Container<'a> {
    /// Checks the structure without decompressing anything and reads the manifest. Bytes that are given away are not
    /// copied when it is decoded.
    ///
    /// # Errors
    /// `chunk.container` or `chunk.manifest`.
    pub fn parse(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Violation> {
        let bytes = bytes.into();
        if bytes.len() as u64 > STORED_MAX {
            return Err(container(format!("longer than {STORED_MAX} bytes")));
        }
        let (stored, envelope) = split(&bytes).ok_or_else(|| {
            container("expected one skippable frame with Affidavit's magic that ends with the object".to_owned())
        })?;
        zstd_frames::check(stored).map_err(|expected| container(expected.to_owned()))?;
        let malformed = |error: crate::Error| Violation::new(Rule::ChunkManifest, error.to_string());
        let envelope = Envelope::from_slice(envelope).map_err(malformed)?;
        let manifest: ChunkManifest = envelope.read_unverified().map_err(malformed)?;
        check_limits(&manifest)?;
        let length = stored.len();
        let stored = match bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..length).unwrap_or_default()),
            Cow::Owned(mut bytes) => {
                bytes.truncate(length);
                Cow::Owned(bytes)
            }
        };
        Ok(Self { stored, envelope, manifest })
    }

    /// What the chunk claims.
    #[must_use]
    pub fn manifest(&self) -> &ChunkManifest {
        &self.manifest
    }

    /// The signed statement.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Checks that `key` signed, and that it is the incarnation the manifest names.
    ///
    /// # Errors
    /// `chunk.signature`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Violation> {
        verify(&self.envelope, &self.manifest, key)
    }

    /// Checks the digests: decompresses, and keeps nothing of that.
    ///
    /// # Errors
    /// `chunk.digest`.
    pub fn decode(self) -> Result<OpenedChunk, Violation> {
        if Extent::of(&self.stored) != self.manifest.stored {
            return Err(digest("the stored bytes are not those the manifest names"));
        }
        let decoded = decoded_extent(&self.stored, self.manifest.decoded.length)
            .ok_or_else(|| digest("the stored bytes do not decode to the length the manifest names"))?;
        if decoded != self.manifest.decoded {
            return Err(digest("the decoded frames are not those the manifest names"));
        }
        Ok(OpenedChunk { manifest: self.manifest, envelope: self.envelope, stored: self.stored.into_owned() })
    }
}

/// Checks that `key` signed the manifest, which was read from this envelope, and that it is the one the manifest names.
pub(super) fn verify(envelope: &Envelope, manifest: &ChunkManifest, key: &PublicKey) -> Result<(), Violation> {
    let refused = |message: &str| Violation::new(Rule::ChunkSignature, message);
    if key.incarnation() != manifest.sealed_by {
        return Err(refused("the key is not that of the incarnation in sealed_by"));
    }
    let verified = envelope.verify(key, ChunkManifest::TYPE);
    verified.map(|_| ()).map_err(|_| refused("the signature does not verify under the signer's key"))
}

/// Digest and length of what the bytes decode to; nothing when that is not possible, or longer than `length`.
fn decoded_extent(stored: &[u8], length: u64) -> Option<Extent> {
    let mut decoder = decoder(stored).ok()?;
    let (mut hasher, mut decoded) = (Hasher::new(), 0u64);
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = decoder.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(Extent { sha256: hasher.finish(), length: decoded });
        }
        decoded = decoded.checked_add(read as u64).filter(|decoded| *decoded <= length)?;
        hasher.update(buffer.get(..read)?);
    }
}

/// The bytes before the skippable frame, and the envelope in it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, trailer) = bytes.split_last_chunk::<TRAILER_LENGTH>()?;
    let (length_bytes, magic) = trailer.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length_bytes)).ok()?;
    let envelope_length = length.checked_sub(TRAILER_LENGTH)?;
    let (rest, envelope) = rest.split_at_checked(rest.len().checked_sub(envelope_length)?)?;
    let (stored, header) = rest.split_last_chunk::<SKIPPABLE_HEADER>()?;
    let framed = *magic == SKIPPABLE_MAGIC.to_le_bytes()
        && header.first_chunk() == Some(&SKIPPABLE_MAGIC.to_le_bytes())
        && header.last_chunk() == Some(length_bytes);
    framed.then_some((stored, envelope))
}

fn check_limits(manifest: &ChunkManifest) -> Result<(), Violation> {
    let refused = |message: String| Err(Violation::new(Rule::ChunkManifest, message));
    if manifest.format != FORMAT_VERSION {
        return refused(format!("format is {}, expected {FORMAT_VERSION}", manifest.format));
    }
    if manifest.decoded.length > DECODED_MAX {
        return refused(format!("decoded length is {}, expected at most {DECODED_MAX}", manifest.decoded.length));
    }
    let counted = manifest.first_event.checked_add(manifest.events).and_then(|next| next.checked_sub(1));
    if manifest.first_event == 0 || counted != Some(manifest.last_event) {
        return refused("first_event, last_event and events do not fit each other".to_owned());
    }
    if manifest.first_time_us > manifest.last_time_us {
        return refused("first_time_us is after last_time_us".to_owned());
    }
    Ok(())
}

fn container(message: String) -> Violation {
    Violation::new(Rule::ChunkContainer, message)
}

fn digest(message: &str) -> Violation {
    Violation::new(Rule::ChunkDigest, message)
}

/// What is decompressed at once: a zstd block.
const BUFFER: usize = 128 * 1024;
