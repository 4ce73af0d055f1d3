//! Cancel requests that reach another relay than the one whose session they are for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::harness::raw::{cancel, query};
use crate::harness::{RawClient, Relay};
use crate::pipelines::until_ready;

#[test]
fn a_cancel_request_finds_its_session_at_another_relay_and_nothing_else_does() {
    let mut first = Relay::fresh();
    let second = Relay::beside(&first);
    let (mut client, key) = RawClient::logged_in_with_key(&first, "alice");
    // Over TLS, as libpq 17 and later do it, and without, as earlier ones do.
    for over_tls in [true, false] {
        client.send(&query(LONG));
        // What is not this session's secret does nothing: neither another one nor one that claims to be passed on already.
        let mut wrong = key.clone();
        *wrong.last_mut().unwrap() ^= 1;
        let marked = [&key[..], b"/passed-on-by-affidavit"].concat();
        for other in [wrong, marked] {
            ask(&second, &cancel(&other), over_tls);
        }
        assert!(!client.has_more_within(Duration::from_millis(700)), "something else cancelled it");
        ask(&second, &cancel(&key), over_tls);
        assert_eq!(client.error()[&'C'], "57014");
        until_ready(&mut client);
    }
    client.send(&query("SELECT 1"));
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 1);
    drop(client);
    first.stop();
    first.verify(&first.evidence()).ok();
    let events: Value = serde_json::from_str(&first.events()).unwrap();
    let session = &events["sessions"][0];
    let codes: Vec<_> = session["statements"].as_array().unwrap().iter().map(|one| &one["outcome_sqlstate"]).collect();
    assert_eq!(codes, [&Value::from("57014"), &Value::from("57014"), &Value::Null]);
    let replay = first.replay(session["session"].as_str().unwrap()).ok();
    assert_eq!(replay.matches("the client asks to cancel what runs").count(), 2, "{replay}");
}

/// Sends a request on a connection of its own and waits until it is closed.
fn ask(relay: &Relay, request: &[u8], over_tls: bool) {
    if over_tls {
        let mut client = RawClient::connect(relay);
        client.send(request);
        assert!(client.read().is_none(), "a cancel request is not answered");
        return;
    }
    let mut stream = TcpStream::connect(relay.address()).unwrap();
    stream.write_all(request).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "a cancel request is not answered");
}

/// Counts for longer than anybody waits.
const LONG: &str = "SELECT count(*) FROM clinic.visits a, clinic.visits b, clinic.visits c, clinic.visits d";
