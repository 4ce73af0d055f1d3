//! Entry points for fuzzing: each takes any bytes and fails (panics) only if a promise of this crate is broken. The
//! fuzz targets call them, and so do the property tests, so that both hold the same promises.

use crate::postgres::{Backend, BackendMessage, Deframer, Direction, Frontend, FrontendMessage, MessageRef, startup};
use bytes::BytesMut;

/// Any bytes are a startup packet, the beginning of one, or refused; what is read writes back the same bytes.
pub fn startup(bytes: &[u8]) {
    if let Ok(Some((packet, length))) = startup::decode(bytes) {
        let mut again = BytesMut::new();
        let written = packet.encode(&mut again);
        assert!(written.is_ok() && bytes.get(..length) == Some(&again), "startup packet changed: {packet:?}");
    }
}

/// Any bytes from a frontend are messages, the beginning of one, or refused; what is read writes back the same bytes.
pub fn frontend(bytes: &[u8]) {
    each::<Frontend>(bytes, |message| {
        let decoded = FrontendMessage::decode(message).ok()?;
        let mut again = BytesMut::new();
        decoded.encode(&mut again).ok()?;
        Some(again)
    });
}

/// Any bytes from a backend are messages, the beginning of one, or refused; what is read writes back the same bytes
/// (errors and notices only the same fields: their order on the wire is free).
pub fn backend(bytes: &[u8]) {
    each::<Backend>(bytes, |message| {
        let decoded = BackendMessage::decode(message).ok()?;
        let mut again = BytesMut::new();
        decoded.encode(&mut again).ok()?;
        match decoded {
            BackendMessage::ErrorResponse(_) | BackendMessage::NoticeResponse(_) => {
                same_fields(&again, &decoded);
                None
            }
            _ => Some(again),
        }
    });
}

/// Cuts `bytes` into messages in one piece and byte by byte, checks that both agree, and that each message which
/// `rewrite` can read and write again comes out as it was.
fn each<D: Direction>(bytes: &[u8], rewrite: impl Fn(MessageRef<'_, D>) -> Option<BytesMut>) {
    let mut whole = Deframer::<D>::new();
    let mut pieces = Deframer::<D>::new();
    let mut batched = Deframer::<D>::new();
    whole.push(bytes);
    batched.push(bytes);
    bytes.chunks(1).for_each(|piece| pieces.push(piece));
    let batch = batched.next_batch().ok().flatten();
    let mut from_batch = batch.iter().flat_map(|batch| batch.messages());
    loop {
        let message = whole.next();
        assert_eq!(message, pieces.next(), "the result depends on how the input was cut");
        let Ok(Some(message)) = message else { break };
        assert_eq!(from_batch.next(), Some(message.as_message()), "a batch differs from its messages");
        if let Some(again) = rewrite(message.as_message()) {
            assert_eq!(&again, message.bytes(), "{message:?} changed when written again");
        }
    }
    assert_eq!(from_batch.next(), None, "a batch has more messages than the stream");
}

fn same_fields(again: &[u8], decoded: &BackendMessage<'_>) {
    let mut deframer = Deframer::<Backend>::new();
    deframer.push(again);
    let message = deframer.next();
    // Replacing foreign bytes makes a text longer, so the rewritten message may pass the limit.
    if let Ok(Some(message)) = message {
        assert_eq!(BackendMessage::decode(&message).as_ref(), Ok(decoded), "error fields changed");
    }
}
