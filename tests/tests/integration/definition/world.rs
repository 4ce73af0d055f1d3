//! Two databases for each schema, one with raw rows and one with masked ones, and the relay in front of the first.

use std::collections::BTreeSet;

use super::query;
use super::random::Random;
use super::rows;
use super::schema::{self, Relation, TYPES};
use crate::harness::corpus::{Login, script, try_script};
use crate::harness::{Database, Relay};

/// The schemas of a run.
pub(super) struct World {
    database: &'static Database,
    relay: Relay,
    pub(super) schemas: Vec<Schema>,
}

/// One schema, twice.
pub(super) struct Schema {
    pub(super) seed: u64,
    pub(super) relations: Vec<Relation>,
    /// OIDs of row types: through the relay they are `record`.
    pub(super) row_types: BTreeSet<u32>,
}

impl World {
    /// Makes the databases, then starts the relay.
    pub(super) fn made(database: &'static Database, seeds: &[u64]) -> Self {
        let mut classifications = Vec::new();
        let schemas: Vec<Schema> = seeds.iter().map(|seed| made(database, *seed, &mut classifications)).collect();
        let relay = Relay::of_superuser(database, &raw(seeds[0]), |data| {
            let write = |name: &str, text: &str| std::fs::write(data.join(name), text).unwrap();
            write("policies/clinic.cedar", POLICIES);
            let config = std::fs::read_to_string(data.join("relay.toml")).unwrap();
            let (head, rest) = config.split_at(config.find("[[connection]]").unwrap());
            let (connection, tail) = rest.split_at(rest.find("[evidence]").unwrap());
            let mut all = head.to_owned();
            for (schema, classification) in schemas.iter().zip(&classifications) {
                let name = raw(schema.seed);
                write(&format!("{name}.toml"), classification);
                let own = connection.replace("name = \"clinic\"", &format!("name = \"{name}\""));
                let own = own.replace(&format!("database = \"{}\"", raw(seeds[0])), &format!("database = \"{name}\""));
                all.push_str(&own.replace("classification.toml", &format!("{name}.toml")));
            }
            write("relay.toml", &(all + tail));
        });
        Self { database, relay, schemas }
    }

    /// Through the relay, to the raw rows.
    pub(super) fn relayed(&self, schema: &Schema) -> Login {
        let (host, port) = self.relay.address();
        let (user, password) = ("alice".to_owned(), self.relay.token("alice"));
        Login { host, port, database: raw(schema.seed), user, password, ca: Some(self.relay.ca()) }
    }

    /// To the masked rows, at the database itself.
    pub(super) fn direct(&self, schema: &Schema) -> Login {
        let password = std::fs::read_to_string(self.database.get("SUPERUSER_PASSWORD_FILE")).unwrap();
        Login {
            host: self.database.get("PGHOST").to_owned(),
            port: self.database.get("PGPORT").parse().unwrap(),
            database: twin(schema.seed),
            user: self.database.get("PGUSER").to_owned(),
            password: password.trim_end().to_owned(),
            ca: Some(self.database.ca()),
        }
    }

    /// What the relay logged, for a failure's message.
    pub(super) fn log(&self) -> String {
        self.relay.log()
    }
}

fn made(database: &Database, seed: u64, classifications: &mut Vec<String>) -> Schema {
    let mut random = Random::new(seed);
    let tables = schema::tables(&mut random);
    let (raw, twin) = (raw(seed), twin(seed));
    let all = |part: fn(&Relation) -> String| tables.iter().map(part).collect::<String>();
    // Of a family the one that the others are made from comes first.
    let mut ordered: Vec<&Relation> = tables.iter().collect();
    ordered.sort_by_key(|table| matches!(table.is, schema::Is::Part { .. } | schema::Is::Child(_)));
    let created: String = ordered.iter().map(|table| table.create()).collect();
    database.run(&format!("CREATE DATABASE \"{raw}\""));
    script(database.psql(), &raw, &format!("{TYPES}{created}"));
    database.run(&format!("CREATE DATABASE \"{twin}\" TEMPLATE \"{raw}\""));
    let (mut own, mut masked) = (String::new(), all(Relation::loosen));
    for table in tables.iter().filter(|table| table.is != schema::Is::Partitioned) {
        let [plain, hidden] = rows::inserts(&mut random, table);
        own.push_str(&plain);
        masked.push_str(&hidden);
    }
    own.push_str(&all(Relation::constrain));
    for (name, sql) in [(&raw, own), (&twin, masked)] {
        script(database.psql(), name, &format!("{sql}ANALYZE;"));
    }
    let views = views(database, &mut random, &tables, [&twin, &raw]);
    classifications.push(all(Relation::classification));
    let row_types = "SELECT oid FROM pg_type WHERE typtype = 'c' AND typrelid >= 16384";
    let of_both = [raw, twin].into_iter().flat_map(|name| values(database, &name, row_types));
    let row_types = of_both.map(|oid| oid.parse().unwrap()).collect();
    Schema { seed, relations: [tables, views].concat(), row_types }
}

/// Those that PostgreSQL takes: the grammar may make one that it does not.
fn views(database: &Database, random: &mut Random, tables: &[Relation], names: [&str; 2]) -> Vec<Relation> {
    let mut views = Vec::new();
    for number in 0..query::VIEWS {
        let (view, definition) = query::view(random, number, tables, &views);
        let made =
            names.map(|name| try_script(database.psql(), name, &format!("SET search_path = app;\n{definition};")));
        match &made {
            [Ok(()), Ok(())] => match as_printed(database, names[0], &view) {
                Ok(()) => views.push(view),
                Err(why) => eprintln!("left out {}: {why}", view.name),
            },
            [Err(one), Err(_)] => eprintln!("left out {}: {one}", view.name),
            _ => panic!("{made:?}: {definition}"),
        }
    }
    views
}

/// Whether PostgreSQL takes what it prints of a view, which is what the relay reads. Of some it does not: it puts casts where its
/// grammar has no place for them, and prints an expression as what it reads as a column's place.
fn as_printed(database: &Database, name: &str, view: &Relation) -> Result<(), String> {
    let again = format!(
        "DO $$ BEGIN EXECUTE 'CREATE TEMP VIEW again AS ' || pg_get_viewdef('{}'::regclass); END $$;",
        view.qualified()
    );
    try_script(database.psql(), name, &again)
}

fn raw(seed: u64) -> String {
    format!("definition-{seed}")
}

fn twin(seed: u64) -> String {
    format!("definition-{seed}-masked")
}

fn values(database: &Database, name: &str, sql: &str) -> Vec<String> {
    let mut psql = database.psql();
    let output = psql.args(["--tuples-only", "--no-align", "--dbname", name, "--command", sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Everything but seeing what is protected.
const POLICIES: &str = r#"
    @id("everything but seeing")
    permit(principal, action in [Action::"connect", Action::"select"], resource);
"#;
