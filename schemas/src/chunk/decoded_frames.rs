//! The frames of a chunk, decompressed one at a time: memory holds the stored bytes, one window and one frame, not the
//! whole content.

use std::io::{self, BufReader, Read};

use zstd::stream::read::Decoder;

use super::WINDOW_LOG_MAX;
use crate::error::Error;
use crate::frame::{Frame, HEADER_LENGTH, Kind, TORN, parse_header};

/// Frames in order; ends after the first error.
pub(crate) struct DecodedFrames<'a> {
    /// Nothing once it ended.
    content: Option<BufReader<Decoder<'a, &'a [u8]>>>,
    payload: Vec<u8>,
}

/// Decompresses stored bytes whose structure was checked.
pub(super) fn decoder(stored: &[u8]) -> io::Result<Decoder<'_, &[u8]>> {
    let mut decoder = Decoder::with_buffer(stored)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

impl<'a> DecodedFrames<'a> {
    pub(super) fn new(stored: &'a [u8]) -> Self {
        let content = decoder(stored).ok().map(|decoder| BufReader::with_capacity(BUFFER, decoder));
        Self { content, payload: Vec::new() }
    }

    /// The next frame; its payload is overwritten by the one after it.
    pub(crate) fn next(&mut self) -> Option<Result<Frame<'_>, Error>> {
        match self.read()? {
            Ok(kind) => Some(Ok(Frame { kind, payload: &self.payload })),
            Err(error) => {
                self.content = None;
                Some(Err(error))
            }
        }
    }

    /// Reads the next frame's payload and tells its kind.
    fn read(&mut self) -> Option<Result<Kind, Error>> {
        let content = self.content.as_mut()?;
        let mut header = Vec::with_capacity(HEADER_LENGTH);
        if content.take(HEADER_LENGTH as u64).read_to_end(&mut header).is_err() {
            return Some(Err(TORN));
        }
        if header.is_empty() {
            self.content = None;
            return None;
        }
        let (kind, length) = match parse_header(&header) {
            Ok(parsed) => parsed,
            Err(error) => return Some(Err(error)),
        };
        self.payload.clear();
        self.payload.reserve(length);
        let read = content.take(length as u64).read_to_end(&mut self.payload);
        Some(if read.is_ok_and(|read| read == length) { Ok(kind) } else { Err(TORN) })
    }
}

/// Many small frames are taken from it.
const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frames;

    type Read = Result<(Kind, Vec<u8>), Error>;

    /// As one zstd frame, or as two.
    fn stored(content: &[u8], split: Option<usize>) -> Vec<u8> {
        let (first, second) = content.split_at(split.unwrap_or(content.len()));
        let mut stored = zstd::bulk::compress(first, 1).unwrap();
        if split.is_some() {
            stored.extend(zstd::bulk::compress(second, 1).unwrap());
        }
        stored
    }

    fn decoded(stored: &[u8]) -> Vec<Read> {
        let mut frames = DecodedFrames::new(stored);
        let mut read = Vec::new();
        while let Some(frame) = frames.next() {
            read.push(frame.map(|frame| (frame.kind, frame.payload.to_vec())));
        }
        assert!(frames.next().is_none());
        read
    }

    fn at_once(content: &[u8]) -> Vec<Read> {
        Frames::new(content).map(|frame| frame.map(|frame| (frame.kind, frame.payload.to_vec()))).collect()
    }

    proptest! {
        #[test]
        fn frames_are_those_of_the_whole_content(
            payloads in prop::collection::vec((any::<bool>(), 0..3000usize), 0..60),
            garbage in prop::collection::vec(any::<u8>(), 0..12),
            cut in any::<prop::sample::Index>(),
            split in any::<prop::sample::Index>(),
        ) {
            let mut content = Vec::new();
            for (data, length) in payloads {
                let kind = if data { Kind::Data } else { Kind::Event };
                let payload: Vec<u8> = (0..length).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
                Frame { kind, payload: &payload }.encode(&mut content).unwrap();
            }
            content.extend(garbage);
            for content in [&content[..], &content[..cut.index(content.len() + 1)]] {
                let expected = at_once(content);
                prop_assert_eq!(&decoded(&stored(content, None)), &expected);
                prop_assert_eq!(&decoded(&stored(content, Some(split.index(content.len() + 1)))), &expected);
            }
        }
    }

    #[test]
    fn content_that_ends_early_is_torn() {
        let mut content = Vec::new();
        Frame { kind: Kind::Data, payload: &[7; 500_000] }.encode(&mut content).unwrap();
        let stored = stored(&content, Some(300_000));
        assert_eq!(decoded(&stored[..stored.len() - 1]), [Err(TORN)]);
    }
}
