//! Notifications reach whom policy lets hear them, and are on record; nobody else begins to listen.

use crate::harness::raw::query;
use crate::harness::{Database, RawClient, Relay};
use crate::pipelines::until_ready;

#[test]
fn who_may_hear_is_told_and_who_may_not_cannot_listen() {
    let policy = r#"
        @id("alice hears")
        permit(principal, action == Action::"notify", resource == Connection::"clinic") when { principal.name == "Alice Analyst" };
    "#;
    let mut relay = Relay::before(Database::shared(), policy);
    let (mut alice, mut bob) = (RawClient::logged_in(&relay, "alice"), RawClient::logged_in(&relay, "bob"));
    alice.send(&query("LISTEN heard"));
    until_ready(&mut alice);
    for sql in ["LISTEN heard", "NOTIFY heard, 'by bob'", "SELECT pg_notify('heard', 'by bob')"] {
        bob.send(&query(sql));
        let error = until_ready(&mut bob).into_iter().find(|message| message.tag == 'E').expect(sql);
        assert_eq!(error.fields()[&'C'], "42501", "{sql}");
    }
    Database::shared().values("NOTIFY heard, 'by a trigger'");
    alice.send(&query("NOTIFY heard, 'by alice'"));
    let mut said = until_ready(&mut alice);
    alice.send(&query("SELECT 1"));
    said.extend(until_ready(&mut alice));
    let heard: Vec<String> = (said.iter().filter(|message| message.tag == 'A'))
        .map(|message| String::from_utf8_lossy(&message.body[4..]).replace('\0', " "))
        .collect();
    assert_eq!(heard, ["heard by a trigger ", "heard by alice "]);
    drop((alice, bob));
    relay.stop();
    assert!(relay.verify(&relay.evidence()).success, "{}", relay.verify(&relay.evidence()).text);
}
