//! A database with the corpus in it, a copy of it for the attacks' first run, and the relay in front, logged in as a
//! superuser.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::corpus::{Case, Corpus, Own, folder};
use crate::harness::approvals::Pending;
use crate::harness::corpus::{Login, Place, classification, copy, script};
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
        load(corpus, database, &cases);
        let relay = Relay::of_superuser(database, "attacks", |data| {
            let write = |name: &str, text: &str| std::fs::write(data.join(name), text).unwrap();
            let mut policies = POLICIES.to_owned();
            write("classification.toml", &classified(corpus, &cases, SHARED));
            let config = std::fs::read_to_string(data.join("relay.toml")).unwrap();
            let (head, rest) = config.split_at(config.find("[[connection]]").unwrap());
            let (connection, tail) = rest.split_at(rest.find("[evidence]").unwrap());
            let mut all = head.to_owned();
            all.push_str(&connection.replace("name = \"clinic\"", "name = \"attacks\""));
            for name in databases(&cases).iter().filter(|name| *name != SHARED) {
                write(&format!("{name}.toml"), &classified(corpus, &cases, name));
                let one = connection.replace("name = \"clinic\"", &format!("name = \"{name}\""));
                let one = one.replace("database = \"attacks\"", &format!("database = \"{name}\""));
                let one = one.replace("classification.toml", &format!("{name}.toml"));
                match own(corpus, name) {
                    Some(own) => {
                        all.push_str(&set_up(one, own, database));
                        policies.push_str(&storing(name, own));
                    }
                    None => all.push_str(&one),
                }
            }
            write("policies/clinic.cedar", &policies);
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
        let login = Login::superuser(self.database, &format!("{}-direct", name(case)));
        Place { client: login.clone(), revealer: login.clone(), superuser: login, staleness: Duration::ZERO }
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
            client: as_whom("alice", &self.token),
            revealer: as_whom("carol", &self.revealing_token),
            superuser: Login::superuser(self.database, &name(case)),
            staleness: STALENESS,
        }
    }

    /// Approves everything that is held, without a thought, until nobody is left to ask.
    pub(crate) fn approve(&self, over: &Receiver<()>) {
        while over.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            Pending::undecided(&self.relay).iter().for_each(Pending::approve);
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

/// The shared database and the others, each with a copy.
fn load(corpus: &Corpus, database: &Database, cases: &[&Case]) {
    database.run("CREATE DATABASE base");
    script(database.psql(), "base", &std::fs::read_to_string(folder().join("schema.sql")).unwrap());
    for name in databases(cases) {
        copy(database, "base", &name);
        let cases = in_database(cases, &name);
        let cases = cases.iter().filter(|case| !case.setup.is_empty());
        let mut setups = format!("\\set login {}\n", database.get("RELAY_USER"));
        if let Some(own) = own(corpus, &name) {
            writeln!(setups, "\\echo {name}\n{}\n;", own.setup).unwrap();
        }
        cases.for_each(|case| writeln!(setups, "\\echo {}\n{}\n;", case.id, case.setup).unwrap());
        script(database.psql(), &name, &setups);
        copy(database, &name, &format!("{name}-direct"));
    }
}

fn databases(cases: &[&Case]) -> BTreeSet<String> {
    cases.iter().map(|case| name(case)).collect()
}

fn in_database<'a>(cases: &[&'a Case], database: &str) -> Vec<&'a Case> {
    cases.iter().copied().filter(|case| name(case) == database).collect()
}

fn classified(corpus: &Corpus, cases: &[&Case], database: &str) -> String {
    let of_cases = in_database(cases, database).into_iter().flat_map(|case| &case.protects);
    let of_class = own(corpus, database).into_iter().flat_map(|own| &own.protects);
    classification(of_cases.chain(of_class).chain(&corpus.schema.protects))
}

fn name(case: &Case) -> String {
    case.own_database.as_ref().map_or_else(|| SHARED.to_owned(), |name| format!("{OWN}{name}"))
}

fn own<'a>(corpus: &'a Corpus, database: &str) -> Option<&'a Own> {
    corpus.own(database.strip_prefix(OWN)?)
}

/// The relay's connection to a database of a class's own.
fn set_up(mut connection: String, own: &Own, database: &Database) -> String {
    if own.plain_login {
        for (every_right, plain) in [("PGUSER", "RELAY_USER"), ("SUPERUSER_PASSWORD_FILE", "RELAY_PASSWORD_FILE")] {
            let (from, to) = (format!("\"{}\"", database.get(every_right)), format!("\"{}\"", database.get(plain)));
            assert!(connection.contains(&from), "{from} in {connection}");
            connection = connection.replace(&from, &to);
        }
    }
    if !own.detects.is_empty() {
        write!(connection, "[connection.detectors]\nkinds = {:?}\n\n", own.detects).unwrap();
    }
    connection
}

fn storing(connection: &str, own: &Own) -> String {
    let stores = |relation: &String| {
        format!(
            "permit(principal, action == Action::\"write_masks\", resource == Table::\"{connection}/{relation}\");
            permit(principal in Group::\"approvers\", action == Action::\"approve\", resource == \
            Table::\"{connection}/{relation}\") when {{ context.verb == \"write_masks\" }};\n"
        )
    };
    own.stores_masks.iter().map(stores).collect()
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
/// What the names of others begin with.
const OWN: &str = "own-";

/// `relay::access::MAX_AGE`, and a second more.
const STALENESS: Duration = Duration::from_secs(11);
