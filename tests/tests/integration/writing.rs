//! Writes of relations with protected columns: what clear columns choose is changed and what clients give is stored; and
//! nothing that a client is told, and no clear column afterwards, depends on what masked columns hold.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::approvals::{Pending, said_by};
use crate::harness::{Database, Relay};

#[test]
fn writes_by_clear_columns_are_the_databases_and_return_masks() {
    works(Database::shared());
    if let Some(database) = Database::eighteen() {
        works(database);
    }
}

#[test]
fn nothing_that_is_told_depends_on_what_is_masked() {
    Twins::new(Database::shared(), "told").tell_the_same();
    if let Some(database) = Database::eighteen() {
        Twins::new(database, "told").tell_the_same();
    }
}

#[test]
fn a_held_write_of_a_protected_relation_runs_as_it_was_approved_and_returns_masks() {
    let ward = Ward::new(Database::shared(), "ward_held", VALUES);
    let sql = "WITH u AS (UPDATE ward.letters SET body = 'dear sir' WHERE id = 1 RETURNING id, body) SELECT * FROM u";
    let mut client = Command::new("psql");
    client.args(["--no-psqlrc", "--command", sql, &ward.relay.connection("alice")]);
    let client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pending = Pending::about(&ward.relay, "ward.letters");
    assert!(pending.details.text.contains("SET body = 'dear sir' WHERE id = 1 AND 'ward.letters'::"));
    assert_eq!(ward.rows("SELECT body FROM ward.letters"), "a letter", "nothing ran yet");
    pending.approve();
    let said = said_by(client).ok();
    assert!(said.contains("1 | ***") && !said.contains("sir"), "{said}");
    assert_eq!(ward.rows("SELECT body FROM ward.letters"), "dear sir");
    // A plan changes nothing, so nobody is asked.
    assert!(ward.ok("EXPLAIN UPDATE ward.letters SET body = 'x'").contains("Update on letters"));
    ward.refused("COPY ward.letters FROM STDIN", "needs approval");
}

/// A database with the ward in it, and a relay in front that logs in as a superuser.
struct Ward {
    database: &'static Database,
    name: String,
    relay: Relay,
}

impl Ward {
    /// `values` are expressions over `id` for what is masked.
    fn new(database: &'static Database, name: &str, values: &str) -> Self {
        let name = name.to_owned();
        database.run(&format!("CREATE DATABASE {name}"));
        direct(
            database,
            &name,
            &format!(
                "{SCHEMA}INSERT INTO ward.people SELECT id, (ARRAY['north', 'south'])[1 + id % 2], \
             date '2024-01-01' + id, {values} FROM generate_series(1, 12) AS id;\n{NOTES}"
            ),
        );
        let relay = Relay::of_superuser(database, &name, |data| {
            std::fs::write(data.join("policies/clinic.cedar"), POLICIES).unwrap();
            std::fs::write(data.join("classification.toml"), CLASSIFICATION).unwrap();
        });
        Self { database, name, relay }
    }

    /// What the relay answers to alice, errors included.
    fn told(&self, user: &str, script: &str) -> String {
        psql(&mut Command::new("sh"), &self.relay.connection(user), script)
    }

    /// What the database answers.
    fn direct(&self, script: &str) -> String {
        direct(self.database, &self.name, script)
    }

    /// Rows as the superuser sees them.
    fn rows(&self, sql: &str) -> String {
        let rows = self.direct(&format!("\\pset format unaligned\n\\pset tuples_only on\n{sql};"));
        rows.lines().filter(|line| !line.contains(" is ")).collect::<Vec<_>>().join("\n")
    }

    /// Runs a statement for alice, who is permitted.
    fn ok(&self, sql: &str) -> String {
        let said = self.told("alice", &format!("{sql};"));
        assert!(!said.contains("ERROR"), "{sql}\n{said}");
        said
    }

    /// The relay's reason why it refuses one.
    fn refused(&self, sql: &str, part: &str) {
        let said = self.told("alice", &format!("{sql};"));
        assert!(said.contains("ERROR") && said.contains(part), "{sql} is refused for {part}:\n{said}");
    }
}

fn direct(database: &Database, name: &str, script: &str) -> String {
    let mut shell = database.program("sh");
    psql(&mut shell, &format!("dbname={name}"), script)
}

/// Everything that psql prints, in order.
fn psql(shell: &mut Command, connection: &str, script: &str) -> String {
    let arguments = ["-c", "exec psql --no-psqlrc --set=VERBOSITY=verbose \"$0\" 2>&1", connection];
    let mut psql = shell.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = psql.stdin.take().unwrap();
    let text = script.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = psql.wait_with_output().unwrap();
    let _ended = writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn works(database: &'static Database) {
    let ward = Ward::new(database, "ward_works", VALUES);

    // New rows, with values of the client's own.
    let said = ward.ok("INSERT INTO ward.people (id, room, name, ssn, tags) VALUES (20, 'east', 'Zoe Abbot', '900-20-0020', '{x}') RETURNING id, name, ssn, *");
    assert!(said.contains("***-**-0020") && !said.contains("Zoe"), "{said}");
    assert_eq!(ward.rows("SELECT name, ssn, tags FROM ward.people WHERE id = 20"), "Zoe Abbot|900-20-0020|{x}");
    ward.ok("INSERT INTO ward.notes (id, person, day, body) SELECT 100 + id, id, seen, 'made' FROM ward.people WHERE id < 3");
    assert_eq!(ward.rows("SELECT count(*) FROM ward.notes WHERE body = 'made'"), "2");
    let said =
        ward.told("alice", "\\copy ward.notes (id, person, day, body) FROM STDIN\n200\t1\t2024-05-05\tcopied\n\\.\n");
    assert!(said.contains("COPY 1"), "{said}");

    // The common upsert.
    let upsert = "INSERT INTO ward.people AS p (id, room, name) VALUES (20, 'west', 'Zoe Crane'), (21, 'west', 'Yann Dahl') \
                  ON CONFLICT (id) DO UPDATE SET name = excluded.name, room = p.room RETURNING id, room, name";
    let said = ward.ok(upsert);
    assert!(said.contains("20 | east | ***") && said.contains("21 | west | ***"), "{said}");
    assert_eq!(
        ward.rows("SELECT id, room, name FROM ward.people WHERE id > 19 ORDER BY id"),
        "20|east|Zoe Crane\n21|west|Yann Dahl"
    );

    // Changes by a clear key.
    let said = ward
        .ok("UPDATE ward.people SET name = 'New ' || room, ssn = NULL WHERE id = 1 RETURNING id, name, pay, ssn, room");
    assert!(said.contains("UPDATE 1") && said.contains("***") && !said.contains("New"), "{said}");
    assert_eq!(ward.rows("SELECT name, pay, ssn IS NULL FROM ward.people WHERE id = 1"), "New south|1000|t");
    ward.refused("UPDATE ward.people SET pay = 5 WHERE id = 1", "masked column pay is in an index");
    ward.ok("UPDATE ward.people SET (name, room) = (SELECT label, 'moved' FROM ward.labels WHERE labels.id = people.id) WHERE id = 2");
    assert_eq!(ward.rows("SELECT name, room FROM ward.people WHERE id = 2"), "two|moved");
    ward.ok("UPDATE ward.labels l SET label = p.room FROM ward.people p WHERE p.id = l.id AND p.seen < '2024-01-04'");
    assert_eq!(ward.rows("SELECT label FROM ward.labels ORDER BY id"), "south\nmoved");
    let said = ward.ok("DELETE FROM ward.notes WHERE person = 3 RETURNING *");
    assert!(said.contains("DELETE 2") && said.contains("***"), "{said}");
    assert_eq!(ward.rows("SELECT count(*) FROM ward.notes WHERE person = 3"), "0");

    // MERGE, and writes in common table expressions.
    ward.ok("MERGE INTO ward.people p USING (VALUES (4, 'Merged'), (30, 'Added')) AS n (id, name) ON p.id = n.id \
             WHEN MATCHED THEN UPDATE SET name = n.name WHEN NOT MATCHED THEN INSERT (id, room, name) VALUES (n.id, 'new', n.name)");
    assert_eq!(ward.rows("SELECT name FROM ward.people WHERE id IN (4, 30) ORDER BY id"), "Merged\nAdded");
    let said = ward.ok("WITH u AS (UPDATE ward.people SET room = 'all' WHERE id IN (5, 6) RETURNING id, name) \
                        SELECT u.id, u.name, p.ssn FROM u JOIN ward.people p USING (id) ORDER BY id");
    assert!(said.contains(" 5 | ***  | ***-**-0005") && said.contains("(2 rows)"), "{said}");
    ward.ok("WITH d AS (DELETE FROM ward.notes WHERE person = 5 RETURNING id, day) INSERT INTO ward.labels SELECT id, day::text FROM d");
    assert_eq!(ward.rows("SELECT count(*) FROM ward.labels"), "4");
    ward.ok("INSERT INTO ward.labels SELECT 1000 + id, name FROM ward.people WHERE id = 6");
    assert_eq!(ward.rows("SELECT label FROM ward.labels WHERE id = 1006"), "***");

    // Locks reach the rows below the masks.
    let locked = "BEGIN; SELECT p.id, p.ssn FROM ward.people p JOIN ward.notes n ON n.person = p.id WHERE p.id = 7 FOR NO KEY UPDATE OF p; \
                  \\! true\nSELECT count(*) FROM pg_locks WHERE locktype = 'tuple' OR mode = 'RowShareLock';\nROLLBACK;";
    assert!(ward.told("alice", locked).contains("***-**-0007"), "{}", ward.told("alice", locked));
    locks(&ward);

    // Plans without what follows from values.
    let said = ward.ok("EXPLAIN (COSTS on) UPDATE ward.people SET name = 'x' WHERE id = 1");
    assert!(said.contains("Update on people") && !said.contains("cost="), "{said}");
    assert!(!ward.ok("EXPLAIN SELECT * FROM ward.people WHERE ssn = 'x'").contains("rows="));

    // What is refused, and why; nothing of it happened.
    for (sql, part) in [
        (
            "UPDATE ward.people SET room = 'x' WHERE ssn = '900-07-0007'",
            "masked column must never choose or become rows",
        ),
        ("UPDATE ward.people SET room = name", "masked column must never choose or become rows"),
        ("INSERT INTO ward.people (id, room, badge) VALUES (40, 'x', 'B-7')", "unique index"),
        ("UPDATE ward.people SET badge = 'B-7' WHERE id = 1", "unique index"),
        ("UPDATE ward.people SET seen = '1970-01-01' WHERE id = 7", "CHECK constraint"),
        ("UPDATE ward.people SET id = 70 WHERE id = 7", "an index"),
        ("DELETE FROM ward.notes USING ward.people p WHERE p.id = person AND p.name LIKE 'P%'", "must never choose"),
        ("UPDATE ward.people p SET room = room RETURNING to_jsonb(p)", "whole row"),
    ] {
        ward.refused(sql, part);
    }
    assert_eq!(ward.rows("SELECT count(*) FROM ward.people WHERE room = 'x' OR badge = 'B-7'"), "1");

    if database.version() >= 17 {
        let said = ward.ok(
            "MERGE INTO ward.people p USING ward.labels l ON p.id = l.id WHEN MATCHED THEN UPDATE SET name = l.label \
                            RETURNING merge_action(), p.id, p.name",
        );
        assert!(said.contains("UPDATE") && said.contains("***"), "{said}");
    } else {
        ward.refused(
            "MERGE INTO ward.people p USING ward.labels l ON p.id = l.id WHEN MATCHED THEN DO NOTHING RETURNING p.id",
            "17",
        );
    }
    if database.version() >= 18 {
        let said = ward.ok("UPDATE ward.people SET ssn = '900-99-4321' WHERE id = 8 RETURNING old.ssn, new.ssn");
        assert!(said.contains("***-**-0008 | ***-**-4321"), "{said}");
    }

    // Who may see names may choose patients by them, and no more.
    let said = ward.told("carol", "UPDATE ward.people SET room = 'named' WHERE name = 'Person 9' RETURNING name, ssn;");
    assert!(said.contains("Person 9 | ***-**-0009") && said.contains("UPDATE 1"), "{said}");
    let said = ward.told("carol", "INSERT INTO ward.labels SELECT 2000, name FROM ward.people;");
    assert!(said.contains("revealed to you"), "{said}");
}

/// One session holds rows that it read through masks; another one finds them locked.
fn locks(ward: &Ward) {
    let connection = ward.relay.connection("alice");
    let mut holder = Command::new("psql");
    holder.args(["--no-psqlrc", "--quiet", &connection]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut input = holder.stdin.take().unwrap();
    let mut output = std::io::BufReader::new(holder.stdout.take().unwrap());
    input
        .write_all(b"BEGIN;\nSELECT ssn FROM ward.people p WHERE id = 7 FOR UPDATE OF p NOWAIT;\n\\echo locked\n")
        .unwrap();
    let mut line = String::new();
    while !line.starts_with("locked") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "the holder ended");
    }
    let said = ward.told("alice", "SELECT id FROM ward.people WHERE id = 7 FOR SHARE NOWAIT;");
    assert!(said.contains("55P03"), "{said}");
    let said = ward.told("alice", "SELECT id FROM ward.people WHERE id IN (7, 8) FOR UPDATE SKIP LOCKED;");
    assert!(said.contains("(1 row)"), "{said}");
    drop(input);
    holder.wait().unwrap();
}

/// Two wards that differ in nothing but what is masked, wholly.
struct Twins {
    one: Ward,
    other: Ward,
}

impl Twins {
    fn new(database: &'static Database, name: &str) -> Self {
        let one = Ward::new(database, &format!("{name}_one"), VALUES);
        Self { one, other: Ward::new(database, &format!("{name}_other"), OTHER_VALUES) }
    }

    fn tell_the_same(&self) {
        let statements = statements();
        let script = script(&statements);
        let (one, other) = (self.one.told("alice", &script), self.other.told("alice", &script));
        let (one, other) = (parts(&one), parts(&other));
        assert_eq!(one.len(), statements.len());
        let mut ran = 0;
        for (number, statement) in statements.iter().enumerate() {
            assert_eq!(one[number], other[number], "{statement}\nis answered by what is masked");
            ran += usize::from(!one[number].contains("ERROR"));
        }
        // The statements are such that the database itself would tell, and the relay lets enough of them pass.
        let (one, other) = (self.one.direct(&script), self.other.direct(&script));
        let differ = parts(&one).iter().zip(parts(&other)).filter(|(one, other)| **one != *other).count();
        println!("{} statements: {ran} ran through the relay, {differ} tell at the database", statements.len());
        assert!(differ > statements.len() / 8, "{differ} of {} tell", statements.len());
        assert!(ran > statements.len() / 12, "{ran} of {} ran", statements.len());
    }
}

/// Each statement in a transaction that is undone, with what is clear afterwards.
fn script(statements: &[String]) -> String {
    let mut script = "SET statement_timeout = '20s';\n".to_owned();
    for statement in statements {
        let after = "SELECT id, room, seen FROM ward.people ORDER BY id;\nSELECT id, person, day FROM ward.notes ORDER BY id;\n\
                     SELECT * FROM ward.labels ORDER BY id, label;";
        writeln!(script, "\\echo {MARK}\nBEGIN;\n{statement};\n{after}\nROLLBACK;").unwrap();
    }
    script
}

fn parts(answers: &str) -> Vec<&str> {
    answers.split(MARK).skip(1).collect()
}

/// Statements grown at random out of every place that could hold a reference to a masked column.
fn statements() -> Vec<String> {
    let mut grown = Grown(7);
    (0..700).map(|_| grown.statement()).collect()
}

/// A linear congruential generator: the same statements each time.
struct Grown(u64);

impl Grown {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// A reference, mostly clear.
    fn text(&mut self, row: &str) -> String {
        let column = self.one(&["room", "room", "seen", "id", "ssn", "name", "born", "pay", "badge", "note"]);
        match self.below(20) {
            16 => format!(
                "(SELECT string_agg(x, ',') FROM (SELECT {column}::text AS x FROM ward.people UNION SELECT body FROM ward.notes) u)"
            ),
            17 => format!("(SELECT l.x FROM ward.labels b, LATERAL (SELECT {row}.{column}::text AS x) l LIMIT 1)"),
            18 => format!("(SELECT x::text FROM (SELECT {row}.*) x)"),
            19 => format!("(WITH c AS (SELECT * FROM ward.people) SELECT max(c.{column}::text) FROM c)"),
            0 => format!("to_jsonb({row}) ->> '{column}'"),
            1 => format!("({row}).{column}::text"),
            2 => format!("(SELECT {row}.{column}::text)"),
            3 => format!("(SELECT max({column}::text) FROM ward.people q WHERE q.id = {row}.id)"),
            4 => format!("(SELECT max(body) FROM ward.notes n WHERE n.person = {row}.id)"),
            5 => format!("(SELECT x.{column}::text FROM ward.people x ORDER BY x.{column} LIMIT 1)"),
            6 => format!("{row}.text"),
            7 => "tableoid::regclass::text".to_owned(),
            8 => format!("ROW({row}.*)::text"),
            9..12 => format!("{row}.{column}::text"),
            12 => format!("{row}.room"),
            _ => format!("'{}'", self.one(&["north", "Person 3", "900-03-0003", "B-4", "forbidden", "other"])),
        }
    }

    fn condition(&mut self, row: &str) -> String {
        let guess = self.one(&["Person 3", "900-03-0003", "B-4", "north", "2", "1980-01-04"]);
        match self.below(17) {
            13 => format!(
                "{row}.id IN (SELECT id FROM ward.people GROUP BY id HAVING max({}) > '{guess}')",
                self.one(&["ssn", "room", "name"])
            ),
            14 => format!(
                "{row}.id = ANY (ARRAY(SELECT rank() OVER (ORDER BY {})::int FROM ward.people))",
                self.one(&["pay", "seen"])
            ),
            15 => format!(
                "{row}.id IN (SELECT q.id FROM ward.people q WHERE q.{} IS NOT NULL FOR UPDATE SKIP LOCKED)",
                self.one(&["note", "room"])
            ),
            16 => format!(
                "({row}.id, {row}.room) IN (SELECT id, {} FROM ward.people)",
                self.one(&["room", "name", "ssn"])
            ),
            0 | 9 => format!("{row}.id = {}", 1 + self.below(12)),
            10 => format!("{row} = (SELECT q FROM ward.people q WHERE q.id = 3)"),
            11 => format!(
                "EXISTS (SELECT FROM ward.people q JOIN ward.people r USING ({}) WHERE q.id < r.id AND q.id = {row}.id)",
                self.one(&["ssn", "room", "pay"])
            ),
            12 => format!("EXISTS (SELECT FROM ward.people q NATURAL JOIN ward.notes n WHERE n.person = {row}.id)"),
            1 => format!("{row}.id < 5 AND {} IS NOT NULL", self.text(row)),
            2 => format!("{} LIKE '%{guess}%'", self.text(row)),
            3 => format!("EXISTS (SELECT * FROM ward.people q WHERE q.id = {row}.id AND q.ssn = '{guess}')"),
            4 => {
                format!("{row}.id IN (SELECT person FROM ward.notes WHERE {} > 'a')", self.one(&["body", "day::text"]))
            }
            5 => format!(
                "{row}.id = (SELECT q.id FROM ward.people q ORDER BY {} LIMIT 1)",
                self.one(&["ssn", "pay", "q", "id", "seen"])
            ),
            6 => format!("1 / (CASE WHEN {} = '{guess}' THEN 0 ELSE 1 END) = 1", self.text(row)),
            _ => format!("{row}.room = 'north'"),
        }
    }

    fn assignment(&mut self, row: &str) -> String {
        let column = self.one(&["room", "room", "name", "ssn", "note", "badge"]);
        match self.below(7) {
            0 => format!("seen = date '1970-01-01' + {}", self.below(9000)),
            1 => format!("id = {row}.id + {}", self.below(300)),
            2 => format!("tags[{}] = 'x'", self.below(4)),
            3 => format!("(room, {}) = (SELECT 'x', {})", self.one(&["name", "ssn"]), self.text(row)),
            _ => format!("{column} = {}", self.text(row)),
        }
    }

    fn returning(&mut self, row: &str) -> String {
        match self.below(6) {
            0 => " RETURNING *".to_owned(),
            1 => format!(" RETURNING {row}.*"),
            2 | 3 => format!(" RETURNING {row}.id, {}", self.text(row)),
            4 => format!(" RETURNING {row}, {}.ssn", self.one(&["old", "new", row])),
            _ => String::new(),
        }
    }

    fn write(&mut self) -> String {
        let (condition, returning) = (self.condition("people"), self.returning("people"));
        let text = self.text("people");
        match self.below(10) {
            0 | 1 => format!("UPDATE ward.people SET {} WHERE {condition}{returning}", self.assignment("people")),
            2 => {
                format!("DELETE FROM ward.notes USING ward.people WHERE people.id = person AND {condition}{returning}")
            }
            3 => format!(
                "UPDATE ward.labels SET label = {text} FROM ward.people WHERE people.id = labels.id AND {condition}"
            ),
            4 => format!(
                "UPDATE ward.notes SET body = {text}, day = day + 1 FROM ward.people WHERE people.id = person AND {condition}"
            ),
            5 => format!("DELETE FROM ward.people WHERE {condition}{returning}"),
            6 => {
                let (on, action) = (self.condition("people"), self.assignment("people"));
                format!(
                    "MERGE INTO ward.people USING ward.labels ON labels.id = people.id AND {on} WHEN MATCHED AND {condition} \
                     THEN UPDATE SET {action} WHEN NOT MATCHED THEN INSERT (id, room, name) \
                     VALUES (labels.id + 600, labels.label, {})",
                    self.text("labels")
                )
            }
            _ => self.insert(&condition, &returning),
        }
    }

    fn insert(&mut self, condition: &str, returning: &str) -> String {
        let conflict = match self.below(5) {
            0 => " ON CONFLICT DO NOTHING".to_owned(),
            1 => format!(" ON CONFLICT (id) DO UPDATE SET {}", self.assignment("people")),
            2 => format!(" ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE {condition}"),
            _ => String::new(),
        };
        let (id, from) = (1 + self.below(40), self.one(&["500", "0"]));
        match self.below(4) {
            0 => {
                let badge = self.one(&["B-4", "none"]);
                format!(
                    "INSERT INTO ward.people (id, room, name, badge) VALUES ({id}, 'x', 'y', '{badge}'){conflict}{returning}"
                )
            }
            1 => {
                format!("INSERT INTO ward.people (id, room, name) VALUES ({id}, 'x', 'Person 3'){conflict}{returning}")
            }
            2 => {
                let (room, name) = (self.one(&["q.room", "q.name", "'x'"]), self.text("q"));
                format!(
                    "INSERT INTO ward.people (id, room, name) SELECT q.id + 300, {room}, {name} FROM ward.people q ORDER BY q.id{returning}"
                )
            }
            _ => {
                let onto = self.one(&[
                    "",
                    "",
                    " ON CONFLICT (id) DO NOTHING",
                    " ON CONFLICT (id) DO UPDATE SET label = 'again'",
                ]);
                let label = self.text("people");
                format!(
                    "INSERT INTO ward.labels SELECT {from} + people.id, {label} FROM ward.people WHERE {condition} ORDER BY people.id{onto} RETURNING *"
                )
            }
        }
    }

    fn statement(&mut self) -> String {
        match self.below(8) {
            0 => format!("WITH w AS ({}) SELECT * FROM w", self.write()),
            1 => {
                let read = format!("SELECT id, {} AS x FROM ward.people ORDER BY id", self.text("people"));
                format!(
                    "WITH r AS ({read}), w AS ({}) DELETE FROM ward.labels USING r WHERE labels.id = r.id AND x > 'a' RETURNING r.*",
                    self.write()
                )
            }
            2 | 3 => {
                format!("SELECT id, room FROM ward.people WHERE {} ORDER BY id FOR UPDATE", self.condition("people"))
            }
            4 => format!("{};\n{}", self.write(), self.write()),
            _ => self.write(),
        }
    }
}

const MARK: &str = "=-=-=";

/// `id, room, seen` are clear; `name` shows nothing, `ssn` its end, the others nothing.
const SCHEMA: &str = "
CREATE SCHEMA ward;
CREATE TABLE ward.people (
    id integer PRIMARY KEY, room text NOT NULL, seen date,
    name text NOT NULL, ssn text, born date, pay numeric, badge text UNIQUE, tags text[], note text,
    CHECK (born < seen), CHECK (note <> 'forbidden')
) WITH (autovacuum_enabled = off);
CREATE INDEX ON ward.people ((pay / (id - 1000)));
CREATE TABLE ward.notes (id integer PRIMARY KEY, person integer NOT NULL REFERENCES ward.people, day date NOT NULL, body text)
    WITH (autovacuum_enabled = off);
CREATE TABLE ward.letters (id integer PRIMARY KEY, body text);
INSERT INTO ward.letters VALUES (1, 'a letter');
CREATE TABLE ward.labels (id integer PRIMARY KEY, label text) WITH (autovacuum_enabled = off);
INSERT INTO ward.labels VALUES (1, 'one'), (2, 'two');
";
const NOTES: &str = "
INSERT INTO ward.notes SELECT n, 1 + n % 12, date '2024-02-01' + n, 'note of ' || name || ssn
  FROM generate_series(1, 24) n JOIN ward.people ON people.id = 1 + n % 12;
ANALYZE;
";
const VALUES: &str = "'Person ' || id, '900-' || lpad(id::text, 2, '0') || '-' || lpad(id::text, 4, '0'), \
    date '1980-01-01' + id, 1000 * id, 'B-' || id, ARRAY['t' || id], 'fine ' || id";
/// What masks show of these is the same.
const OTHER_VALUES: &str = "'Human ' || (13 - id), '907-' || lpad((33 - id)::text, 2, '0') || '-' || lpad(id::text, 4, '0'), \
    date '1971-07-07' - id, 77777 - id, 'C-' || (13 - id), CASE WHEN id % 2 = 0 THEN ARRAY['u', 'v', 'w'] END, \
    CASE WHEN id % 3 <> 0 THEN 'good' END";

const CLASSIFICATION: &str = r#"
[[table]]
name = "ward.people"
columns = { id = "clear", room = "clear", seen = "clear", name = "redact", ssn = "last4", born = "null", pay = "null", badge = "redact", tags = "null", note = "redact" }
[[table]]
name = "ward.letters"
columns = { id = "clear", body = "redact" }
[[table]]
name = "ward.notes"
columns = { id = "clear", person = "clear", day = "clear", body = "redact" }
"#;

const POLICIES: &str = r#"
    @id("everything but seeing")
    permit(principal, action in [Action::"connect", Action::"select", Action::"insert", Action::"update",
           Action::"delete"], resource);
    @id("letters are held")
    permit(principal, action == Action::"approve_required", resource == Table::"clinic/ward.letters");
    @id("letters are approved")
    permit(principal in Group::"approvers", action == Action::"approve", resource);
    @id("names")
    permit(principal in Group::"clinicians", action == Action::"reveal", resource == Column::"clinic/ward.people.name");
"#;
