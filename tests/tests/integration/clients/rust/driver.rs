//! tokio-postgres: the extended protocol, portals in parts, pipelines, COPY, transactions, errors, cancelling.

use std::time::Duration;

use ::tokio_postgres::config::SslMode;
use ::tokio_postgres::error::SqlState;
use ::tokio_postgres::types::{ToSql, Type};
use ::tokio_postgres::{Client, Config, Error, NoTls, Row, SimpleQueryMessage};
use futures_util::future::{join, join_all};
use futures_util::{SinkExt, TryStreamExt};

use super::Tally;
use super::tls::VerifyFull;
use crate::clients::world::World;

pub(super) async fn session(world: &World, tally: &Tally) {
    let tls = VerifyFull::by(world.setting("PGSSLROOTCERT").as_ref());
    let mut config = Config::new();
    config.host(world.setting("PGHOST")).port(world.setting("PGPORT").parse().unwrap()).ssl_mode(SslMode::Require);
    config.user(world.setting("PGUSER")).password(world.setting("PGPASSWORD")).dbname(world.setting("PGDATABASE"));
    config.application_name(world.setting("PGAPPNAME"));
    assert!(config.connect(NoTls).await.is_err(), "nothing is spoken in clear");
    let (mut client, connection) = config.connect(tls.clone()).await.unwrap();
    let connection = tokio::spawn(connection);
    results(&client, tally).await;
    types(&client, tally).await;
    pipelines(&client, tally).await;
    portals(&mut client, tally).await;
    copies(&client, tally).await;
    transactions(&mut client, tally).await;
    errors(&client, tally).await;
    cancelling(&client, tls, tally).await;
    drop(client);
    connection.await.unwrap().unwrap();
}

async fn results(client: &Client, tally: &Tally) {
    tally.sends(4);
    let counted = client.query_one("SELECT count(*), max(id) FROM clinic.visits WHERE patient_id > $1", &[&0]).await;
    assert_eq!(counted.map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1))).unwrap(), (6000, 6000));
    // Rows in binary; in text, of a simple query; and without a statement that is prepared first.
    let sql = "SELECT id, name, ssn, email, zip FROM clinic.patients WHERE id <= $1 ORDER BY id";
    let binary = client.query(sql, &[&20]).await.unwrap();
    assert_eq!(binary.len(), 20);
    binary.iter().for_each(|row| tally.shows(&patient(row)));
    let typed = client.query_typed(sql, &[(&20_i32, Type::INT4)]).await.unwrap();
    assert_eq!(typed.iter().map(patient).collect::<Vec<_>>(), binary.iter().map(patient).collect::<Vec<_>>());
    for message in client.simple_query(&sql.replace("$1", "20")).await.unwrap() {
        if let SimpleQueryMessage::Row(row) = message {
            tally.shows(row.get(1).unwrap());
        }
    }
}

fn patient(row: &Row) -> String {
    let text = |column| row.get::<_, Option<&str>>(column).unwrap_or("NULL");
    format!("{} {} {} {} {}", row.get::<_, i32>(0), text(1), text(2), text(3), text(4))
}

async fn types(client: &Client, tally: &Tally) {
    tally.sends(3);
    let columns = "id, flag, small, big, amount, ratio, label, code, raw, tags, numbers, doc, nothing";
    let insert = format!(
        "INSERT INTO tokio_postgres.samples ({columns}) \
         VALUES ($1, $2, $3, $4, $5::text::numeric, $6, $7, $8, $9, $10, $11, $12::text::jsonb, $13)"
    );
    let label = "it's \u{e9} \\ \u{201c}quoted\u{201d}";
    let raw: Vec<u8> = (0..=255).collect();
    let tags = vec![Some("one"), None, Some("tw\"o"), Some("")];
    let numbers = vec![Some(1), Some(-2), None];
    let (small, big) = (-7_i16, 1_i64 << 62);
    let doc = r#"{"a": [1, null, "x"]}"#;
    let nothing = None::<&str>;
    let amount = "12345.678901";
    let values: &[&(dyn ToSql + Sync)] =
        &[&1, &true, &small, &big, &amount, &0.1, &label, &"abc", &raw, &tags, &numbers, &doc, &nothing];
    assert_eq!(client.execute(&insert, values).await.unwrap(), 1);
    let read = format!("SELECT {columns} FROM tokio_postgres.samples").replace("amount", "amount::text");
    let row = client.query_one(&read.replace("doc", "doc::text"), &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(1), row.get::<_, i16>(2), row.get::<_, i64>(3)), (true, small, big));
    assert_eq!((row.get::<_, &str>(4), row.get::<_, f64>(5)), (amount, 0.1));
    assert_eq!((row.get::<_, &str>(6), row.get::<_, &str>(7), row.get::<_, Vec<u8>>(8)), (label, "abc", raw));
    assert_eq!((row.get::<_, Vec<Option<&str>>>(9), row.get::<_, Vec<Option<i32>>>(10)), (tags, numbers));
    assert_eq!((row.get::<_, &str>(11), row.get::<_, Option<&str>>(12)), (doc, None));
    assert_eq!(client.execute("DELETE FROM tokio_postgres.samples WHERE id = $1", &[&1]).await.unwrap(), 1);
}

/// Requests that are sent before the first one is answered, also some that fail among them (when they run, and not when
/// they are planned).
async fn pipelines(client: &Client, tally: &Tally) {
    tally.sends(20 + 20);
    let double = client.prepare("SELECT $1::int4 * 2").await.unwrap();
    let numbers: Vec<i32> = (0..20).collect();
    let asked =
        numbers.iter().map(|number| async { client.query_one(&double, &[number]).await.unwrap().get::<_, i32>(0) });
    assert_eq!(join_all(asked).await, numbers.iter().map(|number| number * 2).collect::<Vec<_>>());
    let divide = client.prepare("SELECT 12 / ($1::int4 * x) FROM generate_series(1, 1) AS x").await.unwrap();
    let divisors: Vec<i32> = numbers.iter().map(|number| number % 4).collect();
    let asked = divisors.iter().map(|number| async { client.query_one(&divide, &[number]).await });
    for (index, answer) in join_all(asked).await.into_iter().enumerate() {
        match index % 4 {
            0 => assert_eq!(answer.unwrap_err().code(), Some(&SqlState::DIVISION_BY_ZERO)),
            by => assert_eq!(answer.unwrap().get::<_, i32>(0), 12 / i32::try_from(by).unwrap()),
        }
    }
}

/// Two portals are read in turn, some rows at a time.
async fn portals(client: &mut Client, tally: &Tally) {
    tally.sends(1 + 3 + 2 + 1);
    let transaction = client.transaction().await.unwrap();
    let sql = "SELECT id, name, ssn, email, zip FROM clinic.patients WHERE id > $1 ORDER BY id LIMIT 25";
    let first = transaction.bind(sql, &[&100]).await.unwrap();
    let second = transaction.bind(sql, &[&200]).await.unwrap();
    let mut ids = Vec::new();
    for (portal, rows) in [(&first, 10), (&second, 20), (&first, 10), (&second, 20), (&first, 10)] {
        for row in transaction.query_portal(portal, rows).await.unwrap() {
            tally.shows(&patient(&row));
            ids.push(row.get::<_, i32>(0));
        }
    }
    let expected = [101..=110, 201..=220, 111..=120, 221..=225, 121..=125];
    assert_eq!(ids, expected.into_iter().flatten().collect::<Vec<_>>());
    transaction.rollback().await.unwrap();
}

async fn copies(client: &Client, tally: &Tally) {
    tally.sends(4);
    let sink = client.copy_in("COPY tokio_postgres.samples (id, label, tags) FROM STDIN").await.unwrap();
    let mut sink = Box::pin(sink);
    for id in 1..=500 {
        sink.send(std::io::Cursor::new(format!("{id}\tit's \\\\ {id}\t{{x,NULL}}\n"))).await.unwrap();
    }
    assert_eq!(sink.as_mut().finish().await.unwrap(), 500);
    let copied = client.copy_out("COPY tokio_postgres.samples (id, label) TO STDOUT (FORMAT csv)").await.unwrap();
    let copied: Vec<_> = copied.try_collect().await.unwrap();
    assert_eq!((copied.len(), &*copied[499]), (500, &b"500,it's \\ 500\n"[..]));
    let masked = client.copy_out("COPY clinic.patients TO STDOUT").await.unwrap();
    let masked: Vec<_> = masked.try_collect().await.unwrap();
    assert_eq!(masked.len(), 1200);
    masked.iter().for_each(|line| tally.shows(str::from_utf8(line).unwrap()));
    assert_eq!(client.execute("DELETE FROM tokio_postgres.samples", &[]).await.unwrap(), 500);
}

async fn transactions(client: &mut Client, tally: &Tally) {
    // START, INSERT, SAVEPOINT, UPDATE, ROLLBACK TO, SELECT, ROLLBACK; SELECT.
    tally.sends(7 + 1);
    let level = ::tokio_postgres::IsolationLevel::Serializable;
    let mut outer = client.build_transaction().isolation_level(level).start().await.unwrap();
    outer.execute("INSERT INTO tokio_postgres.samples (id) VALUES ($1)", &[&2]).await.unwrap();
    let inner = outer.savepoint("one").await.unwrap();
    inner.execute("UPDATE tokio_postgres.samples SET label = 'inner'", &[]).await.unwrap();
    inner.rollback().await.unwrap();
    let row = outer.query_one("SELECT label FROM tokio_postgres.samples WHERE id = 2", &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>(0), None);
    // Not committed: gone with its value.
    drop(outer);
    let left = client.query_one("SELECT count(*) FROM tokio_postgres.samples", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

async fn errors(client: &Client, tally: &Tally) {
    assert_eq!(state(client, "SELECT 1 / (SELECT count(*) FROM tokio_postgres.samples)", tally).await, "22012");
    for (sql, code) in [("DROP TABLE clinic.visits", "42501"), ("SELECT * FROM clinic.nowhere", "42P01")] {
        assert_eq!(state(client, sql, tally).await, code);
        tally.one_was_refused();
    }
    tally.sends(4);
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute("INSERT INTO tokio_postgres.samples (id) VALUES (3)").await.unwrap();
    assert_eq!(state(client, "INSERT INTO tokio_postgres.samples (id) VALUES (3)", tally).await, "23505");
    let aborted = client.simple_query("SELECT 1").await.unwrap_err();
    assert_eq!(aborted.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
    client.batch_execute("ROLLBACK").await.unwrap();
}

async fn state(client: &Client, sql: &str, tally: &Tally) -> String {
    tally.sends(1);
    let error: Error = client.query(sql, &[]).await.unwrap_err();
    error.code().unwrap().code().to_owned()
}

async fn cancelling(client: &Client, tls: VerifyFull, tally: &Tally) {
    tally.sends(2);
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        token.cancel_query(tls).await.unwrap();
    };
    let long = client.query("SELECT count(*) FROM generate_series(1, 2000000000) AS x", &[]);
    let (answer, ()) = join(long, cancel).await;
    assert_eq!(answer.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    assert_eq!(client.query_one("SELECT 2", &[]).await.unwrap().get::<_, i32>(0), 2);
}
