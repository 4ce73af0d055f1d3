//! sqlx: pools, its cache of statements, streams of rows, transactions, COPY, errors.

use ::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolCopyExt, PgPoolOptions, PgRow, PgSslMode};
use ::sqlx::{Connection, Executor, PgConnection, Row, SqlSafeStr, Statement};
use futures_util::TryStreamExt;

use super::Tally;
use crate::clients::world::World;

pub(super) async fn session(world: &World, tally: &Tally) {
    let options = PgConnectOptions::new_without_pgpass()
        .host(world.setting("PGHOST"))
        .port(world.setting("PGPORT").parse().unwrap())
        .username(world.setting("PGUSER"))
        .password(world.setting("PGPASSWORD"))
        .database(world.setting("PGDATABASE"))
        .application_name(world.setting("PGAPPNAME"))
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(world.setting("PGSSLROOTCERT"));
    // So few that statements are closed while the connection goes on.
    let mut connection = PgConnection::connect_with(&options.clone().statement_cache_capacity(3)).await.unwrap();
    results(&mut connection, tally).await;
    cached(&mut connection, tally).await;
    transactions(&mut connection, tally).await;
    errors(&mut connection, tally).await;
    connection.close().await.unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    types(&pool, tally).await;
    copies(&pool, tally).await;
    pool.close().await;
}

async fn results(connection: &mut PgConnection, tally: &Tally) {
    tally.sends(3);
    let counted = ::sqlx::query_as("SELECT count(*), max(id) FROM clinic.visits WHERE patient_id > $1").bind(0);
    let counted: (i64, i64) = counted.fetch_one(&mut *connection).await.unwrap();
    assert_eq!(counted, (6000, 6000));
    let sql = "SELECT id, name, ssn, email, zip FROM clinic.patients WHERE id <= $1 ORDER BY id";
    let rows = ::sqlx::query(sql).bind(20).fetch_all(&mut *connection).await.unwrap();
    assert_eq!(rows.len(), 20);
    rows.iter().for_each(|row| tally.shows(&patient(row)));
    let mut stream = connection.fetch("SELECT id, name, ssn, email, zip FROM clinic.patients");
    let mut seen = 0;
    while let Some(row) = stream.try_next().await.unwrap() {
        tally.shows(&patient(&row));
        seen += 1;
    }
    assert_eq!(seen, 1200);
}

fn patient(row: &PgRow) -> String {
    let text = |column: usize| row.get::<Option<&str>, _>(column).unwrap_or("NULL");
    format!("{} {} {} {} {}", row.get::<i32, _>(0), text(1), text(2), text(3), text(4))
}

/// More statements than are kept, again and again; one that is held on to; one that is never kept.
async fn cached(connection: &mut PgConnection, tally: &Tally) {
    for _ in 0..4 {
        for number in 0..5_i32 {
            tally.sends(1);
            let sql = ::sqlx::AssertSqlSafe(format!("SELECT $1 + {number} FROM clinic.patients WHERE id = $2"));
            let sum: i32 =
                ::sqlx::query_scalar(sql).bind(1).bind(number + 1).fetch_one(&mut *connection).await.unwrap();
            assert_eq!(sum, 1 + number);
        }
    }
    tally.sends(1 + 2);
    let kept = connection.prepare("SELECT $1::int8 * 2".into_sql_str()).await.unwrap();
    assert_eq!(kept.query().bind(21_i64).fetch_one(&mut *connection).await.unwrap().get::<i64, _>(0), 42);
    for word in ["it's", "\\"] {
        let once = ::sqlx::query_scalar("SELECT $1::text || '!'").bind(word).persistent(false);
        let said: String = once.fetch_one(&mut *connection).await.unwrap();
        assert_eq!(said, format!("{word}!"));
    }
    connection.clear_cached_statements().await.unwrap();
}

async fn transactions(connection: &mut PgConnection, tally: &Tally) {
    // BEGIN, INSERT, SAVEPOINT, UPDATE, ROLLBACK TO, SAVEPOINT, UPDATE, RELEASE, SELECT, ROLLBACK; SELECT.
    tally.sends(10 + 1);
    let mut outer = connection.begin().await.unwrap();
    ::sqlx::query("INSERT INTO sqlx.samples (id) VALUES ($1)").bind(2).execute(&mut *outer).await.unwrap();
    for label in ["undone", "kept"] {
        let mut inner = outer.begin().await.unwrap();
        ::sqlx::query("UPDATE sqlx.samples SET label = $1").bind(label).execute(&mut *inner).await.unwrap();
        match label {
            "kept" => inner.commit().await.unwrap(),
            _ => inner.rollback().await.unwrap(),
        }
    }
    let label: Option<String> =
        ::sqlx::query_scalar("SELECT label FROM sqlx.samples WHERE id = 2").fetch_one(&mut *outer).await.unwrap();
    assert_eq!(label.as_deref(), Some("kept"));
    // Not committed: undone with the next statement.
    drop(outer);
    let left: i64 = ::sqlx::query_scalar("SELECT count(*) FROM sqlx.samples").fetch_one(connection).await.unwrap();
    assert_eq!(left, 0);
}

async fn errors(connection: &mut PgConnection, tally: &Tally) {
    for (sql, code, refused) in [
        ("SELECT 1 / (SELECT count(*) FROM sqlx.samples)", "22012", false),
        ("DROP TABLE clinic.visits", "42501", true),
        ("SELECT * FROM clinic.nowhere", "42P01", true),
    ] {
        tally.sends(1);
        let error = ::sqlx::query(sql).execute(&mut *connection).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some(code), "{sql}");
        if refused {
            tally.one_was_refused();
        }
    }
}

async fn types(pool: &PgPool, tally: &Tally) {
    tally.sends(3);
    let columns = "id, flag, small, big, ratio, label, code, raw, tags, numbers, nothing";
    let insert = format!("INSERT INTO sqlx.samples ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    let label = "it's \u{e9} \\ \u{201c}quoted\u{201d}";
    let raw: Vec<u8> = (0..=255).collect();
    let tags = vec![Some("one"), None, Some("tw\"o"), Some("")];
    let numbers = vec![Some(1), Some(-2), None];
    let made = ::sqlx::query(::sqlx::AssertSqlSafe(insert)).bind(1).bind(true).bind(-7_i16).bind(1_i64 << 62).bind(0.1);
    let made = made.bind(label).bind("abc").bind(&raw).bind(&tags).bind(&numbers).bind(None::<&str>);
    assert_eq!(made.execute(pool).await.unwrap().rows_affected(), 1);
    let read = ::sqlx::AssertSqlSafe(format!("SELECT {columns} FROM sqlx.samples"));
    let row = ::sqlx::query(read).fetch_one(pool).await.unwrap();
    assert_eq!((row.get::<bool, _>(1), row.get::<i16, _>(2), row.get::<i64, _>(3)), (true, -7, 1 << 62));
    assert_eq!((row.get::<f64, _>(4), row.get::<&str, _>(5), row.get::<&str, _>(6)), (0.1, label, "abc"));
    assert_eq!((row.get::<Vec<u8>, _>(7), row.get::<Vec<Option<i32>>, _>(9)), (raw, numbers));
    let read: Vec<Option<String>> = row.get(8);
    assert_eq!(read.iter().map(Option::as_deref).collect::<Vec<_>>(), tags);
    assert_eq!(row.get::<Option<String>, _>(10), None);
    assert_eq!(::sqlx::query("DELETE FROM sqlx.samples").execute(pool).await.unwrap().rows_affected(), 1);
}

async fn copies(pool: &PgPool, tally: &Tally) {
    tally.sends(4);
    let mut sink = pool.copy_in_raw("COPY sqlx.samples (id, label) FROM STDIN").await.unwrap();
    for id in 1..=500 {
        sink.send(format!("{id}\tit's {id}\n").into_bytes()).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 500);
    // Given up: the target keeps nothing of it.
    let mut sink = pool.copy_in_raw("COPY sqlx.samples (id, label) FROM STDIN").await.unwrap();
    sink.send(&b"501\tx\n"[..]).await.unwrap();
    sink.abort("changed my mind").await.unwrap();
    let copied = pool.copy_out_raw("COPY sqlx.samples (id, label) TO STDOUT (FORMAT csv)").await.unwrap();
    let copied: Vec<_> = copied.try_collect().await.unwrap();
    assert_eq!((copied.len(), &*copied[499]), (500, &b"500,it's 500\n"[..]));
    let masked = pool.copy_out_raw("COPY clinic.patients TO STDOUT").await.unwrap();
    let masked: Vec<_> = masked.try_collect().await.unwrap();
    assert_eq!(masked.len(), 1200);
    masked.iter().for_each(|line| tally.shows(str::from_utf8(line).unwrap()));
}
