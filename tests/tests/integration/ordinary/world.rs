//! The databases that the corpus works on: one behind the relay, and two to compare with: a twin of it in which the
//! protected columns are masked, and a plain copy.

use std::fmt::Write as _;
use std::time::Duration;

use super::corpus::{Answer, Case, Corpus, text};
use crate::harness::corpus::{Kept, Login, Place, classification, copy, run, script};
use crate::harness::{Database, Relay};

pub(super) struct World {
    server: &'static Database,
    relay: Relay,
    token: String,
}

impl World {
    /// Fills the databases, then starts the relay: what is there before it starts it knows.
    pub(super) fn made(corpus: &Corpus, server: &'static Database) -> Self {
        // What the plain copy tells of its tables' sizes must stay true.
        server.run("ALTER SYSTEM SET autovacuum = off");
        server.run("SELECT pg_reload_conf()");
        let login = server.get("RELAY_USER");
        server.run(&format!("CREATE DATABASE {BEHIND} OWNER {login}"));
        let psql = || {
            let mut psql = server.psql();
            psql.env("PGUSER", login);
            psql
        };
        script(psql(), BEHIND, &text("schema.sql"));
        let mut setups = String::new();
        for (_, case) in corpus.cases().filter(|(_, case)| is_for(case, server) && !case.setup.is_empty()) {
            writeln!(setups, "\\echo {}\n{}\n;", case.id, case.setup).unwrap();
        }
        script(psql(), BEHIND, &setups);
        for other in [TWIN, PLAIN] {
            copy(server, BEHIND, other);
            server.run(&format!("ALTER DATABASE {other} OWNER TO {login}"));
        }
        script(psql(), TWIN, &text("masks.sql"));
        let relay = Relay::in_front_of(server, BEHIND, |data| {
            let write = |name: &str, text: &str| std::fs::write(data.join(name), text).unwrap();
            write("policies/clinic.cedar", POLICIES);
            write("classification.toml", &classification(&corpus.schema.protects));
            let config = std::fs::read_to_string(data.join("relay.toml")).unwrap();
            let config = config.replace("name = \"clinic\"", &format!("name = \"{BEHIND}\"\nsettings = [\"app\"]"));
            // As PostgreSQL has it where nobody says otherwise.
            write("relay.toml", &config.replace("search_path = [\"public\"]", "search_path = [\"$user\", \"public\"]"));
        });
        let token = relay.token("alice");
        Self { server, relay, token }
    }

    /// Whether it is to be run here, on this version of the server.
    pub(super) fn is_for(&self, case: &Case) -> bool {
        std::env::var(CHOSEN).map_or(true, |chosen| chosen.split(',').any(|chosen| case.id.starts_with(chosen)))
            && is_for(case, self.server)
    }

    /// What the case is compared with.
    pub(super) fn direct(&self, case: &Case) -> Place {
        self.place(Login::of_relay(self.server, if case.structure { PLAIN } else { TWIN }))
    }

    /// Through the relay, as an engineer.
    pub(super) fn relayed(&self) -> Place {
        let (host, port) = self.relay.address();
        let (user, password) = ("alice".to_owned(), self.token.clone());
        self.place(Login { host, port, database: BEHIND.to_owned(), user, password, ca: Some(self.relay.ca()) })
    }

    fn place(&self, client: Login) -> Place {
        let superuser = Login::superuser(self.server, &client.database);
        Place { revealer: client.clone(), client, superuser, staleness: Duration::ZERO }
    }

    pub(super) fn answer(&self, case: &Case, place: &Place, kept: &mut Kept) -> Answer {
        match &case.program {
            Some(program) => Answer::Program(program.run(self.server, &place.client)),
            None => {
                let fill = |text: &str| text.replace("{database}", &place.client.database);
                let steps: Vec<_> = case.steps.iter().map(|step| step.filled(&fill)).collect();
                Answer::Steps(run(&steps, place, kept))
            }
        }
    }
}

fn is_for(case: &Case, server: &Database) -> bool {
    (case.since..=case.until).contains(&server.version())
        && case.program.as_ref().is_none_or(|program| program.can_run(server))
}

/// An engineer may do everything but see what is protected: what fails, fails for the masking's sake.
const POLICIES: &str = r#"
    @id("everything but seeing")
    permit(principal, action in [Action::"connect", Action::"select", Action::"insert", Action::"update",
           Action::"delete", Action::"ddl", Action::"notify", Action::"signal"], resource);
"#;

/// Only cases whose name begins with one of these, with commas between them, are run.
const CHOSEN: &str = "AFFIDAVIT_ORDINARY";

/// Behind the relay. The names are of one length, for programs that print tables.
pub(super) const BEHIND: &str = "realclinic";
pub(super) const TWIN: &str = "twinclinic";
pub(super) const PLAIN: &str = "copyclinic";
