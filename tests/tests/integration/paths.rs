//! Names mean through the relay what they mean at PostgreSQL, wherever a session has come with its search path: sessions
//! grown at random, in transactions, savepoints, pipelines and errors, say the same there and past it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::corpus::{Client, Login, script};
use crate::harness::raw::Message;
use crate::harness::{Database, Relay};

#[test]
fn a_name_means_what_it_means_at_the_database_wherever_the_path_has_gone() {
    let server = Database::shared();
    server.run(&format!("CREATE DATABASE {DATABASE} OWNER {}", server.get("RELAY_USER")));
    let mut psql = server.psql();
    psql.env("PGUSER", server.get("RELAY_USER"));
    script(psql, DATABASE, SCHEMA);
    let relay = Relay::in_front_of(server, DATABASE, |data| {
        let write = |name: &str, text: &str| std::fs::write(data.join(name), text).unwrap();
        write("policies/clinic.cedar", POLICIES);
        write("classification.toml", "");
        let config = std::fs::read_to_string(data.join("relay.toml")).unwrap();
        write("relay.toml", &config.replace("name = \"clinic\"", &format!("name = \"{DATABASE}\"")));
    });
    let (host, port) = relay.address();
    let (user, password) = ("alice".to_owned(), relay.token("alice"));
    let through = Login { host, port, database: DATABASE.to_owned(), user, password, ca: Some(relay.ca()) };
    let past = Login::of_relay(server, DATABASE);
    let mut runner = TestRunner::new(Config { cases: SESSIONS, failure_persistence: None, ..Config::default() });
    let same = runner.run(&prop::collection::vec(step(), 1..30), |steps| {
        let (relayed, direct) = (said(&through, &steps), said(&past, &steps));
        for (number, (relayed, direct)) in relayed.iter().zip(&direct).enumerate() {
            prop_assert_eq!(relayed, direct, "step {} of {:?}", number, steps);
        }
        Ok(())
    });
    drop(relay);
    server.run(&format!("DROP DATABASE {DATABASE} WITH (FORCE)"));
    same.unwrap();
}

/// What is sent at once.
#[derive(Debug, Clone)]
enum Step {
    /// One `Query`.
    Query(String),
    /// One pipeline.
    Pipeline(Vec<String>),
}

fn step() -> impl Strategy<Value = Step> {
    let schema = || prop::sample::select(vec!["one", "two", "three"]);
    let any_schema = || prop::sample::select(vec!["one", "two", "three", "nowhere", "\"$user\"", "pg_catalog"]);
    let savepoint = || prop::sample::select(vec!["s", "t"]);
    let set = || {
        let to = (any::<bool>(), any_schema(), schema())
            .prop_map(|(local, first, then)| format!("SET {}search_path = {first}, {then}", local_word(local)));
        let default = any::<bool>().prop_map(|local| format!("SET {}search_path TO DEFAULT", local_word(local)));
        let reset = prop::sample::select(vec!["RESET search_path", "RESET ALL"]).prop_map(str::to_owned);
        prop_oneof![6 => to, 1 => default, 1 => reset]
    };
    let marks = savepoint().prop_map(|name| format!("SAVEPOINT {name}"));
    let back = savepoint().prop_map(|name| format!("ROLLBACK TO {name}"));
    let release = savepoint().prop_map(|name| format!("RELEASE {name}"));
    let control = prop::sample::select(vec!["BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "SELECT 1/0"])
        .prop_map(str::to_owned);
    let one = prop_oneof![4 => set(), 2 => marks, 3 => back, 1 => release, 3 => control];
    let begun = set().prop_map(|set| vec!["BEGIN".to_owned(), set]);
    prop_oneof![
        5 => one.clone().prop_map(Step::Query),
        3 => one.prop_map(|one| Step::Pipeline(vec![one])),
        1 => begun.clone().prop_map(Step::Pipeline),
        1 => begun.prop_map(|texts| Step::Query(texts.join("; "))),
    ]
}

fn local_word(local: bool) -> &'static str {
    if local { "LOCAL " } else { "" }
}

/// What the server says to each step, and where it finds the name after it.
fn said(login: &Login, steps: &[Step]) -> Vec<Vec<(char, String)>> {
    let mut greeting = Vec::new();
    let startup = BTreeMap::from([("options".to_owned(), "-c search_path=one".to_owned())]);
    let mut client = Client::log_in(login, &startup, &mut greeting).expect("it logs in");
    let mut said = Vec::new();
    for step in steps {
        let answer = match step {
            Step::Query(sql) => client.sql(sql),
            Step::Pipeline(texts) => client.pipeline(texts),
        };
        said.push(told(&answer));
        said.push(told(&client.sql("SELECT found FROM here")));
        said.push(told(&client.pipeline(&["SELECT found FROM here".to_owned()])));
    }
    said
}

/// Rows, tags, states and SQLSTATEs.
fn told(answer: &[Message]) -> Vec<(char, String)> {
    let told = answer.iter().filter(|message| matches!(message.tag, 'C' | 'D' | 'E' | 'Z'));
    told.map(|message| match message.tag {
        'E' => ('E', message.fields()[&'C'].clone()),
        tag => (tag, String::from_utf8_lossy(&message.body).into_owned()),
    })
    .collect()
}

const DATABASE: &str = "paths";
const SCHEMA: &str = "
    CREATE SCHEMA one; CREATE TABLE one.here AS SELECT 'one' AS found;
    CREATE SCHEMA two; CREATE TABLE two.here AS SELECT 'two' AS found;
    CREATE SCHEMA three; CREATE TABLE three.here AS SELECT 'three' AS found;
";
const POLICIES: &str = r#"
    @id("read") permit(principal, action in [Action::"connect", Action::"select"], resource);
"#;
const SESSIONS: u32 = 60;
