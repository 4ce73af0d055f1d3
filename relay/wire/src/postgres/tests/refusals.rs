//! What is refused, and what is said about it.

use super::one;
use crate::postgres::backend::{TransactionStatus, error_response, notice_response, ready_for_query};
use crate::postgres::error::Problem;
use crate::postgres::startup::{self, is_direct_tls};
use crate::postgres::{
    Backend, BackendMessage, Deframer, Error, ErrorFields, Frontend, FrontendMessage, Severity, SqlState, limits,
};

fn frontend(tag: u8, body: &[u8]) -> Result<(), Error> {
    let message = one::<Frontend>(&framed(tag, body));
    FrontendMessage::decode(&message).map(|_| ())
}

fn backend(tag: u8, body: &[u8]) -> Result<(), Error> {
    let message = one::<Backend>(&framed(tag, body));
    BackendMessage::decode(&message).map(|_| ())
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap() + 4;
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn packet(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap() + 4;
    [&length.to_be_bytes()[..], body].concat()
}

#[test]
fn an_error_names_message_field_place_and_expectation() {
    let error = frontend(b'Q', b"select 1\0and more").unwrap_err();
    assert_eq!(error.to_string(), "Query: end at byte 14: expected the end of the message, 8 bytes are left");
    let error = frontend(b'Q', b"select 1").unwrap_err();
    assert_eq!(error.to_string(), "Query: text at byte 5: expected a string that ends in a zero byte");
    let error = frontend(b'B', b"\0\0\0\0\0\x01\0\0\0\x09abc\0\0").unwrap_err();
    assert_eq!(error.to_string(), "Bind: value at byte 15: expected 9 bytes, 5 are left");
    let error = backend(b'D', b"\0\x02\0\0\0\x01").unwrap_err();
    assert_eq!(error.to_string(), "DataRow: columns at byte 7: expected 8 bytes, 4 are left");
    assert!(!error.is_fatal());
}

#[test]
fn text_that_is_not_utf_8_has_its_own_sqlstate_and_leaves_the_session_alive() {
    let error = frontend(b'Q', b"select '\xff'\0").unwrap_err();
    assert_eq!((error.sqlstate(), error.is_fatal()), (SqlState::CHARACTER_NOT_IN_REPERTOIRE, false));
}

#[test]
fn formats_must_fit_the_values() {
    let two_formats_three_values = b"\0\0\0\x02\0\0\0\x01\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0";
    let error = frontend(b'B', two_formats_three_values).unwrap_err();
    assert!(matches!(error, Error::Malformed { field: "formats", problem: Problem::Value(_), .. }), "{error}");
    assert!(frontend(b'B', b"\0\0\0\x01\0\x02\0\0\0\0").is_err(), "format code 2");
    assert!(frontend(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0").is_err(), "length -2");
    assert!(frontend(b'D', b"Xname\0").is_err(), "neither statement nor portal");
}

#[test]
fn a_length_is_judged_before_anything_is_kept_for_it() {
    let refused = |bytes: &[u8]| {
        let mut deframer = Deframer::<Frontend>::new();
        deframer.push(bytes);
        let error = deframer.next().unwrap_err();
        assert_eq!(deframer.next().unwrap_err(), error, "an error is final");
        assert!(error.is_fatal());
        error.to_string()
    };
    assert_eq!(refused(b"Q\xff\xff\xff\xff"), "Query: stated length 4294967295 is outside 5 to 16777216 bytes");
    assert_eq!(refused(b"Q\0\0\0\x03"), "Query: stated length 3 is outside 5 to 16777216 bytes");
    assert_eq!(refused(b"S\0\0\0\x05"), "Sync: stated length 5 is outside 4 to 4 bytes");
    assert_eq!(refused(b"p\0\x01\0\0"), "Password: stated length 65536 is outside 4 to 65535 bytes");
    assert_eq!(
        refused(b"GET / HTTP/1.1"),
        "the frontend sent a message of type 0x47, which the protocol does not have in that direction"
    );
    let mut unknown_peer = Deframer::<Frontend>::with_ceiling(limits::PASSWORD_MAX);
    unknown_peer.push(b"Q\0\xff\0\0");
    assert!(matches!(unknown_peer.next(), Err(Error::Length { maximum: 65_535, .. })));
}

#[test]
fn messages_in_front_of_a_bad_one_are_delivered() {
    let mut deframer = Deframer::<Frontend>::new();
    deframer.push(b"S\0\0\0\x04H\0\0\0\x04?");
    assert_eq!(deframer.next_batch().unwrap().unwrap().messages().count(), 2);
    assert!(matches!(deframer.next_batch(), Err(Error::UnknownType { tag: b'?', .. })));
}

#[test]
fn a_startup_packet_is_taken_as_strictly_as_postgresql_takes_it() {
    let start = |rest: &[u8]| startup::decode(&packet(&[b"\0\x03\0\0", rest].concat()));
    assert!(start(b"user\0eve\0\0").is_ok());
    assert!(start(b"user\0eve\0\0x").is_err(), "bytes behind the end");
    assert!(start(b"user\0eve\0").is_err(), "no end");
    assert!(start(b"user\0eve").is_err(), "value without end");
    assert!(start(b"user\0eve\0user\0adam\0\0").is_err(), "twice");
    assert!(start(b"user\0\xff\0\0").is_err(), "not UTF-8");
    let version_2 = startup::decode(&packet(b"\0\x02\0\0user\0\0"));
    assert_eq!(version_2, Err(Error::UnsupportedProtocol { major: 2, minor: 0 }));
    assert!(matches!(startup::decode(&10_001_u32.to_be_bytes()), Err(Error::Length { maximum: 10_000, .. })));
    assert!(matches!(startup::decode(b"GET "), Err(Error::Length { .. })));
    assert!(startup::decode(&packet(b"\x04\xd2\x16\x2fx")).is_err(), "SSLRequest with a body");
    assert!(startup::decode(&packet(b"\x04\xd2\x16\x2e\0\0\0\x01abc")).is_err(), "secret of 3 bytes");
    assert_eq!(
        (is_direct_tls(b"\x16\x03\x01"), is_direct_tls(b""), is_direct_tls(b"\0")),
        (Some(true), None, Some(false))
    );
}

#[test]
fn an_error_we_send_never_fails_to_be_written() {
    let mut fields = ErrorFields::error(SqlState::INSUFFICIENT_PRIVILEGE, "no\0pe").with_hint("ü".repeat(40_000));
    fields.unknown.push((0, String::new()));
    let message = one::<Backend>(&error_response(&fields));
    let BackendMessage::ErrorResponse(read) = BackendMessage::decode(&message).unwrap() else { panic!() };
    assert_eq!((read.severity, read.message.as_str()), (Severity::Error, "nope"));
    assert_eq!(read.hint.map(|hint| hint.len()), Some(65_536));
    let notice = one::<Backend>(&notice_response(&ErrorFields::notice("masked")));
    assert_eq!(notice.tag(), b'N');
    assert_eq!(&ready_for_query(TransactionStatus::Active)[..], b"Z\0\0\0\x05T");
}

#[test]
fn nothing_that_people_sent_is_in_a_debug_text() {
    let secret = "hunter2";
    let mut bytes = bytes::BytesMut::new();
    let text = format!("select '{secret}'");
    FrontendMessage::Query { text: &text }.encode(&mut bytes).unwrap();
    let message = one::<Frontend>(&bytes);
    let fields = ErrorFields::error(SqlState::UNIQUE_VIOLATION, "duplicate").with_detail(secret);
    let shown = format!("{message:?} {:?} {fields:?}", FrontendMessage::decode(&message));
    assert!(!shown.contains(secret), "{shown}");
    assert!(shown.contains("Query") && shown.contains("23505"));
}
