//! What a relay proves itself with, from AWS: its TLS certificate and the passwords of its targets from Secrets Manager,
//! and tokens of RDS's IAM authentication.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws::{Deadlines, SecretsManager};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use seams::{DatabaseLogin, SECRET_BYTES_MAX, Secrets, SecretsError};
use serde_json::json;

use super::{faults_of_reading, proxy, tells_nothing, times};
use crate::harness::health::{await_status, figure};
use crate::harness::{Beside, Database, Emulator, Fault, Relay, SECRET, have_psycopg, psql, psycopg, python};
use crate::{emulator, skip_without};

#[tokio::test]
async fn a_secret_is_what_it_is_now_and_what_it_is_not_is_named() {
    let emulator = emulator!();
    let secrets = SecretsManager::new(&emulator.connection());
    let arn = create(emulator, "first").await;
    assert_eq!(secrets.get(&arn).await.unwrap().text(), "first");
    put(emulator, &arn, "second").await;
    assert_eq!(secrets.get(&arn).await.unwrap().text(), "second");
    let longest = "x".repeat(SECRET_BYTES_MAX);
    put(emulator, &arn, &longest).await;
    assert_eq!(secrets.get(&arn).await.unwrap().text().len(), SECRET_BYTES_MAX);
    let nothing = format!("{arn}-that-nobody-made");
    let error = secrets.get(&nothing).await.unwrap_err();
    let told = format!("{nothing}: GetSecretValue: ResourceNotFoundException");
    assert!(matches!(&error, SecretsError::Refused(named) if *named == told), "{error:?}");
}

#[tokio::test]
async fn a_holder_that_is_away_is_told_from_one_that_refuses_and_nothing_of_the_secret_is() {
    let emulator = emulator!();
    let proxy = proxy(emulator);
    let arn = create(emulator, "said in a test").await;
    let secrets = SecretsManager::new(&Emulator::connection_to(proxy.address()));
    for (fault, persists) in faults_of_reading() {
        for &times in times(fault) {
            proxy.fail("getsecretvalue", fault, persists, times);
            match secrets.get(&arn).await {
                Ok(secret) => assert_eq!(secret.text(), "said in a test", "{fault:?}"),
                Err(error) => {
                    assert!(times > 1 || fault == Fault::Torn, "{fault:?}: {error}");
                    assert!(matches!(error, SecretsError::Unavailable(..)), "{fault:?}: {error:?}");
                    tells_nothing(&error, &[]);
                }
            }
            assert_eq!(proxy.heal(), 0, "{fault:?} was met");
        }
    }
}

/// A password changes at the target and then in its secret: who is there stays, who comes is let in, and nothing is
/// started anew. The relay's certificate is a secret, too. Then it is told to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_rotated_while_sessions_go_on() {
    let emulator = emulator!();
    skip_without!(have_psycopg(), "psycopg");
    let (database, other) = (database(), Relay::shared());
    let role = "affidavit_rotated";
    database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'first' IN ROLE affidavit_relay"));
    let password = |password: &str| json!({ "username": role, "password": password, "port": 5432 }).to_string();
    let of_login = create(emulator, &password("first")).await;
    let of_tls = create(emulator, &tls(other)).await;
    let mut connection = emulator.connection();
    connection.deadlines = Deadlines::default();
    let secrets: Arc<dyn Secrets> = Arc::new(SecretsManager::new(&connection));
    let configured = |config: &mut toml::Table| {
        config["listener"][0]["tls"] = secret(&of_tls);
        guard(config, database, role, secret(&of_login));
    };
    // Who cannot ask for secrets does not start, and says what for.
    let refused = Beside::like(other, None, configured).await.err().unwrap().to_string();
    assert!(refused.contains("listener[0].tls") && refused.contains("nobody to ask"), "{refused}");
    let mut served = Beside::like(other, Some(secrets), configured).await.unwrap();

    let token = other.token("alice");
    let connection = served.connection("alice", &token);
    // The first login asks for the secret, within the time of a login: on a busy machine that may be too short.
    let patience = Instant::now() + Duration::from_secs(60);
    while !psql(&connection, &["SELECT 1"]).success {
        assert!(Instant::now() < patience, "the first password opens nothing");
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut early = psycopg(IN_TWO_STEPS, &connection).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(early.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(said.next().as_deref(), Some("1200"));

    database.run(&format!("ALTER ROLE {role} PASSWORD 'second'"));
    let between = psql(&connection, &["SELECT 1"]).refused();
    assert!(between.contains("FATAL") && !between.contains("first"), "{between}");
    put(emulator, &of_login, &password("second")).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !psql(&connection, &["SELECT count(*) FROM clinic.patients"]).success {
        assert!(Instant::now() < deadline, "the new password is not taken up");
        std::thread::sleep(Duration::from_millis(200));
    }

    let health = served.health().to_owned();
    await_status(&health, 200);
    assert!(figure(&health, "affidavit_sessions") >= 1.0);
    assert!(figure(&health, "affidavit_logins_refused_total{reason=\"target\"}") >= 1.0);
    served.ask_to_stop();
    let told = await_status(&health, 503);
    assert!(told.starts_with("stopping"), "{told}");
    early.stdin.take();
    assert_eq!(said.next().as_deref(), Some("1200"), "who was there finishes what it began");
    assert!(early.wait().unwrap().success());
    served.end().await;
}

/// PostgreSQL asks whom RDS's PostgreSQL asks, PAM there, LDAP here: whether a token is good for this role is for somebody
/// else to say, who computes its signature anew (`rds_iam.py`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_iam_opens_a_database_that_takes_tokens() {
    let emulator = emulator!();
    let (database, other, role) = (database(), Relay::shared(), "affidavit_iam");
    let place = format!("{}:{}", database.get("PGHOST"), database.get("PGPORT"));
    let argument = format!("test {SECRET} {place} {REGION}");
    let mut judge = python(include_str!("rds_iam.py"), &argument).stdout(Stdio::piped()).spawn().unwrap();
    let mut judged = BufReader::new(judge.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = judged.next().unwrap();
    database.run(&format!("CREATE ROLE {role} LOGIN IN ROLE affidavit_relay"));
    if !ask_ldap(database, role, &port) {
        eprintln!("SKIPPED: this PostgreSQL is built without LDAP");
        judge.kill().unwrap();
        judge.wait().unwrap();
        return;
    }
    let served = |credentials: &str, role: &'static str| {
        let mut connection = emulator.connection();
        let credentials = Credentials::new("test", credentials, None, None, "test");
        connection.credentials = SharedCredentialsProvider::new(credentials);
        let secrets: Arc<dyn Secrets> = Arc::new(SecretsManager::new(&connection));
        Beside::like(other, Some(secrets), move |config| {
            let token = toml::Table::from_iter([("rds-iam".to_owned(), REGION.into())]);
            guard(config, database, role, token.into());
        })
    };
    let token = other.token("alice");
    let good = served(SECRET, role).await.unwrap();
    for _ in 0..2 {
        assert_eq!(psql(&good.connection("alice", &token), &["SELECT 40 + 2"]).ok().matches("42").count(), 1);
        assert_eq!(judged.next().unwrap(), format!("accepted {role}"));
    }
    good.end().await;
    // Somebody else's credentials make a token that nobody takes.
    let strange = served("another secret", role).await.unwrap();
    psql(&strange.connection("alice", &token), &["SELECT 1"]).refused();
    // The session of before, whose login was beside that of the catalogue's, and now this one.
    let said = judged.find(|line| !line.starts_with("accepted")).unwrap();
    assert_eq!(said, format!("refused {role}: another signature"));
    strange.end().await;
    // A role that wants a password gets no token.
    let other_role = served(SECRET, "affidavit_relay").await.unwrap();
    psql(&other_role.connection("alice", &token), &["SELECT 1"]).refused();
    other_role.end().await;
    judge.kill().unwrap();
    judge.wait().unwrap();
    assert!(judged.next().is_none());
}

#[tokio::test]
async fn tokens_differ_by_role_and_are_made_without_asking_anybody() {
    let secrets = &SecretsManager::new(&Emulator::connection_to("127.0.0.1:9"));
    let token = |user| async move {
        let login = DatabaseLogin { region: REGION, host: "db.internal", port: 5432, user };
        secrets.database_token(&login).await.unwrap()
    };
    let (first, second) = (token("first").await, token("second").await);
    assert!(first != second && first.text().starts_with("db.internal:5432/?Action=connect&DBUser=first&"));
    assert!(secrets.get("arn:aws:secretsmanager:eu-central-1:1:secret:x").await.is_err());
}

/// A server whose logins and rules these tests may change.
fn database() -> &'static Database {
    static ALONE: OnceLock<&Database> = OnceLock::new();
    ALONE.get_or_init(|| Database::shared().alone())
}

/// The configured connection is one to this database.
fn guard(config: &mut toml::Table, database: &Database, role: &str, password: toml::Value) {
    let connection = config["connection"][0].as_table_mut().unwrap();
    connection["host"] = database.get("PGHOST").into();
    connection["port"] = database.get("PGPORT").parse::<i64>().unwrap().into();
    connection["tls"]["ca"] = database.ca().to_str().unwrap().into();
    connection["user"] = role.into();
    connection["password"] = password;
}

/// Has the server ask at this port of an LDAP server about a role; whether it can.
fn ask_ldap(database: &Database, role: &str, port: &str) -> bool {
    let file = database.values("SHOW hba_file").remove(0);
    let rule = format!("hostssl all {role} 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport={port} ldapprefix=\"cn=\"");
    // First all of it, and then: COPY empties the file before it asks.
    let before = database.values(&format!("SELECT regexp_split_to_table(pg_read_file('{file}'), '\\n')"));
    let rules: Vec<String> = std::iter::once(rule).chain(before).map(|rule| format!("('{rule}')")).collect();
    database.run(&format!("COPY (VALUES {}) TO '{file}'", rules.join(", ")));
    let wrong = database.values("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL").remove(0);
    database.run("SELECT pg_reload_conf()");
    wrong == "0"
}

fn secret(arn: &str) -> toml::Value {
    toml::Table::from_iter([("secret".to_owned(), arn.into())]).into()
}

/// The certificate of another relay, as a secret has it.
fn tls(other: &Relay) -> String {
    let read = |name: &str| std::fs::read_to_string(other.ca().with_file_name(name)).unwrap();
    json!({ "certificate": read("server.pem"), "key": read("server.key"), "ca": read("ca.pem") }).to_string()
}

async fn create(emulator: &Emulator, text: &str) -> String {
    let client = aws_sdk_secretsmanager::Client::new(&emulator.sdk());
    let created = client.create_secret().name(emulator.name("secret")).secret_string(text).send().await.unwrap();
    created.arn.unwrap()
}

async fn put(emulator: &Emulator, arn: &str, text: &str) {
    let client = aws_sdk_secretsmanager::Client::new(&emulator.sdk());
    client.put_secret_value().secret_id(arn).secret_string(text).send().await.unwrap();
}

const REGION: &str = "eu-central-1";

const IN_TWO_STEPS: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    count = lambda: connection.execute("SELECT count(*) FROM clinic.patients").fetchone()[0]
    print(count(), flush=True)
    sys.stdin.read()
    print(count(), flush=True)
"#;
