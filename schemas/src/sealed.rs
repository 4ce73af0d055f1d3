//! AES-256-GCM with a random nonce in front: `nonce (12) | ciphertext | tag (16)`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::entropy::Entropy;
use crate::error::Error;

/// A key for AES-256-GCM. At most 2^32 seals a key keep random nonces apart (NIST SP 800-38D section 8.3); a session's
/// data and a data key's wrapped keys stay far below.
pub(crate) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Machine("AES-256-GCM key set-up"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals `plaintext` in place: afterwards `buffer` is the whole sealed form. `buffer` must start with
    /// [`NONCE_LENGTH`] bytes of room, so that nothing is copied.
    pub(crate) fn seal(&self, buffer: &mut Vec<u8>, aad: &[u8], entropy: &dyn Entropy) -> Result<(), Error> {
        let (room, plaintext) =
            buffer.split_first_chunk_mut::<NONCE_LENGTH>().ok_or(Error::Bug("no room for the nonce"))?;
        entropy.fill(room)?;
        let nonce = Nonce::assume_unique_for_key(*room);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext)
            .map_err(|_| Error::Machine("AES-256-GCM"))?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what [`SealingKey::seal`] made with the same `aad`.
    pub(crate) fn open(&self, what: &'static str, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
        let refused = Error::Sealed(what);
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(refused.clone())?;
        let mut buffer = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| refused)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

pub(crate) const NONCE_LENGTH: usize = 12;
/// Nonce and tag.
pub(crate) const OVERHEAD: usize = NONCE_LENGTH + 16;
