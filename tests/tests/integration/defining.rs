//! Temporary tables, and changes of definitions as reports and migrations make them; the target's catalog is looked at
//! afterwards, directly.

use crate::harness::raw::{bind, execute, parse, query, sync};
use crate::harness::{Database, RawClient, Relay, Said, have_python, interpreter};
use crate::pipelines::until_ready;
use crate::skip_without;

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_the_systems_postgresql {
            $(#[test] fn $test() { super::$test(super::Database::shared()); })*
        }
        mod on_postgresql_18 {
            $(#[test] fn $test() {
                match super::Database::eighteen() {
                    Some(database) => super::$test(database),
                    None => eprintln!("SKIPPED: PostgreSQL 18 is missing; tests/setup.sh installs it where npm is"),
                }
            })*
        }
    };
}

on_both!(a_report_goes_through_temporary_tables, a_mapper_migrates_and_takes_it_back, a_transaction_is_followed);

/// A relay whose engineers may define what they like in a schema of the relay's login.
fn relay(database: &Database, schema: &str) -> Relay {
    database.run(&format!("CREATE SCHEMA {schema} AUTHORIZATION affidavit_relay"));
    let policy = r#"permit (principal in Group::"engineers",
        action in [Action::"insert", Action::"update", Action::"delete", Action::"ddl"],
        resource in Schema::"clinic/{{schema}}");"#;
    Relay::before(database, &policy.replace("{{schema}}", schema))
}

fn a_report_goes_through_temporary_tables(database: &'static Database) {
    skip_without!(have_python("psycopg"), "psycopg");
    let relay = relay(database, "reports");
    let said = relay.psycopg("alice", REPORT).ok();
    assert_eq!(database.leak_in(&said), None, "{said}");
    assert!(said.ends_with("done\n"), "{said}");
    let masked = "SELECT count(*), count(*) FILTER (WHERE ssn LIKE '***-**-%') = count(ssn) FROM reports.masks";
    assert_eq!(database.values(masked), ["1200|t"]);
    // Who is shown names keeps none.
    let refused = relay.psql("carol", &["CREATE TEMP TABLE kept AS SELECT name FROM clinic.patients"]).refused();
    assert!(refused.contains("reveals to you") && refused.contains("HINT"), "{refused}");
    database.run("DROP SCHEMA reports CASCADE");
}

const REPORT: &str = r#"
import sys, psycopg
def state(connection, sql):
    try:
        connection.execute(sql)
        return None
    except psycopg.Error as error:
        return error.sqlstate
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    def one(sql): return connection.execute(sql).fetchone()[0]
    connection.execute("CREATE TEMP TABLE seen AS SELECT id, name, ssn, zip FROM clinic.patients")
    assert one("SELECT count(*) FROM seen WHERE ssn LIKE '***-**-%'") == one("SELECT count(ssn) FROM seen") > 1000
    print(connection.execute("SELECT * FROM seen ORDER BY id LIMIT 50").fetchall())
    connection.execute("CREATE INDEX ON seen (zip)")
    connection.execute("ANALYZE seen")
    connection.execute("ALTER TABLE seen ADD COLUMN visits int NOT NULL DEFAULT 0")
    connection.execute("UPDATE seen SET visits = v.n FROM (SELECT patient_id, count(*) AS n FROM clinic.visits GROUP BY 1) v WHERE v.patient_id = seen.id")
    assert one("SELECT sum(visits) FROM seen") == one("SELECT count(*) FROM clinic.visits")
    connection.execute("SELECT zip, sum(visits) AS n INTO TEMP by_zip FROM seen GROUP BY zip")
    assert one("SELECT sum(n) FROM by_zip") == one("SELECT sum(visits) FROM seen")
    with connection.cursor().copy("COPY by_zip (zip, n) FROM STDIN") as copy:
        copy.write_row(("999", 7))
    with connection.cursor().copy("COPY by_zip TO STDOUT") as copy:
        assert b"999\t7\n" in b"".join(bytes(part) for part in copy)
    connection.execute("INSERT INTO seen (id, name) SELECT id + 100000, name FROM clinic.patients")
    assert connection.execute("DELETE FROM seen WHERE id > 100000").rowcount == 1200
    # Of a transaction, of its commit, of a savepoint.
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TEMP TABLE undone (id int)")
        connection.execute("DROP TABLE by_zip")
        connection.execute("INSERT INTO undone VALUES (1)")
    assert state(connection, "SELECT * FROM undone") == "42P01"
    connection.execute("TABLE by_zip")
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE short (id int) ON COMMIT DROP")
        connection.execute("INSERT INTO short VALUES (1)")
        connection.execute("SAVEPOINT s")
        connection.execute("CREATE TEMP TABLE later (id int)")
        connection.execute("ROLLBACK TO s")
        connection.execute("TABLE short")
    assert state(connection, "TABLE short") == "42P01"
    assert state(connection, "TABLE later") == "42P01"
    connection.execute("CREATE TEMP TABLE later (id serial, at timestamptz DEFAULT now(), n numeric GENERATED ALWAYS AS (2) STORED)")
    connection.execute("INSERT INTO later DEFAULT VALUES")
    assert one("SELECT later.id FROM later") == 1
    # What lasts holds masks too.
    connection.execute("CREATE TABLE reports.masks AS SELECT id, ssn FROM clinic.patients")
    assert one("SELECT count(*) FROM reports.masks") == 1200
    connection.execute("DISCARD ALL")
    assert state(connection, "TABLE seen") == "42P01"
    assert state(connection, "CREATE TEMP TABLE patients (id int)") == "42501"
print("done")
"#;

fn a_mapper_migrates_and_takes_it_back(database: &'static Database) {
    skip_without!(have_python("psycopg, django, sqlalchemy"), "Django or SQLAlchemy");
    let relay = relay(database, "migrated");
    let run = |script: &str, step: &str| {
        let mut python = std::process::Command::new(interpreter());
        python.args(["-u", "-c", script, &relay.connection("alice"), step]);
        let said = Said::by(&mut python);
        assert!(said.success, "{}\n{}", said.text, relay.log());
    };
    let columns = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
                   FROM information_schema.columns WHERE table_schema = 'migrated' ORDER BY 1";
    let constraints = "SELECT conrelid::regclass || ' ' || contype::text FROM pg_constraint k \
                       JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = 'migrated' AND contype IN ('p', 'f', 'u', 'c') ORDER BY 1";
    run(DJANGO, "fail");
    assert_eq!(database.values(columns), Vec::<String>::new(), "it was one transaction");
    run(DJANGO, "first");
    assert_eq!(
        database.values(columns),
        [
            "book.author_id bigint NO",
            "book.id bigint NO",
            "book.pages integer NO",
            "book.title character varying NO",
            "writer.id bigint NO",
            "writer.name character varying NO"
        ]
    );
    let made = ["migrated.book c", "migrated.book f", "migrated.book p", "migrated.writer p", "migrated.writer u"];
    assert_eq!(database.values(constraints), made);
    run(DJANGO, "second");
    assert_eq!(
        database.values(columns),
        [
            "author.full_name text NO",
            "author.id bigint NO",
            "book.author_id bigint YES",
            "book.id bigint NO",
            "book.isbn character varying NO",
            "book.published date YES",
            "book.title text NO",
            "book.words bigint NO"
        ]
    );
    assert_eq!(database.values("SELECT title || ' ' || words || ' ' || isbn FROM migrated.book"), ["It 7 none"]);
    run(DJANGO, "last");
    assert_eq!(database.values(columns), Vec::<String>::new());
    run(SQLALCHEMY, "");
    assert_eq!(
        database.values("SELECT status::text || ' ' || name FROM migrated.orders o JOIN migrated.customers c ON c.id = o.customer_id"),
        ["paid Ada"]
    );
    database.run("DROP SCHEMA migrated CASCADE");
}

/// A schema editor's statements, a transaction a step, as `migrate` sends them.
const DJANGO: &str = r#"
import sys
import django, psycopg
from django.conf import settings
given = psycopg.conninfo.conninfo_to_dict(sys.argv[1])
settings.configure(USE_TZ=True, INSTALLED_APPS=[], DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": "clinic",
    "OPTIONS": {**{k: v for k, v in given.items() if k != "dbname"}, "options": "-csearch_path=migrated"}}})
django.setup()
from django.db import connection, models
from django.db.migrations import operations as op
from django.db.migrations.state import ProjectState
first = [
    op.CreateModel("Writer", [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=50, unique=True))],
                   options={"db_table": "writer"}),
    op.CreateModel("Book", [("id", models.BigAutoField(primary_key=True)), ("title", models.CharField(max_length=80, db_index=True)),
                            ("author", models.ForeignKey("app.Writer", models.CASCADE))], options={"db_table": "book"}),
    op.AddField("Book", "pages", models.IntegerField(default=0)),
    op.AddConstraint("Book", models.CheckConstraint(**{"condition" if django.VERSION >= (5, 1) else "check": models.Q(pages__gte=0)}, name="pages_positive")),
    op.AddIndex("Book", models.Index(models.F("title").desc(), models.F("pages"), name="book_by_title")),
    op.AddIndex("Book", models.Index(fields=["pages"], condition=models.Q(pages__gt=100), name="book_long")),
]
second = [
    op.RunSQL("INSERT INTO writer (name) VALUES ('Bo'); INSERT INTO book (title, author_id, pages) SELECT 'It', id, 7 FROM writer"),
    op.RunSQL("SET CONSTRAINTS ALL IMMEDIATE"),
    op.RenameField("Book", "pages", "words"),
    op.AlterField("Book", "words", models.BigIntegerField(default=1)),
    op.AlterField("Book", "title", models.TextField()),
    op.AddField("Book", "published", models.DateField(null=True)),
    op.AddField("Book", "isbn", models.CharField(max_length=20, default="none")),
    op.AlterField("Book", "author", models.ForeignKey("app.Writer", models.SET_NULL, null=True)),
    op.RemoveIndex("Book", "book_long"),
    op.RenameIndex("Book", "book_titles", old_name="book_by_title"),
    op.RemoveConstraint("Book", "pages_positive"),
    op.AlterModelTable("Writer", "author"),
    op.RenameField("Writer", "name", "full_name"),
    op.AlterField("Writer", "full_name", models.TextField(db_comment="as printed") if django.VERSION >= (4, 2) else models.TextField()),
    op.AlterUniqueTogether("Book", {("title", "words")}),
]
# DeleteModel says CASCADE, which is refused.
last = [op.RunSQL("DROP TABLE book"), op.RunSQL("DROP TABLE IF EXISTS author")]
steps = {"fail": [first], "first": [first], "second": [first, second], "last": [first, second, last]}[sys.argv[2]]
state = ProjectState()
class Stop(Exception): pass
try:
    for number, step in enumerate(steps):
        runs = number == len(steps) - 1
        if runs:
            with connection.schema_editor(atomic=True) as editor:
                for operation in step:
                    before = state.clone()
                    operation.state_forwards("app", state)
                    operation.database_forwards("app", editor, before, state)
                if sys.argv[2] == "fail":
                    # What was put off until the end would be sent now.
                    for statement in list(editor.deferred_sql):
                        editor.execute(statement, None)
                    editor.deferred_sql.clear()
                    raise Stop
        else:
            for operation in step:
                operation.state_forwards("app", state)
except Stop:
    pass
"#;

/// As a migration by Alembic: one transaction, with an enum, keys, defaults and a first row.
const SQLALCHEMY: &str = r#"
import enum, sys
import psycopg
from sqlalchemy import *
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(sys.argv[1], options="-csearch_path=migrated"))
metadata = MetaData()
customers = Table("customers", metadata, Column("id", Integer, primary_key=True), Column("name", String(40), nullable=False, unique=True, comment="of the firm"))
orders = Table("orders", metadata, Column("id", Integer, Identity(always=True), primary_key=True),
    Column("customer_id", ForeignKey("customers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("status", Enum("open", "paid", name="status"), server_default="open"),
    Column("at", DateTime(timezone=True), server_default=func.now()), CheckConstraint("id > 0", name="sane"))
with engine.begin() as connection:
    metadata.create_all(connection)
    connection.execute(customers.insert().values(name="Ada"))
    connection.execute(text("ALTER TABLE orders ALTER COLUMN status SET NOT NULL"))
    connection.execute(text("ALTER TABLE orders ADD COLUMN total NUMERIC(10, 2) DEFAULT 0 NOT NULL"))
    connection.execute(text("INSERT INTO orders (customer_id, status) SELECT id, 'paid' FROM customers"))
    assert connection.execute(select(func.count()).select_from(orders.join(customers))).scalar() == 1
with engine.begin() as connection:
    metadata.create_all(connection)
"#;

/// Also by messages of which the next follows before the last is answered, and behind a catalog that cannot be read.
fn a_transaction_is_followed(database: &'static Database) {
    let relay = relay(database, "followed");
    database.run("CREATE TABLE followed.base (id int); ALTER TABLE followed.base OWNER TO affidavit_relay; \
                  CREATE VIEW followed.over AS SELECT id FROM followed.base; ALTER VIEW followed.over OWNER TO affidavit_relay");
    let mut client = RawClient::logged_in(&relay, "alice");
    let mut ask = |sql: &str| {
        client.send(&query(sql));
        until_ready(&mut client)
            .into_iter()
            .find(|message| message.tag == 'E')
            .map(|error| error.fields()[&'C'].clone())
    };
    // Its lock keeps the view's definition from being read: the session goes on all the same.
    for sql in [
        "BEGIN",
        "ALTER TABLE followed.base ADD COLUMN n int DEFAULT 5",
        "CREATE TABLE followed.fresh (id int, n int)",
        "INSERT INTO followed.fresh SELECT id, n FROM followed.base",
        "SELECT fresh.n FROM followed.fresh",
    ] {
        assert_eq!(ask(sql), None, "{sql}");
    }
    assert_eq!(ask("SELECT * FROM followed.nothing").as_deref(), Some("42P01"));
    assert_eq!(ask("ROLLBACK"), None);
    assert_eq!(ask("SELECT * FROM followed.fresh").as_deref(), Some("42P01"));
    assert_eq!(ask("BEGIN; CREATE TABLE followed.fresh (id int); COMMIT"), None);
    assert_eq!(ask("SELECT * FROM followed.fresh"), None);
    assert_eq!(ask("VACUUM followed.fresh"), None);
    assert_eq!(ask("DROP TABLE IF EXISTS followed.fresh, followed.nothing"), None);
    let one = |sql: &str| [parse("", sql), bind("", ""), execute(""), sync()].concat();
    // The name is made by a message that is not answered yet when the next one comes.
    let sent = ["CREATE TEMP TABLE mine (id int)", "INSERT INTO mine VALUES (7)", "SELECT id FROM mine"].map(one);
    client.send(&[&sent.concat()[..], &query("TABLE mine")].concat());
    let rows = [false, false, true, true];
    for (number, rows) in rows.into_iter().enumerate() {
        let said = until_ready(&mut client);
        assert!(said.iter().all(|message| message.tag != 'E'), "{number}");
        assert_eq!(said.iter().any(|message| message.tag == 'D'), rows, "{number}");
    }
    drop(client);
    database.run("DROP SCHEMA followed CASCADE");
}
