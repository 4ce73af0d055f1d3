//! The whole way of an approval, nothing simulated: psql waits, an approver's `relay approve` logs in at the issuer and
//! decides in the console, the relay verifies, psql goes on.

use std::process::{Command, Stdio};

use relay::command::{self, CommandError, Console, Decision};
use schemas::approval::DecisionVerdict;

use crate::harness::Relay;
use crate::harness::approvals::{Pending, said_by};

#[test]
fn what_psql_waits_for_is_decided_with_the_program_relay() {
    let mut relay = Relay::fresh();
    let client = start(&relay, 31);
    let pending = Pending::about(&relay, "= 31");
    let link = format!("{}/approvals/{}", relay.endpoint("console"), pending.details.request);
    for (person, refusal) in [("alice", "self-approval"), ("carol", "not-found")] {
        let refused = decide(&relay, person, &link, DecisionVerdict::Approved).unwrap_err();
        assert!(matches!(&refused, CommandError::Refused { code, .. } if code == refusal), "{refused}");
    }
    let told = decide(&relay, "bob", &link, DecisionVerdict::Approved).unwrap();
    assert!(told.contains("WHERE id = 31") && told.ends_with("approved; the relay verified it\n"), "{told}");
    let said = said_by(client).ok();
    assert!(said.contains(&link) && said.contains("UPDATE 1"), "the NOTICE has the link: {said}");

    let client = start(&relay, 32);
    let pending = Pending::about(&relay, "= 32");
    let told = decide(&relay, "bob", &pending.details.request.to_string(), DecisionVerdict::Denied).unwrap();
    assert!(told.ends_with("denied; the relay verified it\n"), "{told}");
    assert!(said_by(client).text.contains("looked at it with billing"), "a denial tells why");
    relay.stop();
    let verified = relay.verify(&relay.evidence()).ok();
    assert!(verified.contains("It holds"), "{verified}");
}

fn start(relay: &Relay, invoice: u32) -> std::process::Child {
    let sql = format!("UPDATE billing.invoices SET status = 'void' WHERE id = {invoice}");
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", &relay.connection("alice"), "--command", &sql]);
    psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn decide(relay: &Relay, person: &str, request: &str, verdict: DecisionVerdict) -> Result<String, CommandError> {
    let decision = Decision {
        request: request.to_owned(),
        rationale: "looked at it with billing".to_owned(),
        console: Console { console: relay.endpoint("console"), issuer: None, login: Some(person.to_owned()) },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    runtime.block_on(command::decide(&decision, verdict, &mut out, &mut err))?;
    Ok(String::from_utf8(out).unwrap())
}
