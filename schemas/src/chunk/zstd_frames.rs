//! Walks zstd frames by their headers alone (RFC 8878 section 3.1.1), so that nothing is decompressed before its shape
//! is known.

use super::{STANDARD_MAGIC, WINDOW_MAX};

/// Checks that `stored` is one or more whole standard frames without dictionary, with windows of at most 8 MiB.
pub(super) fn check(stored: &[u8]) -> Result<(), &'static str> {
    let mut rest = skip_frame(stored)?;
    while !rest.is_empty() {
        rest = skip_frame(rest)?;
    }
    Ok(())
}

fn skip_frame(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(TORN)?;
    if u32::from_le_bytes(*magic) != STANDARD_MAGIC {
        return Err("expected nothing but standard zstd frames before the last frame");
    }
    let (descriptor, rest) = rest.split_first().ok_or(TORN)?;
    if descriptor & (UNUSED_BIT | RESERVED_BIT) != 0 {
        return Err("expected a zstd frame header without reserved bits");
    }
    if descriptor & DICTIONARY_BITS != 0 {
        return Err("expected a zstd frame without dictionary");
    }
    let rest = check_window(*descriptor, rest)?;
    let rest = skip_blocks(rest)?;
    let checksum = if descriptor & CHECKSUM_BIT == 0 { 0 } else { 4 };
    rest.get(checksum..).ok_or(TORN)
}

fn check_window(descriptor: u8, rest: &[u8]) -> Result<&[u8], &'static str> {
    let single_segment = descriptor & SINGLE_SEGMENT_BIT != 0;
    let (window, rest) = if single_segment {
        (None, rest)
    } else {
        let (window, rest) = rest.split_first().ok_or(TORN)?;
        let base = 1u64 << (10 + (window >> 3));
        (Some(base + base / 8 * u64::from(window & 7)), rest)
    };
    let size_length = match (descriptor >> 6, single_segment) {
        (0, false) => 0,
        (0, true) => 1,
        (1, _) => 2,
        (2, _) => 4,
        _ => 8,
    };
    let (size, rest) = rest.split_at_checked(size_length).ok_or(TORN)?;
    let size = size.iter().rev().fold(0u64, |size, byte| size << 8 | u64::from(*byte));
    // The two-byte form counts from 256.
    let size = if size_length == 2 { size + 256 } else { size };
    if window.unwrap_or(size) > u64::from(WINDOW_MAX) {
        return Err("expected a zstd window of at most 8 MiB");
    }
    Ok(rest)
}

fn skip_blocks(mut rest: &[u8]) -> Result<&[u8], &'static str> {
    loop {
        let ([a, b, c], after) = rest.split_first_chunk::<3>().ok_or(TORN)?;
        let header = u32::from_le_bytes([*a, *b, *c, 0]);
        let size = usize::try_from(header >> 3).map_err(|_| TORN)?;
        if size > BLOCK_MAX {
            return Err("expected zstd blocks of at most 128 KiB");
        }
        let stored = match header >> 1 & 3 {
            RAW | COMPRESSED => size,
            RUN => 1,
            _ => return Err("expected zstd blocks of a known type"),
        };
        rest = after.get(stored..).ok_or(TORN)?;
        if header & 1 == 1 {
            return Ok(rest);
        }
    }
}

const TORN: &str = "expected whole zstd frames, at least one";
const DICTIONARY_BITS: u8 = 0b0000_0011;
const CHECKSUM_BIT: u8 = 0b0000_0100;
const RESERVED_BIT: u8 = 0b0000_1000;
const UNUSED_BIT: u8 = 0b0001_0000;
const SINGLE_SEGMENT_BIT: u8 = 0b0010_0000;
const RAW: u32 = 0;
const RUN: u32 = 1;
const COMPRESSED: u32 = 2;
/// Block_Maximum_Size (RFC 8878 section 3.1.1.2.4).
const BLOCK_MAX: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compressor_writes_is_accepted() {
        for size in [0usize, 1, 255, 256, 70_000, 1_000_000] {
            let content: Vec<u8> = (0..size).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
            let mut stored = zstd::bulk::compress(&content, 1).unwrap();
            check(&stored).unwrap();
            stored.extend(zstd::stream::encode_all(content.as_slice(), 3).unwrap());
            check(&stored).unwrap();
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let frame = zstd::bulk::compress(b"content", 1).unwrap();
        let skippable = [0x184D_2A50u32.to_le_bytes().as_slice(), &3u32.to_le_bytes(), b"abc"].concat();
        let large_window = [STANDARD_MAGIC.to_le_bytes().as_slice(), &[0, (14 << 3), 1, 0, 0]].concat();
        let dictionary = [STANDARD_MAGIC.to_le_bytes().as_slice(), &[1, 0, 9, 1, 0, 0]].concat();
        for bad in [
            Vec::new(),
            frame[..frame.len() - 1].to_vec(),
            [frame.as_slice(), b"x"].concat(),
            [frame.as_slice(), &skippable].concat(),
            [skippable.as_slice(), &frame].concat(),
            large_window,
            dictionary,
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
        let eight_mib = [STANDARD_MAGIC.to_le_bytes().as_slice(), &[0, (13 << 3), 1, 0, 0]].concat();
        check(&eight_mib).unwrap();
    }
}
