//! What one client meets: a relay of its own, a schema of its own to write in, and a judge of the evidence afterwards.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Database, Relay, Said};

/// One client's relay and schema.
pub(crate) struct World {
    database: &'static Database,
    relay: Relay,
    /// What it needs to connect, by the names of libpq's variables.
    settings: Vec<(&'static str, String)>,
    /// The client's name, and its schema's.
    name: &'static str,
    /// Statements that its driver sends before it says its name: in the target's log they are nobody's.
    nameless: u64,
}

/// What the evidence says of all sessions of one client.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Executions of permitted statements.
    pub(crate) executed: u64,
    /// Statements refused by the relay.
    pub(crate) refused: u64,
}

impl World {
    /// A schema `name` with one table of many types, which engineers may read, write and change through the relay.
    pub(crate) fn new(database: &'static Database, name: &'static str) -> Self {
        Self::with(database, name, "SELECT")
    }

    /// The same with more in it, which exists before the relay starts.
    pub(crate) fn with(database: &'static Database, name: &'static str, more: &str) -> Self {
        database.run(&SCHEMA.replace("{{name}}", name));
        database.run(more);
        let relay = Relay::before(database, &POLICY.replace("{{name}}", name));
        let (host, port) = relay.address();
        let settings = vec![
            ("PGHOST", host),
            ("PGPORT", port.to_string()),
            ("PGDATABASE", "clinic".to_owned()),
            ("PGUSER", "alice".to_owned()),
            ("PGPASSWORD", relay.token("alice")),
            ("PGSSLMODE", "verify-full".to_owned()),
            ("PGSSLROOTCERT", relay.ca().display().to_string()),
            ("PGAPPNAME", application(name)),
        ];
        Self { database, relay, settings, name, nameless: 0 }
    }

    /// This client's driver sends some statements, unasked, before it says its name.
    pub(crate) fn with_nameless(self, nameless: u64) -> Self {
        Self { nameless, ..self }
    }

    /// A program with what it needs to connect in libpq's variables, as alice.
    pub(crate) fn client(&self, program: impl AsRef<OsStr>) -> Command {
        let mut client = Command::new(program);
        client.stdin(Stdio::null()).env_remove("PGOPTIONS");
        client.envs(self.settings.iter().map(|(name, value)| (name, value)));
        client
    }

    /// One of libpq's variables, for a client that runs in this process.
    pub(crate) fn setting(&self, name: &str) -> &str {
        &self.settings.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Runs a client to its end, which must be a good one; what it printed holds nobody of the clinic.
    #[track_caller]
    pub(crate) fn run(&self, client: &mut Command) -> String {
        let said = Said::by(client).ok();
        self.names_nobody(&said);
        said
    }

    /// What a client was shown holds nobody of the clinic.
    #[track_caller]
    pub(crate) fn names_nobody(&self, said: &str) {
        assert_eq!(self.database.leak_in(said), None, "{said}");
    }

    /// Stops the relay. Its evidence verifies as a whole, every session was closed by its client, and what it was sent
    /// and refused is in it, no more and no less; the target's own log has as many executions.
    #[track_caller]
    pub(crate) fn answers_for(mut self, sent: &Account) {
        self.relay.stop();
        let verdict: Value = serde_json::from_str(&self.relay.verify_json(&self.relay.evidence()).ok()).unwrap();
        assert_eq!(verdict["report"]["findings"], serde_json::json!([]));
        let exported: Value = serde_json::from_str(&self.relay.events()).unwrap();
        let mut account = Account::default();
        for session in exported["sessions"].as_array().unwrap() {
            assert_eq!(session["close_reason"], "client-terminated", "{}", session["session"]);
            let name = session["details"]["client_application"].as_str().unwrap();
            assert!(name == application(self.name) || (name.is_empty() && self.nameless > 0), "{name}");
            session["statements"].as_array().unwrap().iter().for_each(|statement| account.add(statement));
        }
        account.executed -= self.nameless;
        let ran = self.ran();
        let same = account.executed == ran.len() as u64 && account == *sent;
        let (count, ran) = (ran.len(), ran.join("\n"));
        let told =
            exported["sessions"].as_array().unwrap().iter().flat_map(|one| one["statements"].as_array().unwrap());
        let told: Vec<String> =
            told.map(|one| format!("{} {} {}", one["executions"], one["outcome"], one["text"])).collect();
        let told = told.join("\n");
        assert!(same, "the client sent {sent:?}, in evidence is {account:?}:\n{told}\nthe target ran {count}:\n{ran}");
    }

    /// What the target's log says that it ran for this client.
    fn ran(&self) -> Vec<String> {
        Self::ran_as(self.database, &application(self.name))
    }

    /// What the target's log says that it ran for a client of this name with the relay's login.
    pub(crate) fn ran_as(database: &Database, application: &str) -> Vec<String> {
        let by = format!("affidavit_relay@clinic {application} LOG:  ");
        let log = database.log();
        let said = log.lines().filter_map(|line| line.split_once(&by)).map(|(_, said)| said);
        said.filter(|said| said.starts_with("statement: ") || said.starts_with("execute ")).map(str::to_owned).collect()
    }
}

/// Nobody else's: other tests' psql calls itself that.
fn application(name: &str) -> String {
    format!("client-{name}")
}

impl Account {
    fn add(&mut self, statement: &Value) {
        match statement["decision"]["outcome"].as_str() {
            // It came behind one that failed, its own Bind perhaps: the target never ran it.
            Some("permitted") if statement["outcome"] == "skipped" => {}
            Some("permitted") => self.executed += statement["executions"].as_u64().unwrap(),
            Some("refused") => self.refused += 1,
            _ => panic!("neither permitted nor refused: {statement:#}"),
        }
    }
}

const SCHEMA: &str = "
    CREATE SCHEMA {{name}} AUTHORIZATION affidavit_relay;
    CREATE TABLE {{name}}.samples (
        id integer PRIMARY KEY, flag boolean, small smallint, big bigint, amount numeric(20, 6), ratio double precision,
        label text, code varchar(12), day date, at timestamptz, span interval, ident uuid, doc jsonb, raw bytea,
        tags text[], numbers integer[], nothing text);
    GRANT SELECT, INSERT, UPDATE, DELETE ON {{name}}.samples TO affidavit_relay";

const POLICY: &str = r#"
    @id("clients-write-their-own")
    permit (
      principal in Group::"engineers",
      action in [Action::"insert", Action::"update", Action::"delete", Action::"ddl"],
      resource in Schema::"clinic/{{name}}"
    );"#;
