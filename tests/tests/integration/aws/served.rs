//! `relay serve`: configured from S3, certified by the certifier's function, a real session through it, its evidence in
//! S3; asked to stop, asked twice, killed and succeeded; and refused, with the reason, when it is told what cannot be.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use functions::sealer;
use seams::export::export;
use seams::{KeyName, Keys, Retention};
use serde_json::{Value, json};

use crate::emulator;
use crate::harness::{Emulator, Lambdas, Programs, SECRET, Said, Served, Task, have_psycopg, now_s, psql, psycopg};
use crate::skip_without;

const CERTIFIER: [(&str, &str); 2] = [("AFFIDAVIT_RELAYS", "r1,r2"), ("AFFIDAVIT_CERTIFICATE_HOURS", "24")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_serves_is_killed_and_succeeded_and_all_of_it_verifies() {
    skip_without!(have_psycopg(), "psycopg");
    let emulator = emulator!();
    let lambdas = with_certifier(emulator).await;
    let task = Task::new(emulator, &lambdas).await;

    let served = task.start();
    let rows = say(&task, "SELECT name, 'said once' FROM clinic.patients ORDER BY id LIMIT 1");
    assert!(rows.contains("said once"), "{rows}");
    assert_eq!(ready(&served).await, 200);
    served.signal("TERM");
    served.await_log("ended: all evidence is stored");
    let log = served.log();
    assert_eq!(served.end(), 0);
    for hidden in ["said once", SECRET, "eyJ"] {
        assert!(!log.contains(hidden), "{log}");
    }
    assert_eq!(task.lives(), 0, "nothing is left in the spool");
    verified(&lambdas).await;

    // While it lives, nobody else gets its spool. SIGKILL, with a session open, leaves what was recorded there.
    let served = task.start();
    let waiting = task.another(emulator).await.launch();
    waiting.await_log("waiting: a dead relay's lock ends with its lease");
    waiting.signal("TERM");
    assert_eq!(waiting.end(), 3, "it never served");
    let mut client = stay(&task);
    served.signal("KILL");
    assert_eq!(served.end(), 137);
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(task.lives(), 1);

    // Its successor serves, and completes beside that what the dead one left. Asked twice, it does not wait for a session
    // that stays; that is its own successor's to complete.
    let served = task.start();
    served.await_log("\"recovered\"");
    say(&task, "SELECT 1");
    let mut client = stay(&task);
    served.signal("TERM");
    served.await_log("stopping: no new sessions");
    served.signal("INT");
    assert_eq!(served.end(), 3);
    client.kill().unwrap();
    client.wait().unwrap();
    let served = task.start();
    served.await_log("\"recovered\"");
    served.signal("INT");
    assert_eq!(served.end(), 0);
    assert_eq!(task.lives(), 0);
    let report = verified(&lambdas).await;
    assert!(report.contains("recovered"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_and_the_field_is_named() {
    let emulator = emulator!();
    let lambdas = with_certifier(emulator).await;
    let mut task = Task::new(emulator, &lambdas).await;
    for (from, to, told) in [
        ("tenant = \"clinic\"", "tenant = \"other\"", "relay.toml: tenant is other, expected clinic"),
        ("relay = \"r1\"", "relay = \"r2\"", "relay.toml: relay is r2, expected r1, as AFFIDAVIT_CONFIG says"),
        ("drain_seconds = 20", "drain_seconds = 110", "relay.toml: drain_seconds is 110, expected at most 90"),
        ("retain_days = 1", "retain_days = 2", "relay.toml: evidence.retain_days is 2, expected 1"),
        ("drain_seconds", "drain_minutes", "unknown field `drain_minutes`"),
    ] {
        task.configure(emulator, &[(from, to)]).await;
        refused(&task, told);
    }
    task.configure(emulator, &[]).await;
    task.slip_in(emulator, "policies/all.cedar", "permit (principal, action, resource);").await;
    refused(&task, "another digest than its prefix says");

    task.configure(emulator, &[("drain_seconds = 20", "drain_seconds = 21")]).await;
    let certifier = lambdas.arn("certifier");
    for (name, value, told) in [
        ("AFFIDAVIT_KEY_DATA", "", "AFFIDAVIT_KEY_DATA: is missing or empty"),
        ("AFFIDAVIT_CONFIG", "s3://configuration/r1/latest/", "AFFIDAVIT_CONFIG: expected s3://<bucket>/<relay>/"),
        (
            "AFFIDAVIT_BUCKET_EVIDENCE",
            "of-nobody",
            "did not start: of-nobody: store unavailable: GetBucketVersioning: NoSuchBucket",
        ),
        ("AFFIDAVIT_CERTIFIER", &format!("{certifier}:r2"), "not what was asked for"),
        ("AFFIDAVIT_CERTIFIER", &certifier, "expected that a relay invokes the alias of its name"),
    ] {
        let was = task.set(name, value);
        refused(&task, told);
        task.set(name, &was);
    }
}

async fn with_certifier(emulator: &Emulator) -> Lambdas<'_> {
    let lambdas = Lambdas::new(emulator).await;
    lambdas.deploy("certifier", lambdas.variables(&KeyName::ALL, &CERTIFIER)).await;
    for relay in ["r1", "r2"] {
        lambdas.alias("certifier", relay).await;
    }
    let certified = lambdas.invoke(&lambdas.arn("certifier"), &json!({ "certify": "keys" })).await;
    assert_eq!(certified, Ok(Value::Null));
    lambdas
}

/// What its load balancer is told.
async fn ready(served: &Served) -> u16 {
    let log = served.log();
    let address = log.split("\"health\":\"Some(").nth(1).and_then(|rest| rest.split(')').next());
    let url = format!("http://{}/ready", address.unwrap_or_else(|| panic!("{log}")));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(url).send().await.unwrap().status().as_u16()
}

#[track_caller]
fn refused(task: &Task, told: &str) {
    let (code, log) = task.refused();
    assert!(code == 1 && log.contains(told) && !log.contains("\"serving\""), "{told}: {code}\n{log}");
}

fn say(task: &Task, sql: &str) -> String {
    psql(&task.connection("alice"), &[sql]).ok()
}

/// A session that has a transaction open and stays until its client is killed.
fn stay(task: &Task) -> Child {
    let script = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute("SELECT count(*) FROM clinic.patients")
    print("asked")
    sys.stdin.read()
"#;
    let mut client = psycopg(script, &task.connection("alice"));
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "asked\n");
    client
}

/// All that is in S3, once it is in the log.
async fn verified(lambdas: &Lambdas<'_>) -> String {
    let (store, keys) = (lambdas.store().await, Arc::new(lambdas.key_service()));
    let root = keys.public_key(KeyName::Certificates).await.unwrap();
    let env = sealer::Env {
        store: store.clone(),
        keys,
        tenant: "clinic".parse().unwrap(),
        environment: "test".parse().unwrap(),
        retention: Retention::days(1),
        batch: sealer::Env::BATCH,
        now_us: Arc::new(|| now_s() * 1_000_000),
    };
    assert_eq!(sealer::seal(&env).await.unwrap().rejected.len(), 0);
    let folder = tempfile::tempdir().unwrap();
    assert!(export(&*store, &folder.path().join("evidence")).await.unwrap().is_quiet());
    let pem = folder.path().join("root.pem");
    std::fs::write(&pem, root.to_pem()).unwrap();
    let mut auditor = Command::new(Programs::built().executable("auditor"));
    let report = Said::by(auditor.arg("verify").arg(folder.path().join("evidence")).arg("--root").arg(pem)).ok();
    assert!(report.contains("It holds."), "{report}");
    report
}
