//! Properties of the whole codec: what is written is read again, however it is cut; what another implementation
//! writes and reads is the same; and no bytes at all break it.

mod any_bytes;
mod differential;
mod pgwire;
mod refusals;
mod round_trip;
pub(super) mod strategies;

use super::{Deframer, Direction, RawMessage};

/// The one message that `bytes` are.
pub(super) fn one<D: Direction>(bytes: &[u8]) -> RawMessage<D> {
    let mut deframer = Deframer::new();
    deframer.push(bytes);
    let message = deframer.next().unwrap().unwrap();
    assert_eq!(deframer.buffered(), 0);
    message
}
