//! A zstd frame that holds its content uncompressed (RFC 8878 sections 3.1.1 and 3.1.1.2): ciphertext does not shrink,
//! and to copy it is faster than to let a compressor find that out.

use crate::error::Error;

/// Appends one standard frame that decodes to `content`.
pub(super) fn write(content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let too_large = Error::TooLarge { what: "data frame", limit: u64::from(CONTENT_MAX) };
    let size = u32::try_from(content.len()).ok().filter(|size| *size <= CONTENT_MAX).ok_or(too_large)?;
    out.extend_from_slice(&super::STANDARD_MAGIC.to_le_bytes());
    out.push(SINGLE_SEGMENT_FOUR_BYTE_SIZE);
    out.extend_from_slice(&size.to_le_bytes());
    let mut blocks = content.chunks(BLOCK_MAX).peekable();
    if blocks.peek().is_none() {
        out.extend_from_slice(&block_header(0, true)?);
    }
    while let Some(block) = blocks.next() {
        out.extend_from_slice(&block_header(block.len(), blocks.peek().is_none())?);
        out.extend_from_slice(block);
    }
    Ok(())
}

/// Bit 0: last; bits 1-2: type, 0 = raw; bits 3-23: size.
fn block_header(size: usize, last: bool) -> Result<[u8; 3], Error> {
    let size = u32::try_from(size).map_err(|_| Error::Bug("a block is too large"))?;
    let [a, b, c, _] = (size << 3 | u32::from(last)).to_le_bytes();
    Ok([a, b, c])
}

/// Frame_Content_Size_flag 2, Single_Segment_flag 1, no checksum, no dictionary.
const SINGLE_SEGMENT_FOUR_BYTE_SIZE: u8 = 0b1010_0000;
/// Block_Maximum_Size of any frame.
const BLOCK_MAX: usize = 128 * 1024;
/// A single segment's window is its size.
const CONTENT_MAX: u32 = super::WINDOW_MAX;

#[cfg(test)]
mod tests {
    #[test]
    fn any_decoder_reads_a_raw_frame() {
        for size in [0, 1, 131_072, 131_073, 400_000] {
            let content: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
            let mut out = Vec::new();
            super::write(&content, &mut out).unwrap();
            assert_eq!(zstd::stream::decode_all(out.as_slice()).unwrap(), content);
        }
    }
}
