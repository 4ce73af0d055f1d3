//! Against crate `pgwire`, the codec of servers written in Rust: what one writes the other reads, and writes again
//! byte for byte.

use super::strategies::{decoded, parts};
use crate::postgres::FrontendMessage;
use crate::postgres::backend::{Authentication, BackendMessage};
use bytes::BytesMut;
use pgwire::messages::{DecodeContext, PgWireBackendMessage, PgWireFrontendMessage, ProtocolVersion};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn they_read_our_frontend_messages_and_write_the_same(parts in parts()) {
        let message = parts.frontend();
        // They know no fast path.
        if matches!(message, FrontendMessage::FunctionCall(_)) {
            return Ok(());
        }
        let mut ours = BytesMut::new();
        message.encode(&mut ours).unwrap();
        let read = PgWireFrontendMessage::decode(&mut ours.clone(), &context()).unwrap().unwrap();
        let mut theirs = BytesMut::new();
        read.encode(&mut theirs).unwrap();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn they_read_our_backend_messages_and_write_the_same(parts in parts()) {
        let bytes = parts.backend();
        if !decoded(&bytes, |message| they_know(&message)) {
            return Ok(());
        }
        let read = PgWireBackendMessage::decode(&mut bytes.clone(), &context()).unwrap().unwrap();
        let mut theirs = BytesMut::new();
        read.encode(&mut theirs).unwrap();
        prop_assert_eq!(bytes, theirs);
    }
}

/// After the log-in.
fn context() -> DecodeContext {
    let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_2);
    context.awaiting_frontend_ssl = false;
    context.awaiting_frontend_startup = false;
    context
}

fn they_know(message: &BackendMessage<'_>) -> bool {
    !matches!(
        message,
        BackendMessage::FunctionCallResponse(_)
            | BackendMessage::Authentication(
                Authentication::Gss | Authentication::GssContinue(_) | Authentication::Sspi
            )
    )
}
