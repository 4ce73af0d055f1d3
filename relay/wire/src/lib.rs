//! Wire protocols: bytes to messages and back, and the state of a conversation. No I/O, no tasks, no clock.
//!
//! Everything here takes bytes and gives values. "Need more bytes" is a value, not an error; no input makes it
//! panic; no memory is reserved because a peer said so. One folder a protocol.

pub mod fuzzing;
pub mod postgres;
