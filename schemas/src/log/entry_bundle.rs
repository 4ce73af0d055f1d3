//! Entry bundles (C2SP tlog-tiles, "Log entries"): up to 256 entries, each after its length as big-endian u16.

use super::tile::FULL_WIDTH;
use crate::error::Error;

/// Writes a bundle.
///
/// # Errors
/// [`Error::TooLarge`] for an entry longer than 65,535 bytes.
pub fn encode(entries: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| LENGTH_SIZE + entry.len()).sum());
    for entry in entries {
        let too_large = |_| Error::TooLarge { what: "log entry", limit: u64::from(u16::MAX) };
        bundle.extend_from_slice(&u16::try_from(entry.len()).map_err(too_large)?.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Reads the first `width` entries of a bundle that holds at least so many, and nothing else.
///
/// # Errors
/// [`Error::Malformed`], [`Error::TooLarge`].
pub fn decode(bundle: &[u8], width: u16) -> Result<Vec<Vec<u8>>, Error> {
    if bundle.len() > BUNDLE_MAX {
        return Err(Error::TooLarge { what: "entry bundle", limit: BUNDLE_MAX as u64 });
    }
    let mut entries = Vec::with_capacity(usize::from(width.min(FULL_WIDTH)));
    let mut rest = bundle;
    while !rest.is_empty() && entries.len() <= usize::from(FULL_WIDTH) {
        let (length, after) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(MALFORMED)?;
        entries.push(entry.to_vec());
        rest = after;
    }
    if entries.len() < usize::from(width) || entries.len() > usize::from(FULL_WIDTH) {
        return Err(MALFORMED);
    }
    entries.truncate(width.into());
    Ok(entries)
}

/// 256 entries of 65,535 bytes with their lengths.
pub const BUNDLE_MAX: usize = 256 * (65_535 + LENGTH_SIZE);
const LENGTH_SIZE: usize = 2;
const MALFORMED: Error = Error::Malformed {
    what: "entry bundle",
    expected: "as many entries as its path says, each after its length as big-endian u16",
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_stand_before_entries_in_big_endian() {
        let entries = [b"a".to_vec(), Vec::new(), vec![7; 258]];
        let bundle = encode(&entries).unwrap();
        assert_eq!(bundle.first_chunk(), Some(b"\0\x01a\0\0\x01\x02\x07"));
        assert_eq!(decode(&bundle, 3).unwrap(), entries);
        assert_eq!(decode(&bundle, 2).unwrap(), entries[..2]);
        assert!(decode(&bundle, 4).is_err() && decode(&bundle[..bundle.len() - 1], 2).is_err());
    }

    #[test]
    fn an_entry_of_65535_bytes_is_the_longest() {
        assert_eq!(decode(&encode(&[vec![1; 65_535]]).unwrap(), 1).unwrap(), [vec![1; 65_535]]);
        assert!(encode(&[vec![1; 65_536]]).is_err());
        assert!(decode(&[0; 2 * 257], 256).is_err(), "257 entries are not one bundle");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20)) {
            let width = u16::try_from(entries.len()).unwrap();
            prop_assert_eq!(decode(&encode(&entries).unwrap(), width).unwrap(), entries);
        }

        #[test]
        fn garbage_is_refused_or_read_as_what_it_is(bytes in prop::collection::vec(any::<u8>(), 0..60), width in 0u16..300) {
            if let Ok(entries) = decode(&bytes, width) {
                prop_assert_eq!(entries.len(), usize::from(width));
            }
        }
    }
}
