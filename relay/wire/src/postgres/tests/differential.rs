//! Against crate `postgres-protocol`, the codec under tokio-postgres.

use super::strategies::{decoded, parts};
use crate::postgres::frontend::{self, FrontendMessage, Target};
use crate::postgres::startup::Protocol;
use crate::postgres::{BackendMessage, Format, Startup};
use bytes::{BufMut, Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend as theirs;
use proptest::prelude::*;

proptest! {
    #[test]
    fn both_write_the_same_frontend_messages(parts in parts()) {
        let message = parts.frontend();
        let mut ours = BytesMut::new();
        message.encode(&mut ours).unwrap();
        if let Some(theirs) = written_by_them(&message) {
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn both_write_the_same_authentication(parts in parts()) {
        let (mut ours, mut other) = (BytesMut::new(), BytesMut::new());
        frontend::password(&parts.texts[0], &mut ours).unwrap();
        theirs::password_message(parts.texts[0].as_bytes(), &mut other).unwrap();
        frontend::sasl_initial_response(&parts.words[0], Some(&parts.blob), &mut ours).unwrap();
        theirs::sasl_initial_response(&parts.words[0], &parts.blob, &mut other).unwrap();
        frontend::sasl_response(&parts.blob, &mut ours).unwrap();
        theirs::sasl_response(&parts.blob, &mut other).unwrap();
        Startup::Ssl.encode(&mut ours).unwrap();
        theirs::ssl_request(&mut other);
        let secret = Bytes::copy_from_slice(&parts.number.to_be_bytes());
        Startup::Cancel { process_id: parts.number, secret }.encode(&mut ours).unwrap();
        theirs::cancel_request(parts.number, parts.number, &mut other);
        let parameters = [("client_encoding", "UTF8"), ("user", parts.texts[1].as_str())];
        let owned = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Startup::Start { protocol: Protocol::V3_0, parameters: owned }.encode(&mut ours).unwrap();
        theirs::startup_message(parameters.iter().copied(), &mut other).unwrap();
        prop_assert_eq!(ours, other);
    }

    #[test]
    fn both_read_the_same_backend_messages(parts in parts()) {
        let bytes = parts.backend();
        // They know no protocol 3.2, no CopyBoth and no fast path.
        let Ok(Some(other)) = Message::parse(&mut bytes.clone()) else { return Ok(()) };
        decoded(&bytes, |ours| compare(&ours, &other));
    }
}

fn written_by_them(message: &FrontendMessage<'_>) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    let variant = |target: &Target| if *target == Target::Statement { b'S' } else { b'P' };
    match message {
        FrontendMessage::Query { text } => theirs::query(text, &mut out).unwrap(),
        FrontendMessage::Parse { name, query, parameter_types } => {
            theirs::parse(name, query, parameter_types.iter().copied(), &mut out).unwrap();
        }
        FrontendMessage::Bind(bind) => {
            let code = |format: &Format| i16::try_from(format.code()).unwrap();
            let written = theirs::bind(
                bind.portal,
                bind.statement,
                bind.parameter_formats.iter().map(code),
                bind.parameters.iter(),
                |value, out| {
                    let Some(value) = value else { return Ok(IsNull::Yes) };
                    out.put_slice(value);
                    Ok(IsNull::No)
                },
                bind.result_formats.iter().map(code),
                &mut out,
            );
            assert!(written.is_ok());
        }
        FrontendMessage::Describe { target, name } => theirs::describe(variant(target), name, &mut out).unwrap(),
        FrontendMessage::Execute { portal, max_rows } => theirs::execute(portal, *max_rows, &mut out).unwrap(),
        FrontendMessage::Close { target, name } => theirs::close(variant(target), name, &mut out).unwrap(),
        FrontendMessage::Flush => theirs::flush(&mut out),
        FrontendMessage::Sync => theirs::sync(&mut out),
        FrontendMessage::Terminate => theirs::terminate(&mut out),
        FrontendMessage::CopyData(data) => theirs::CopyData::new(*data).unwrap().write(&mut out),
        FrontendMessage::CopyDone => theirs::copy_done(&mut out),
        FrontendMessage::CopyFail { reason } => theirs::copy_fail(reason, &mut out).unwrap(),
        FrontendMessage::Password(_) | FrontendMessage::FunctionCall(_) => return None,
    }
    Some(out)
}

fn compare(ours: &BackendMessage<'_>, theirs: &Message) {
    match (ours, theirs) {
        (BackendMessage::ParameterStatus { name, value }, Message::ParameterStatus(body)) => {
            assert_eq!((*name, *value), (body.name().unwrap(), body.value().unwrap()));
        }
        (BackendMessage::BackendKeyData { process_id, secret }, Message::BackendKeyData(body)) => {
            assert_eq!((*process_id, &secret[..4]), (body.process_id(), &body.secret_key().to_be_bytes()[..]));
        }
        (BackendMessage::ReadyForQuery(status), Message::ReadyForQuery(body)) => {
            assert_eq!(status.code(), body.status());
        }
        (BackendMessage::RowDescription(fields), Message::RowDescription(body)) => {
            let other: Vec<_> = body.fields().collect().unwrap();
            assert_eq!(fields.len(), other.len());
            for (ours, theirs) in fields.iter().zip(&other) {
                assert_eq!(
                    (ours.name, ours.table_oid, ours.column, ours.type_oid, ours.type_size, ours.type_modifier),
                    (
                        theirs.name(),
                        theirs.table_oid(),
                        theirs.column_id(),
                        theirs.type_oid(),
                        theirs.type_size(),
                        theirs.type_modifier()
                    )
                );
                assert_eq!(i16::try_from(ours.format.code()).unwrap(), theirs.format());
            }
        }
        (BackendMessage::DataRow(row), Message::DataRow(body)) => {
            let ranges: Vec<_> = body.ranges().collect().unwrap();
            let other: Vec<_> = ranges.into_iter().map(|range| range.map(|range| &body.buffer()[range])).collect();
            assert_eq!(row.columns().collect::<Vec<_>>(), other);
        }
        (BackendMessage::CommandComplete { tag }, Message::CommandComplete(body)) => {
            assert_eq!(*tag, body.tag().unwrap());
        }
        (BackendMessage::ErrorResponse(fields), Message::ErrorResponse(body)) => {
            compare_fields(fields, body.fields());
        }
        (BackendMessage::NoticeResponse(fields), Message::NoticeResponse(body)) => {
            compare_fields(fields, body.fields());
        }
        (BackendMessage::ParameterDescription(types), Message::ParameterDescription(body)) => {
            assert_eq!(*types, body.parameters().collect::<Vec<_>>().unwrap());
        }
        (BackendMessage::CopyInResponse(copy), Message::CopyInResponse(body)) => {
            assert_eq!(copy.format.code(), u16::from(body.format()));
            assert_eq!(codes(copy), body.column_formats().collect::<Vec<_>>().unwrap());
        }
        (BackendMessage::CopyOutResponse(copy), Message::CopyOutResponse(body)) => {
            assert_eq!(copy.format.code(), u16::from(body.format()));
            assert_eq!(codes(copy), body.column_formats().collect::<Vec<_>>().unwrap());
        }
        (BackendMessage::CopyData(data), Message::CopyData(body)) => assert_eq!(*data, body.data()),
        (
            BackendMessage::NotificationResponse { process_id, channel, payload },
            Message::NotificationResponse(body),
        ) => {
            let other = (body.process_id(), body.channel().unwrap(), body.message().unwrap());
            assert_eq!((*process_id, *channel, *payload), other);
        }
        (BackendMessage::Authentication(_), _) => {}
        _ => assert!(same_kind(ours, theirs), "{ours:?}"),
    }
}

fn codes(copy: &crate::postgres::backend::CopyResponse) -> Vec<u16> {
    copy.columns.iter().map(|format| format.code()).collect()
}

fn compare_fields(ours: &crate::postgres::ErrorFields, theirs: postgres_protocol::message::backend::ErrorFields<'_>) {
    let theirs: Vec<_> = theirs.map(|field| Ok((field.type_(), field.value_bytes().to_vec()))).collect().unwrap();
    let find = |code: u8| theirs.iter().find(|(known, _)| *known == code).map(|(_, value)| value.as_slice());
    assert_eq!(find(b'C'), Some(ours.sqlstate.as_str().as_bytes()));
    assert_eq!(find(b'M'), Some(ours.message.as_bytes()));
    assert_eq!(find(b'D'), ours.detail.as_deref().map(str::as_bytes));
    assert_eq!(find(b'H'), ours.hint.as_deref().map(str::as_bytes));
    assert_eq!(find(b'W'), ours.context.as_deref().map(str::as_bytes));
}

fn same_kind(ours: &BackendMessage<'_>, theirs: &Message) -> bool {
    matches!(
        (ours, theirs),
        (BackendMessage::ParseComplete, Message::ParseComplete)
            | (BackendMessage::BindComplete, Message::BindComplete)
            | (BackendMessage::CloseComplete, Message::CloseComplete)
            | (BackendMessage::NoData, Message::NoData)
            | (BackendMessage::PortalSuspended, Message::PortalSuspended)
            | (BackendMessage::EmptyQueryResponse, Message::EmptyQueryResponse)
            | (BackendMessage::CopyDone, Message::CopyDone)
    )
}
