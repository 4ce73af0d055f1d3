//! From a stream of bytes, cut anywhere, to whole messages.

use super::direction::Direction;
use super::error::Error;
use super::limits::PIECEMEAL_MAX;
use super::message::{Batch, HEADER, RawMessage};
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;
use std::marker::PhantomData;

/// Cuts one direction of a connection into messages. Holds what has come and not yet been taken, never more than a
/// peer really sent: a stated length is checked against [`limits`](super::limits) and reserves nothing.
///
/// Take messages until there is none after every read; then at most one incomplete message waits here.
/// After an error the stream is lost, and every further call gives the same error.
pub struct Deframer<D: Direction> {
    buffer: BytesMut,
    ceiling: u32,
    /// Type of the long message that is taken in pieces, and how much of it is still to come.
    long: Option<(u8, usize)>,
    direction: PhantomData<D>,
}

impl<D: Direction> Deframer<D> {
    /// An empty deframer with the limits of the protocol.
    #[must_use]
    pub fn new() -> Self {
        Self::with_ceiling(u32::MAX)
    }

    /// An empty deframer that also refuses any message longer than `ceiling` bytes. For peers not yet known:
    /// [`PASSWORD_MAX`](super::limits::PASSWORD_MAX) is all that authentication needs.
    #[must_use]
    pub fn with_ceiling(ceiling: u32) -> Self {
        Self { buffer: BytesMut::new(), ceiling, long: None, direction: PhantomData }
    }

    /// Changes the ceiling, for messages not yet taken; `u32::MAX` leaves the limits of the protocol.
    pub fn set_ceiling(&mut self, ceiling: u32) {
        self.ceiling = ceiling;
    }

    /// Adds bytes that came, by copying them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where to read into without a copy, with room for at least `room` bytes (the caller's choice, never a
    /// peer's): `socket.read_buf(deframer.space(16_384))`.
    pub fn space(&mut self, room: usize) -> &mut impl BufMut {
        self.buffer.reserve(room);
        &mut self.buffer
    }

    /// The next whole message, `None` if more bytes are needed. Its bytes are a slice of the read buffer.
    ///
    /// # Errors
    /// [`Error::UnknownType`] or [`Error::Length`]; both are final.
    #[expect(clippy::should_implement_trait, reason = "an iterator's None is final, here it means: not yet")]
    pub fn next(&mut self) -> Result<Option<RawMessage<D>>, Error> {
        match frame::<D>(&self.buffer, self.ceiling)? {
            Some((tag, length)) => Ok(Some(RawMessage::new(tag, self.take(length)))),
            None => Ok(None),
        }
    }

    /// The next piece of a long message of data: one whose length is over `whole_max` and at most
    /// [`PIECEMEAL_MAX`]. `None` if what comes next is no such message, or has not come: then
    /// [`next`](Self::next) tells. Nothing waits here for the rest of such a message.
    ///
    /// # Errors
    /// [`Error::Length`], which is final.
    pub fn next_piece(&mut self, whole_max: u32) -> Result<Option<Piece>, Error> {
        let (tag, left, first) = match self.long {
            Some((tag, left)) => (tag, left, false),
            None => match long::<D>(&self.buffer, whole_max, self.ceiling)? {
                Some((tag, size)) => (tag, size, true),
                None => return Ok(None),
            },
        };
        let here = left.min(self.buffer.len());
        if here == 0 {
            return Ok(None);
        }
        self.long = Some((tag, left - here)).filter(|(_, left)| *left > 0);
        Ok(Some(Piece { tag, first, bytes: self.buffer.split_to(here).freeze() }))
    }

    /// Whether the end of a long message is still to come, of which pieces were taken.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.long.is_some()
    }

    /// All whole messages that are there, as one piece of memory; `None` if there is none. What follows them is not
    /// judged before it is whole or comes first, so messages in front of a bad one are still delivered.
    ///
    /// # Errors
    /// As [`next`](Self::next), when the first thing in the buffer is bad.
    pub fn next_batch(&mut self) -> Result<Option<Batch<D>>, Error> {
        let mut whole = 0;
        let mut rest: &[u8] = &self.buffer;
        loop {
            match frame::<D>(rest, self.ceiling) {
                Ok(Some((_, length))) => {
                    whole += length;
                    rest = rest.get(length..).unwrap_or_default();
                }
                Err(error) if whole == 0 => return Err(error),
                Ok(None) | Err(_) => break,
            }
        }
        Ok((whole > 0).then(|| Batch::new(self.take(whole))))
    }

    /// The first `length` bytes; with all of them goes the buffer itself, so that an idle connection holds none.
    fn take(&mut self, length: usize) -> Bytes {
        let all = length == self.buffer.len();
        let taken = if all { std::mem::take(&mut self.buffer) } else { self.buffer.split_to(length) };
        taken.freeze()
    }

    /// Bytes that came and were not yet taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes that came and were not yet taken, handed over, e.g. from one protocol phase to another.
    #[must_use]
    pub fn into_buffered(self) -> BytesMut {
        self.buffer
    }
}

impl<D: Direction> Default for Deframer<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Direction> fmt::Debug for Deframer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deframer ({}, {} bytes buffered)", D::SIDE, self.buffer.len())
    }
}

/// A part of one long message, as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    /// The message's type byte.
    pub tag: u8,
    /// It begins the message, with type and length.
    pub first: bool,
    /// The bytes, at least one.
    pub bytes: Bytes,
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piece of {} bytes", self.bytes.len())
    }
}

/// Type and whole size of the message of data that `bytes` begins with, if it is a long one.
fn long<D: Direction>(bytes: &[u8], whole_max: u32, ceiling: u32) -> Result<Option<(u8, usize)>, Error> {
    let Some(&[tag, a, b, c, d]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    if !D::is_data(tag) || length <= whole_max {
        return Ok(None);
    }
    let maximum = PIECEMEAL_MAX.min(ceiling);
    if length > maximum {
        let message = D::bounds(tag).map_or("message", |bounds| bounds.name);
        return Err(Error::Length { message, length, minimum: whole_max, maximum });
    }
    Ok(usize::try_from(length).ok().map(|length| (tag, length.saturating_add(1))))
}

/// Type and whole size of the message that `bytes` begins with; `None` if it is not all there.
fn frame<D: Direction>(bytes: &[u8], ceiling: u32) -> Result<Option<(u8, usize)>, Error> {
    let Some(&tag) = bytes.first() else { return Ok(None) };
    let Some(bounds) = D::bounds(tag) else { return Err(Error::UnknownType { side: D::SIDE, tag }) };
    let Some(&[_, a, b, c, d]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    let maximum = bounds.maximum.min(ceiling);
    if length < bounds.minimum || length > maximum {
        return Err(Error::Length { message: bounds.name, length, minimum: bounds.minimum, maximum });
    }
    // A length that passed is at most BACKEND_MAX, which any usize holds.
    let size = usize::try_from(length).map_or(usize::MAX, |length| length.saturating_add(1));
    Ok((bytes.len() >= size).then_some((tag, size)))
}
