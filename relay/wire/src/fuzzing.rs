//! Entry points for fuzzing: each takes any bytes and fails (panics) only if a promise of this crate is broken. The
//! fuzz targets call them, and so do the property tests, so that both hold the same promises.

use crate::postgres::backend::Authentication;
use crate::postgres::conversation::{Conversation, FrontendOp, Incoming, OpKind};
use crate::postgres::{Backend, BackendMessage, Deframer, Direction, Frontend, FrontendMessage, MessageRef, startup};
use crate::postgres::{Side, TransactionStatus, Transcript, scram};
use bytes::BytesMut;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::LazyLock;

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

/// Any bytes as a recording can be replayed: each piece has a byte in front whose lowest bit tells the side and whose
/// others its length.
pub fn transcript(bytes: &[u8]) {
    let mut transcript = Transcript::new();
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_first() {
        let (piece, after) = after.split_at(usize::from(head >> 1).min(after.len()));
        let side = if head & 1 == 0 { Side::Frontend } else { Side::Backend };
        entries.extend(transcript.feed(side, piece));
        rest = after;
    }
    entries.extend(transcript.finish());
    for entry in entries {
        let shown = entry.to_string();
        assert!(!shown.contains('\u{1b}'), "an escape sequence would reach the terminal");
    }
}

/// Any bytes as what a server says in a SCRAM exchange: a challenge or none, and never its proof, for nobody who does
/// not know the password can make it.
pub fn scram(bytes: &[u8]) {
    let request = Authentication::Sasl { mechanisms: vec!["SCRAM-SHA-256"] };
    let Ok(client) = scram::Client::for_request(&request, [0; 18], None) else { return };
    if let Ok(challenge) = client.clone().challenge(bytes) {
        assert!(!EXCHANGE.0.fit(&challenge) || challenge.answer(&EXCHANGE.0).is_ok(), "keys that fit do not answer");
    }
    let Ok(challenge) = client.challenge(EXCHANGE.1.as_bytes()) else { return };
    if let Ok((_, verifier)) = challenge.answer(&EXCHANGE.0) {
        assert!(verifier.verify(bytes).is_err(), "a server that does not know the password was believed");
    }
}

/// Keys of a password, derived once, and the challenge that they answer.
static EXCHANGE: LazyLock<(scram::SaltedKeys, String)> = LazyLock::new(|| {
    let iterations = NonZeroU32::new(4096).unwrap_or(NonZeroU32::MIN);
    let keys = scram::SaltedKeys::derive("pencil", b"salt", iterations);
    (keys, format!("r={}theirs,s=c2FsdA==,i=4096", "A".repeat(24)))
});

/// Any order of messages, a byte each, is attributed or refused, and every ticket comes to at most one end.
pub fn conversation(bytes: &[u8]) {
    let mut conversation = Conversation::new();
    let mut ended = BTreeSet::new();
    for (ticket, byte) in (0..).zip(bytes) {
        let result = match byte.checked_sub(128) {
            None => conversation.on_frontend(FrontendOp { kind: op_kind(*byte), ticket }).map(|_| None),
            Some(byte) => conversation.on_backend(incoming(byte)).map(Some),
        };
        let Ok(reply) = result else { return };
        let Some(reply) = reply else { continue };
        let ends = reply.ticket.filter(|_| reply.ends);
        for ticket in ends.into_iter().chain(reply.skipped) {
            assert!(ended.insert(ticket), "a ticket came to an end twice");
        }
    }
}

fn op_kind(byte: u8) -> OpKind {
    match byte % 14 {
        0 => OpKind::Query,
        1 => OpKind::Parse,
        2 => OpKind::Bind,
        3 => OpKind::DescribeStatement,
        4 => OpKind::DescribePortal,
        5 => OpKind::Execute,
        6 => OpKind::Close,
        7 => OpKind::FunctionCall,
        8 => OpKind::Sync,
        9 => OpKind::Flush,
        10 => OpKind::CopyData,
        11 => OpKind::CopyDone,
        12 => OpKind::CopyFail,
        _ => OpKind::Terminate,
    }
}

fn incoming(byte: u8) -> Incoming {
    match byte % 21 {
        0 => Incoming::ParseComplete,
        1 => Incoming::BindComplete,
        2 => Incoming::CloseComplete,
        3 => Incoming::ParameterDescription,
        4 => Incoming::RowDescription,
        5 => Incoming::NoData,
        6 => Incoming::DataRow,
        7 => Incoming::CommandComplete,
        8 => Incoming::EmptyQueryResponse,
        9 => Incoming::PortalSuspended,
        10 => Incoming::CopyInResponse,
        11 => Incoming::CopyOutResponse,
        12 => Incoming::CopyData,
        13 => Incoming::CopyDone,
        14 => Incoming::FunctionCallResponse,
        15 => Incoming::ReadyForQuery(TransactionStatus::Idle),
        16 => Incoming::Error { ends_session: false },
        17 => Incoming::Error { ends_session: true },
        18 => Incoming::Notice,
        19 => Incoming::ParameterStatus,
        _ => Incoming::Notification,
    }
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
