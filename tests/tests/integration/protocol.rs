//! Messages that are malformed, unknown or too large end the session with a FATAL that names what was wrong.

use crate::harness::{RawClient, Relay};

#[test]
fn an_unknown_message_type_ends_the_session() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    client.message(b'!', b"");
    ends_with_protocol_violation(client);
}

#[test]
fn what_came_before_a_bad_message_is_evidence_all_the_same() {
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(b"Q\0\0\0\x0dSELECT 1\0!\0\0\0\x04");
    ends_with_protocol_violation(client);
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let events = relay.events();
    assert!(events.contains("SELECT "), "{events}");
    assert!(events.contains("unknown"), "it may or may not have run: {events}");
}

#[test]
fn a_message_with_bytes_after_its_end_ends_the_session() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    client.message(b'Q', b"SELECT 1\0and more\0");
    ends_with_protocol_violation(client);
}

#[test]
fn a_length_beyond_the_limit_ends_the_session_before_the_bytes_are_waited_for() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    client.send(&[b'Q', 0x7f, 0xff, 0xff, 0xff]);
    let error = client.error();
    assert_eq!(error[&'S'], "FATAL", "{error:?}");
    assert!(client.read().is_none());
}

#[test]
fn a_length_below_four_ends_the_session() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    client.send(&[b'Q', 0, 0, 0, 3]);
    ends_with_protocol_violation(client);
}

#[test]
fn a_fast_path_call_is_refused() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    // FunctionCall of OID 2168 (pg_rotate_logfile_old): no formats, no arguments, text result.
    client.message(b'F', &[0, 0, 8, 120, 0, 0, 0, 0, 0, 0]);
    let error = client.error();
    assert!(["42501", "0A000", "08P01"].contains(&error[&'C'].as_str()), "{error:?}");
}

#[test]
fn half_a_login_is_no_login() {
    let mut client = RawClient::connect(Relay::shared());
    client.start("alice");
    client.message(b'Q', b"SELECT 1\0");
    let error = client.error();
    assert_eq!(error[&'S'], "FATAL", "{error:?}");
    assert!(client.read().is_none());
}

fn ends_with_protocol_violation(mut client: RawClient) {
    let error = client.error();
    assert_eq!(error[&'S'], "FATAL", "{error:?}");
    assert_eq!(error[&'C'], "08P01", "protocol_violation: {error:?}");
    assert!(!error[&'M'].is_empty());
    assert!(client.read().is_none(), "and the connection ends");
}
