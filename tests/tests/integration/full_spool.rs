//! A spool that is full in the middle of whatever clients do: pipelines, transactions, statements that wait for an
//! approval. Each session ends as the evidence says, and the evidence holds.

use crate::harness::workload::{Clients, Moments, Table, setting};
use crate::harness::{Outage, Relay, have_psycopg};
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
