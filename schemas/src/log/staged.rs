//! What a sealer is about to publish: every tile of a new checkpoint in one object, written before the checkpoint is.
//!
//! ```text
//! u16 length of path | path | u32 length of content | content     big-endian, for each part
//! ```
//! A sealer that dies between checkpoint and tiles leaves it, and the next one publishes it. A reader that finds the
//! checkpoint before the tiles reads them here.

use std::collections::BTreeMap;

use super::tile::Tile;
use crate::error::Error;

/// Tiles of a checkpoint, and the sealer's own state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staged {
    /// Tiles that are new with the checkpoint, with their bytes.
    pub tiles: BTreeMap<Tile, Vec<u8>>,
    /// What the sealer remembers; nothing to anybody else.
    pub state: Vec<u8>,
}

impl Staged {
    /// The object's bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        for (tile, content) in &self.tiles {
            append(&mut bytes, &tile.to_string(), content)?;
        }
        append(&mut bytes, STATE, &self.state)?;
        if bytes.len() > STAGED_MAX { Err(TOO_LARGE) } else { Ok(bytes) }
    }

    /// Reads the object.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > STAGED_MAX {
            return Err(TOO_LARGE);
        }
        let (mut tiles, mut rest) = (BTreeMap::new(), bytes);
        loop {
            let (path, content, after) = part(rest).ok_or(MALFORMED)?;
            rest = after;
            if path == STATE {
                let staged = Self { tiles, state: content.to_vec() };
                return if rest.is_empty() { Ok(staged) } else { Err(MALFORMED) };
            }
            tiles.insert(path.parse()?, content.to_vec());
        }
    }
}

fn append(bytes: &mut Vec<u8>, path: &str, content: &[u8]) -> Result<(), Error> {
    bytes.extend_from_slice(&u16::try_from(path.len()).map_err(|_| TOO_LARGE)?.to_be_bytes());
    bytes.extend_from_slice(path.as_bytes());
    bytes.extend_from_slice(&u32::try_from(content.len()).map_err(|_| TOO_LARGE)?.to_be_bytes());
    bytes.extend_from_slice(content);
    Ok(())
}

fn part(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (path, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (length, rest) = rest.split_first_chunk()?;
    let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
    Some((std::str::from_utf8(path).ok()?, content, rest))
}

/// The entries of a batch, a partial bundle before them, their hashes, and the state.
pub const STAGED_MAX: usize = 128 * 1024 * 1024;
const STATE: &str = "state";
const TOO_LARGE: Error = Error::TooLarge { what: "staged tiles", limit: STAGED_MAX as u64 };
const MALFORMED: Error = Error::Malformed { what: "staged tiles", expected: "tiles with their paths, then a state" };

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_staged_is_read_and_half_of_it_is_refused() {
        let tiles = [(Tile::entries(0), vec![1, 2]), (Tile { width: 3, ..Tile::hashes(0, 1) }, Vec::new())];
        let staged = Staged { tiles: tiles.into(), state: b"{}".to_vec() };
        let bytes = staged.to_vec().unwrap();
        assert_eq!(Staged::from_slice(&bytes).unwrap(), staged);
        for length in 0..bytes.len() {
            assert!(Staged::from_slice(&bytes[..length]).is_err(), "{length}");
        }
        assert!(Staged::from_slice(&[bytes.as_slice(), b"\0"].concat()).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Staged::from_slice(&bytes);
        }
    }
}
