//! A spool that is full in the middle of whatever clients do: pipelines, transactions, statements that wait for an
//! approval. Each session ends as the evidence says, and the evidence holds.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::harness::health::{await_status, figure};
use crate::harness::workload::{Clients, Moments, Table, setting};
use crate::harness::{Outage, Relay, have_psycopg, psycopg};
use crate::skip_without;

/// `AFFIDAVIT_FULL_SPOOLS` sets how often.
#[test]
fn whatever_a_full_spool_interrupts_the_evidence_holds() {
    skip_without!(have_psycopg(), "psycopg");
    let mut moments = Moments::seeded();
    let _table = Table::create("full");
    let mut clients = Clients::start(&format!("full{}_", std::process::id()), "billing.full");
    for round in 1..=setting("AFFIDAVIT_FULL_SPOOLS", 2) {
        let size = 262_144 + moments.below(400_000);
        let small = format!("durability = \"process\"\nsegment_bytes = 65536\nspool_bytes = {size}");
        let mut relay = Relay::configured(&[("durability = \"process\"", &small)]);
        clients.ask(round, &relay.connection("alice"));
        clients.await_answers();
        let outage = Outage::of(&relay);
        clients.await_end();
        drop(outage);
        relay.stop();
        let report = relay.verify(&relay.evidence()).ok();
        assert!(report.contains("evidence-failure"), "a spool of {size} bytes: {report}");
    }
}

#[test]
fn a_session_that_holds_goes_on_when_there_is_room_again() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = holding(60);
    let (mut client, mut said) = asking(&relay);
    assert_eq!(said.next().as_deref(), Some("open"));
    let outage = Outage::of(&relay);
    client.stdin.take();
    let notice = said.next().unwrap();
    assert!(notice.contains("the session waits") && notice.contains("60 s"), "{notice}");
    drop(outage);
    // It may have to wait again before all of it is stored.
    let end = said.find(|line| !line.starts_with("NOTICE")).unwrap();
    assert_eq!(end, "done");
    assert!(client.wait().unwrap().success());
    relay.stop();
    let report = relay.verify(&relay.evidence()).ok();
    assert!(report.contains("complete (client-terminated)"), "{report}");
}

#[test]
fn a_session_that_holds_ends_when_no_room_comes() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = holding(2);
    let (mut client, mut said) = asking(&relay);
    assert_eq!(said.next().as_deref(), Some("open"));
    let outage = Outage::of(&relay);
    client.stdin.take();
    assert!(said.next().unwrap().contains("the session waits"));
    // Sealing makes some room too.
    let end = said.find(|line| !line.starts_with("NOTICE")).unwrap();
    assert!(end.starts_with("ended") && end.contains("the spool is full"), "{end}");
    assert!(client.wait().unwrap().success());
    drop(outage);
    relay.stop();
    let report = relay.verify(&relay.evidence()).ok();
    assert!(report.contains("evidence-failure"), "{report}");
}

/// Who sends clients to relays sends none to one that cannot record, and some again when it can.
#[test]
fn a_relay_whose_spool_is_full_is_not_ready_until_there_is_room_again() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = holding(60);
    relay.stop();
    relay.prepend("local.toml", "health = \"127.0.0.1:0\"\n");
    relay.start();
    let health = relay.endpoint("health");
    assert_eq!(await_status(&health, 200), "ready\n");
    let limit = figure(&health, "affidavit_spool_limit_bytes");
    let (mut client, mut said) = asking(&relay);
    assert_eq!(said.next().as_deref(), Some("open"));
    let outage = Outage::of(&relay);
    client.stdin.take();
    assert!(said.next().unwrap().contains("the session waits"));
    let told = await_status(&health, 503);
    assert!(told.starts_with("the spool is full"), "{told}");
    assert!(figure(&health, "affidavit_spool_used_bytes") > limit * 0.8);
    assert!((figure(&health, "affidavit_ready"), figure(&health, "affidavit_sessions")) == (0.0, 1.0));
    let stored = figure(&health, "affidavit_store_last_put_timestamp_seconds");
    drop(outage);
    let end = said.find(|line| !line.starts_with("NOTICE")).unwrap();
    assert_eq!(end, "done");
    await_status(&health, 200);
    assert!(figure(&health, "affidavit_store_last_put_timestamp_seconds") > stored);
    assert!(client.wait().unwrap().success());
    // 100 texts, each asked once; 100,000 rows of 32 digits.
    assert!(figure(&health, "affidavit_statements_total{verdict=\"permitted\"}") >= 100.0);
    assert!(figure(&health, "affidavit_client_sent_bytes_total") > 3_200_000.0);
    relay.psql("alice", &["DROP TABLE clinic.patients"]).refused();
    assert!(figure(&health, "affidavit_statements_total{verdict=\"refused\"}") >= 1.0);
    relay.stop();
}

fn holding(seconds: u64) -> Relay {
    let held = format!("when_full = \"hold\"\nhold_seconds = {seconds}\nsegment_bytes = 65536\nspool_bytes = 1048576");
    Relay::configured(&[("durability = \"process\"", &format!("durability = \"process\"\n{held}"))])
}

/// A client that asks once its standard input is closed, for more than the spool can hold, and the lines that it says.
fn asking(relay: &Relay) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut client =
        psycopg(ASKING, &relay.connection("alice")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    (client, said)
}

const ASKING: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.add_notice_handler(lambda notice: print("NOTICE", notice.message_primary, notice.message_detail))
    print("open")
    sys.stdin.read()
    try:
        for first in range(100):
            connection.execute(f"SELECT md5((g + {first * 1000})::text) FROM generate_series(1, 1000) g").fetchall()
        print("done")
    except psycopg.Error as error:
        print("ended", str(error).replace("\n", " "))
"#;
