//! Frames: the decoded content of a chunk is a sequence of `u32 length | u8 kind | payload`, big-endian.

use crate::error::Error;

/// What a frame's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Canonical JSON of an [`crate::event::Event`].
    Event,
    /// A sealed [data block](crate::data_block).
    Data,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the payload is.
    pub kind: Kind,
    /// At most [`PAYLOAD_MAX`] bytes.
    pub payload: &'a [u8],
}

/// The frames of a decoded content, in order. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl Frame<'_> {
    /// The five bytes before a payload of this kind and length.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`PAYLOAD_MAX`].
    pub fn header(kind: Kind, payload_length: usize) -> Result<[u8; HEADER_LENGTH], Error> {
        let length = u32::try_from(payload_length).ok().filter(|length| *length <= PAYLOAD_MAX);
        let [a, b, c, d] = length.ok_or(TOO_LARGE)?.to_be_bytes();
        Ok([a, b, c, d, kind.byte()])
    }

    /// Appends this frame to `out`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`PAYLOAD_MAX`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(&Self::header(self.kind, self.payload.len())?);
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

impl<'a> Frames<'a> {
    /// The frames that `content` consists of.
    #[must_use]
    pub fn new(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    /// Bytes not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn read(&self) -> Result<(Frame<'a>, &'a [u8]), Error> {
        let (kind, length) = parse_header(self.rest)?;
        let payload = self.rest.get(HEADER_LENGTH..).ok_or(TORN)?;
        let (payload, rest) = payload.split_at_checked(length).ok_or(TORN)?;
        Ok((Frame { kind, payload }, rest))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.read() {
            Ok((frame, rest)) => {
                self.rest = rest;
                Some(Ok(frame))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Reads a header from the first bytes: the payload's kind and length, at most [`PAYLOAD_MAX`].
pub(crate) fn parse_header(bytes: &[u8]) -> Result<(Kind, usize), Error> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(TORN)?;
    let length = u32::from_be_bytes(*length);
    if length > PAYLOAD_MAX {
        return Err(TOO_LARGE);
    }
    let kind = Kind::of_byte(*rest.first().ok_or(TORN)?)?;
    Ok((kind, usize::try_from(length).map_err(|_| TORN)?))
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Event => 1,
            Self::Data => 2,
        }
    }

    fn of_byte(byte: u8) -> Result<Self, Error> {
        match byte {
            1 => Ok(Self::Event),
            2 => Ok(Self::Data),
            _ => Err(Error::Malformed { what: "frame kind", expected: "1 (event) or 2 (data)" }),
        }
    }
}

/// Length and kind.
pub const HEADER_LENGTH: usize = 5;
/// The largest event is a `Bind` of 65,535 parameters at some 70 bytes each; three times that leaves room.
pub const PAYLOAD_MAX: u32 = 16 * 1024 * 1024;

const TOO_LARGE: Error = Error::TooLarge { what: "frame", limit: PAYLOAD_MAX as u64 };
/// Also of content that is read in pieces.
pub(crate) const TORN: Error = Error::Malformed { what: "frame", expected: "as many bytes as its header says" };

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_read_back_as_written(payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20)) {
            let frames: Vec<_> = payloads
                .iter()
                .map(|(data, payload)| Frame { kind: if *data { Kind::Data } else { Kind::Event }, payload })
                .collect();
            let mut content = Vec::new();
            for frame in &frames {
                frame.encode(&mut content).unwrap();
            }
            prop_assert_eq!(Frames::new(&content).collect::<Result<Vec<_>, _>>().unwrap(), frames);
        }

        #[test]
        fn a_cut_content_gives_a_prefix_and_then_one_error(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..10), cut in any::<prop::sample::Index>()) {
            let mut content = Vec::new();
            for payload in &payloads {
                Frame { kind: Kind::Event, payload }.encode(&mut content).unwrap();
            }
            let read: Vec<_> = Frames::new(&content[..cut.index(content.len())]).collect();
            for (position, frame) in read.iter().enumerate() {
                match frame {
                    Ok(frame) => prop_assert_eq!(frame.payload, &payloads[position][..]),
                    Err(_) => prop_assert_eq!(position, read.len() - 1),
                }
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frames::new(&bytes).count();
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_payload_is_awaited() {
        assert_eq!(Frames::new(&[0xff, 0xff, 0xff, 0xff, 1]).next(), Some(Err(TOO_LARGE)));
    }
}
