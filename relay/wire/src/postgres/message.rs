//! One message or several, as they came: whole, with their header, untouched.

use super::direction::Direction;
use bytes::Bytes;
use std::fmt;
use std::marker::PhantomData;

/// One whole message with its own bytes. Only a [`Deframer`](super::Deframer) makes one, so its type exists in that
/// direction and its stated length is its length. Cloning shares the bytes; while one lives, so does the read
/// buffer it is a slice of.
#[derive(Clone, PartialEq, Eq)]
pub struct RawMessage<D: Direction> {
    tag: u8,
    bytes: Bytes,
    direction: PhantomData<D>,
}

impl<D: Direction> RawMessage<D> {
    /// The caller vouches that `bytes` is one whole message of type `tag`, header included.
    pub(super) fn new(tag: u8, bytes: Bytes) -> Self {
        Self { tag, bytes, direction: PhantomData }
    }

    /// The type byte.
    #[must_use]
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The message's name in the PostgreSQL documentation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.as_message().name()
    }

    /// The whole message: type, length, body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole message, to be passed on.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// What follows type and length.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.as_message().body()
    }

    /// The same message, borrowed.
    #[must_use]
    pub fn as_message(&self) -> MessageRef<'_, D> {
        MessageRef { tag: self.tag, bytes: &self.bytes, direction: PhantomData }
    }
}

impl<D: Direction> fmt::Debug for RawMessage<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_message().fmt(f)
    }
}

/// One whole message, borrowed from a [`RawMessage`] or a [`Batch`]. Costs nothing to make or copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MessageRef<'a, D: Direction> {
    tag: u8,
    bytes: &'a [u8],
    direction: PhantomData<D>,
}

impl<'a, D: Direction> MessageRef<'a, D> {
    /// The type byte.
    #[must_use]
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The message's name in the PostgreSQL documentation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        D::bounds(self.tag).map_or("message", |bounds| bounds.name)
    }

    /// The whole message: type, length, body.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows type and length.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

impl<'a, D: Direction> From<&'a RawMessage<D>> for MessageRef<'a, D> {
    fn from(message: &'a RawMessage<D>) -> Self {
        message.as_message()
    }
}

/// Type and length, never the body: bodies hold what people look up.
impl<D: Direction> fmt::Debug for MessageRef<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name(), self.bytes.len())
    }
}

/// One or more whole messages that lie side by side, to be looked at one by one and passed on as one.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch<D: Direction> {
    bytes: Bytes,
    direction: PhantomData<D>,
}

impl<D: Direction> Batch<D> {
    /// The caller vouches that `bytes` is whole messages and nothing else.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, direction: PhantomData }
    }

    /// All of them, as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// All of them, to be passed on.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Each of them, in order.
    #[must_use]
    pub fn messages(&self) -> Messages<'_, D> {
        Messages { rest: &self.bytes, direction: PhantomData }
    }

    /// One of them as a message of its own that shares the batch's bytes.
    #[must_use]
    pub fn share(&self, message: MessageRef<'_, D>) -> RawMessage<D> {
        RawMessage::new(message.tag, self.bytes.slice_ref(message.bytes))
    }
}

impl<D: Direction> fmt::Debug for Batch<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} bytes", self.bytes.len())
    }
}

/// The messages of a [`Batch`].
#[derive(Debug, Clone)]
pub struct Messages<'a, D: Direction> {
    rest: &'a [u8],
    direction: PhantomData<D>,
}

impl<'a, D: Direction> Iterator for Messages<'a, D> {
    type Item = MessageRef<'a, D>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag, a, b, c, d], _) = self.rest.split_first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length.checked_add(1)?)?;
        self.rest = rest;
        Some(MessageRef { tag, bytes, direction: PhantomData })
    }
}

/// Type byte and length.
pub const HEADER: usize = 5;
