//! Sessions whose client says more than it was answered: names, order, memory, and what a transaction tells at its end.

use std::process::Stdio;
use std::time::Duration;

use crate::harness::raw::{Message, bind, close, execute, parse, query, sync};
use crate::harness::{Database, RawClient, Relay};

#[test]
fn two_names_that_the_server_takes_for_one_never_reach_it() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    let (first, second, third) = ("a".repeat(64), "a".repeat(63) + "b", "a".repeat(63) + "c");
    client.send(&[parse(&first, "SELECT 1 AS harmless"), sync()].concat());
    let refused = until_ready(&mut client);
    client.send(&[close(&second), sync(), parse(&third, "SELECT id FROM clinic.patients"), sync()].concat());
    until_ready(&mut client);
    until_ready(&mut client);
    client.send(&[bind("", &first), execute(""), sync()].concat());
    let said = until_ready(&mut client);
    assert_eq!(error_code(&refused).as_deref(), Some("42622"), "a name that would be cut is refused");
    assert!(!said.iter().any(|message| message.tag == 'D'), "another statement ran under the first one's name");
}

#[test]
fn a_refused_statement_of_a_pipeline_takes_its_transaction_with_it() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    let change = "UPDATE billing.payers SET name = 'taken' WHERE id = 2";
    let run = |sql: &str| [parse("", sql), bind("", ""), execute("")].concat();
    client.send(&[run(change), run("SELECT pg_ls_dir('.')"), run("COMMIT"), sync()].concat());
    assert_eq!(error_code(&until_ready(&mut client)).as_deref(), Some("42501"));
    client.send(&[query("BEGIN"), query(change), query("SELECT pg_ls_dir('.')"), query("COMMIT")].concat());
    for _ in 0..4 {
        until_ready(&mut client);
    }
    assert_ne!(Database::shared().values("SELECT name FROM billing.payers WHERE id = 2"), ["taken"]);
}

#[test]
fn a_client_that_sends_without_reading_is_not_kept_in_memory() {
    let mut holder = RawClient::logged_in(Relay::shared(), "alice");
    holder.send(&query("BEGIN; UPDATE billing.payers SET name = name WHERE id = 3"));
    assert_eq!(error_code(&until_ready(&mut holder)), None);
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    client.send(&query("UPDATE billing.payers SET name = name WHERE id = 3"));
    // More than may be in flight.
    client.send(&sync().repeat(10_100));
    client.patience_to_write(Duration::from_secs(4));
    let many = parse("", &" ".repeat(1_000_000));
    // What both ends' sockets hold is a few megabytes.
    let taken = (0..100).take_while(|_| client.try_send(&many)).count();
    assert!(taken < 50, "the relay took more than {taken} MB of messages that wait for the target");
    holder.send(&query("ROLLBACK"));
    until_ready(&mut holder);
}

#[test]
fn what_a_deferred_trigger_says_at_the_end_of_a_transaction_is_withheld() {
    let made = "CREATE TABLE billing.spoken (id int PRIMARY KEY); \
        GRANT INSERT ON billing.spoken TO affidavit_relay; \
        CREATE FUNCTION billing.speak() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'spoken of %', NEW.id; END $$; \
        CREATE CONSTRAINT TRIGGER speak AFTER INSERT ON billing.spoken DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION billing.speak()";
    superuser(made);
    let relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let insert = "INSERT INTO billing.spoken VALUES (1)";
    let mut said = Vec::new();
    for one in [format!("{insert}; SELECT 1"), format!("BEGIN; {insert}; COMMIT"), format!("{insert}; COMMIT")] {
        client.send(&query(&one));
        said.extend(until_ready(&mut client));
    }
    client.send(&[query("BEGIN"), query(insert), query("COMMIT")].concat());
    for _ in 0..3 {
        said.extend(until_ready(&mut client));
    }
    let run = |sql: &str| [parse("", sql), bind("", ""), execute("")].concat();
    client.send(&[run("BEGIN"), run(insert), run("COMMIT"), sync()].concat());
    said.extend(until_ready(&mut client));
    superuser("DROP TABLE billing.spoken; DROP FUNCTION billing.speak()");
    let errors: Vec<_> = said.iter().filter(|message| message.tag == 'E').map(Message::fields).collect();
    assert_eq!(errors.len(), 5, "{errors:?}");
    for error in errors {
        assert_eq!(error[&'C'], "P0001", "{error:?}");
        assert!(!format!("{error:?}").contains("spoken"), "{error:?}");
    }
}

#[test]
fn rows_do_not_come_in_the_order_of_raw_values() {
    // Wide rows and an index that has every column asked for: by itself the planner reads that index and nothing else.
    superuser(
        "CREATE TABLE clinic.wide (id int PRIMARY KEY, born date, pad text); \
         INSERT INTO clinic.wide SELECT id, birth_date, repeat('x', 900) FROM clinic.patients ORDER BY id; \
         CREATE INDEX ON clinic.wide (born, id); GRANT SELECT ON clinic.wide TO affidavit_relay",
    );
    superuser("VACUUM ANALYZE clinic.wide");
    let by_birth = "SELECT array_agg(id) FROM (SELECT id FROM clinic.wide ORDER BY born, id LIMIT 40) t";
    let raw = Database::shared().values(by_birth);
    let relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query("SELECT array_agg(id) FROM (SELECT id FROM clinic.wide LIMIT 40) t"));
    let said = until_ready(&mut client);
    superuser("DROP TABLE clinic.wide");
    let row = said.iter().find(|message| message.tag == 'D').expect("a row");
    assert!(!String::from_utf8_lossy(&row.body).contains(&raw[0]), "ids came in the order of birth dates");
}

fn superuser(sql: &str) {
    let mut psql = Database::shared().psql();
    let output = psql.args(["--quiet", "--command", sql]).stdout(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Everything up to the next `ReadyForQuery`.
pub(crate) fn until_ready(client: &mut RawClient) -> Vec<Message> {
    let mut said = Vec::new();
    while said.last().is_none_or(|message: &Message| message.tag != 'Z') {
        said.push(client.read().expect("the session goes on"));
    }
    said
}

fn error_code(said: &[Message]) -> Option<String> {
    said.iter().find(|message| message.tag == 'E').map(|message| message.fields()[&'C'].clone())
}
