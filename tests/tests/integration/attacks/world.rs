//! A database with the corpus in it, a copy of it for the attacks' first run, and the relay in front, logged in as a
//! superuser.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use super::client::Login;
use super::corpus::{Case, Corpus, folder};
use super::run::Place;
use crate::harness::{Database, Relay};

/// What a version of the server brings.
pub(crate) struct World {
    database: &'static Database,
    relay: Relay,
    token: String,
    revealing_token: String,
    extensions: Vec<String>,
}

impl World {
    /// Fills the databases, then starts the relay: what is there before it starts it knows.
    pub(crate) fn made(corpus: &Corpus, database: &'static Database) -> Self {
        let extensions = database.values("SELECT name FROM pg_available_extensions");
        let is_for = |case: &&Case| is_for(case, database.version(), &extensions);
        let cases: Vec<&Case> = corpus.cases().map(|(_, case)| case).filter(is_for).collect();
        load(database, &cases);
        let relay = Relay::of_superuser(database, "attacks", |data| {
            let write = |name: &str, text: &str| std::fs::write(data.join(name), text).unwrap();
            write("policies/clinic.cedar", POLICIES);
            write("classification.toml", &classification(corpus, &in_database(&cases, SHARED)));
            let config = std::fs::read_to_string(data.join("relay.toml")).unwrap();
            let (head, rest) = config.split_at(config.find("[[connection]]").unwrap());
            let (connection, tail) = rest.split_at(rest.find("[evidence]").unwrap());
            let mut all = head.to_owned();
            all.push_str(&connection.replace("name = \"clinic\"", "name = \"attacks\""));
            for name in databases(&cases).iter().filter(|name| *name != SHARED) {
                write(&format!("{name}.toml"), &classification(corpus, &in_database(&cases, name)));
                let own = connection.replace("name = \"clinic\"", &format!("name = \"{name}\""));
                let own = own.replace("database = \"attacks\"", &format!("database = \"{name}\""));
                all.push_str(&own.replace("classification.toml", &format!("{name}.toml")));
            }
            write("relay.toml", &(all + tail));
        });
        let (token, revealing_token) = (relay.token("alice"), relay.token("carol"));
        Self { database, relay, token, revealing_token, extensions }
    }

    pub(crate) fn is_for(&self, case: &Case) -> bool {
        is_for(case, self.database.version(), &self.extensions)
    }

    /// The database itself, in a copy that nothing else uses.
    pub(crate) fn direct(&self, case: &Case) -> Place {
        let login = superuser(self.database, &format!("{}-direct", name(case)));
        Place { attacker: login.clone(), revealer: login.clone(), superuser: login, staleness: Duration::ZERO }
    }

    /// Through the relay.
    pub(crate) fn relayed(&self, case: &Case) -> Place {
        let (host, port) = self.relay.address();
        let as_whom = |user: &str, password: &str| Login {
            host: host.clone(),
            port,
            database: name(case),
            user: user.to_owned(),
            password: password.to_owned(),
            ca: Some(self.relay.ca()),
        };
        Place {
            attacker: as_whom("alice", &self.token),
            revealer: as_whom("carol", &self.revealing_token),
            superuser: superuser(self.database, &name(case)),
            staleness: STALENESS,
        }
    }

    /// What the relay logged, for a failure's message.
    pub(crate) fn log(&self) -> String {
        self.relay.log()
    }
}

fn is_for(case: &Case, version: u32, extensions: &[String]) -> bool {
    case.is_for(version) && case.needs.iter().all(|needed| extensions.contains(needed))
}

fn superuser(database: &Database, name: &str) -> Login {
    let password = std::fs::read_to_string(database.get("SUPERUSER_PASSWORD_FILE")).unwrap();
    Login {
        host: database.get("PGHOST").to_owned(),
        port: database.get("PGPORT").parse().unwrap(),
        database: name.to_owned(),
        user: database.get("PGUSER").to_owned(),
        password: password.trim_end().to_owned(),
        ca: Some(database.ca()),
    }
}

/// The shared database and the others, each with a copy.
fn load(database: &Database, cases: &[&Case]) {
    database.run("CREATE DATABASE base");
    psql(database, "base", &std::fs::read_to_string(folder().join("schema.sql")).unwrap());
    for name in databases(cases) {
        copy(database, "base", &name);
        let own = in_database(cases, &name);
        let setups = own.iter().filter(|case| !case.setup.is_empty());
        let setups = setups.map(|case| format!("\\echo {}\n{}\n;\n", case.id, case.setup)).collect::<String>();
        psql(database, &name, &setups);
        copy(database, &name, &format!("{name}-direct"));
    }
}

fn databases(cases: &[&Case]) -> BTreeSet<String> {
    cases.iter().map(|case| name(case)).collect()
}

fn in_database<'a>(cases: &[&'a Case], database: &str) -> Vec<&'a Case> {
    cases.iter().copied().filter(|case| name(case) == database).collect()
}

fn copy(database: &Database, from: &str, to: &str) {
    database.run(&format!("CREATE DATABASE \"{to}\" TEMPLATE \"{from}\""));
}

fn psql(database: &Database, name: &str, sql: &str) {
    let mut psql = database.psql();
    psql.args(["--quiet", "--set=ON_ERROR_STOP=1", "--dbname", name, "--file=-"]).stdin(Stdio::piped());
    let mut psql = psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = psql.stdin.take().unwrap();
    let text = sql.to_owned();
    let writer = std::thread::spawn(move || {
        let _ended = input.write_all(text.as_bytes());
    });
    let output = psql.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let case = said.lines().last().unwrap_or_default();
    assert!(output.status.success(), "set-up of {name}, case {case}: {}", String::from_utf8_lossy(&output.stderr));
}

fn classification(corpus: &Corpus, cases: &[&Case]) -> String {
    let mut text = String::new();
    let protects = cases.iter().flat_map(|case| &case.protects).chain(&corpus.schema.protects);
    for (relation, columns) in protects {
        let columns: Vec<String> = columns.iter().map(|(name, style)| format!("{name} = {style}")).collect();
        writeln!(text, "[[table]]\nname = \"{relation}\"\ncolumns = {{ {} }}", columns.join(", ")).unwrap();
    }
    text
}

fn name(case: &Case) -> String {
    case.own_database.as_ref().map_or_else(|| SHARED.to_owned(), |name| format!("own-{name}"))
}

/// Whoever attacks may do everything but see what is protected: what fails, fails for the masking's sake.
const POLICIES: &str = r#"
    @id("everything but seeing")
    permit(principal, action in [Action::"connect", Action::"select", Action::"insert", Action::"update",
           Action::"delete", Action::"ddl"], resource);
    @id("seeing")
    permit(principal in Group::"clinicians", action == Action::"reveal", resource);
"#;

/// Where all cases are that need no other database.
const SHARED: &str = "attacks";

/// `relay::access::MAX_AGE`, and a second more.
const STALENESS: Duration = Duration::from_secs(11);
