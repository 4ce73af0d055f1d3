//! A throwaway PostgreSQL with the synthetic clinic, and a profile over it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::raw_values::RawValues;
use relay::catalog::{SNAPSHOT_SQL, Snapshot};
use relay::config::{Classification, Connection};
use relay::policy::{AccessProfile, Context, Footing, Outcome, Own, PolicySet, ProfileError, decide};
use schemas::event::Path;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A running clinic and a session's profile.
pub(crate) struct Clinic {
    /// The relay's login.
    pub(crate) relay: Client,
    /// The owner of everything.
    pub(crate) superuser: Client,
    pub(crate) snapshot: Snapshot,
    pub(crate) profile: AccessProfile,
    server: Arc<Server>,
    search_path: Vec<String>,
}

/// The server ends when its standard input does.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    folder: tempfile::TempDir,
}

/// Says that nothing was tested.
pub(crate) fn skip() {
    eprintln!("SKIPPED: no PostgreSQL server programs on this machine (tests/setup.sh installs them)");
}

impl Clinic {
    /// On the server that the tests share; `None` when the machine has none.
    pub(crate) async fn start() -> Option<Self> {
        static SHARED: OnceLock<Option<Arc<Server>>> = OnceLock::new();
        Self::on(SHARED.get_or_init(|| Server::start(None)).clone()?).await
    }

    /// On a server of its own, for a test that changes definitions.
    pub(crate) async fn alone() -> Option<Self> {
        Self::on(Server::start(None)?).await
    }

    /// The same, of this major version.
    pub(crate) async fn of_version(version: &str) -> Option<Self> {
        Self::on(Server::start(Some(version))?).await
    }

    /// Classified otherwise, over the catalog as it is now.
    pub(crate) async fn classify(&mut self, classification: &str) -> Result<(), String> {
        self.snapshot = snapshot(&self.relay).await;
        self.reclassify(classification)
    }

    /// Classified otherwise, over the same catalog.
    pub(crate) fn reclassify(&mut self, classification: &str) -> Result<(), String> {
        self.profile = profile(&self.snapshot, classification).map_err(|error| error.to_string())?;
        Ok(())
    }

    async fn on(server: Arc<Server>) -> Option<Self> {
        let env = server.env();
        let superuser = connect(&env, "postgres", &secret(&env, "SUPERUSER_PASSWORD_FILE")).await;
        let relay = connect(&env, "affidavit_relay", &secret(&env, "RELAY_PASSWORD_FILE")).await;
        let snapshot = snapshot(&relay).await;
        let profile = profile(&snapshot, CLASSIFICATION).unwrap();
        Some(Self { relay, superuser, snapshot, profile, server, search_path: vec!["public".to_owned()] })
    }

    /// What runs at the target for a client's text.
    pub(crate) fn upstream(&self, sql: &str) -> String {
        match self.decide(sql) {
            Ok(upstream) => upstream,
            Err(message) => panic!("{sql}\nwas refused: {message}"),
        }
    }

    pub(crate) fn decide(&self, sql: &str) -> Result<String, String> {
        let token = |bytes: &[u8]| format!("{:016x}", bytes.len());
        let context = Context {
            profile: &self.profile,
            snapshot: &self.snapshot,
            footing: &Footing::on(&self.search_path),
            own: Own::none(),
            token: &token,
        };
        match decide(&context, Path::Simple, sql, &[]).outcome {
            Outcome::Permitted { upstream_sql } | Outcome::Held { upstream_sql, .. } => Ok(upstream_sql),
            Outcome::Refused { refusal } => Err(refusal.message),
        }
    }

    /// Rows as text, at the relay's login.
    pub(crate) async fn text_rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.relay.simple_query(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        text_rows(&messages)
    }

    /// Every value of every protected column that is long enough to be told from noise.
    pub(crate) async fn raw_values(&self) -> RawValues {
        let sql = "SELECT mrn FROM clinic.patients UNION SELECT name FROM clinic.patients
                   UNION SELECT ssn FROM clinic.patients UNION SELECT email FROM clinic.patients
                   UNION SELECT phone FROM clinic.patients WHERE phone IS NOT NULL
                   UNION SELECT birth_date::text FROM clinic.patients WHERE to_char(birth_date, 'MM-DD') <> '01-01'
                     AND birth_date < '2001-01-01'
                   UNION SELECT notes FROM clinic.visits UNION SELECT code FROM odd.things UNION SELECT body FROM odd.secret_notes";
        let messages = self.superuser.simple_query(sql).await.unwrap();
        RawValues::new(text_rows(&messages).into_iter().flatten().flatten())
    }

    /// What the server wrote down.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(value(&self.server.env(), "SERVER_LOG")).unwrap()).into_owned()
    }

    /// Where psql connects, as environment variables.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = Command::new("psql");
        for line in self.server.env() {
            if let Some((name, value)) = line.split_once('=') {
                psql.env(name, value);
            }
        }
        psql.env("PGUSER", "affidavit_relay").env("PGSSLMODE", "disable");
        psql
    }
}

impl Server {
    /// Of this major version, or of the one that the environment says.
    fn start(version: Option<&str>) -> Option<Arc<Self>> {
        // Two cores: one server is started at a time.
        static STARTING: Mutex<()> = Mutex::new(());
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/postgres.sh");
        let script = || {
            let mut command = Command::new(&script);
            command.envs(version.map(|version| ("AFFIDAVIT_TEST_POSTGRES", version)));
            command
        };
        let found = script().arg("bindir").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut child =
            script().arg("hold").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        let server = Self { input: child.stdin.take(), child, folder };
        server.psql("postgres", &["--command", ODD]);
        Some(Arc::new(server))
    }

    fn psql(&self, user: &str, arguments: &[&str]) {
        let mut psql = Command::new("psql");
        psql.envs(self.env().iter().filter_map(|line| line.split_once('=')));
        let status =
            psql.env("PGUSER", user).args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]).args(arguments).status();
        assert!(status.unwrap().success());
    }

    fn env(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("env")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

fn value<'a>(env: &'a [String], name: &str) -> &'a str {
    env.iter().filter_map(|line| line.split_once('=')).find(|(key, _)| *key == name).unwrap().1
}

fn secret(env: &[String], name: &str) -> String {
    std::fs::read_to_string(value(env, name)).unwrap().trim().to_owned()
}

async fn connect(env: &[String], user: &str, password: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host(value(env, "PGHOST"))
        .port(value(env, "PGPORT").parse().unwrap())
        .dbname(value(env, "PGDATABASE"))
        .user(user)
        .password(password)
        .options("-c search_path=public -c standard_conforming_strings=on");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Tests beside this one drop what the query may just look at: it is asked again then, as the relay does.
async fn snapshot(client: &Client) -> Snapshot {
    let mut reads = 1;
    let messages = loop {
        match client.simple_query(SNAPSHOT_SQL).await {
            // "Could not open relation with OID".
            Err(error) if reads < 10 && error.code() == Some(&SqlState::INTERNAL_ERROR) => reads += 1,
            answer => break answer.unwrap(),
        }
    };
    let rows = text_rows(&messages);
    Snapshot::from_json(rows[0][0].as_deref().unwrap()).unwrap()
}

pub(crate) fn text_rows(messages: &[SimpleQueryMessage]) -> Vec<Vec<Option<String>>> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()),
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}

fn profile(snapshot: &Snapshot, classification: &str) -> Result<AccessProfile, ProfileError> {
    let policies =
        "permit(principal in Group::\"analysts\", action in [Action::\"connect\", Action::\"select\"], resource);
        permit(principal, action in [Action::\"insert\", Action::\"update\"], resource in Schema::\"clinic/lab\");";
    let policies = PolicySet::from_texts(&[("test.cedar".to_owned(), policies.to_owned())]).unwrap();
    let principal = identity::Principal {
        kind: identity::Kind::User,
        issuer: "https://idp.example".to_owned(),
        subject: "u1".to_owned(),
        name: "Ada".to_owned(),
        groups: vec!["analysts".to_owned()],
        expires_at: 4_000_000_000,
        acts_for: None,
    };
    let connection: Connection = toml::from_str(
        "name = 'clinic'\nhost = 'localhost'\ndatabase = 'clinic'\nuser = 'relay'\npassword = { file = 'p' }\n\
         classification = 'c.toml'\ntls = { mode = 'disable' }",
    )
    .unwrap();
    let classification: Classification = toml::from_str(classification).unwrap();
    policies.profile(&principal, &connection, &classification, snapshot)
}

const CLASSIFICATION: &str = r#"
[[table]]
name = "clinic.patients"
columns = { id = "clear", mrn = "redact", name = "redact", ssn = "last4", birth_date = "year", zip = "zip3", email = "redact", registered_on = "clear" }
[[table]]
name = "clinic.visits"
columns = { id = "clear", patient_id = "clear", visited_on = "clear", department = "clear", reason = "clear" }
[[table]]
name = "odd.things"
columns = { id = "clear", ssn = "last4", short = "last4", fixed = "redact", cased = "redact", born = "year", seen = "year", seen_tz = "year", zip = "zip3", flag = "constant", amount = "constant", label = "constant", document = "constant", uid = "constant", raw = "constant", address = "constant", span = "constant", list = "constant", opened = "constant", opened_at = "constant", tiny = "null" }
[[table]]
name = "odd.secret_notes"
columns = { id = "clear", body = "redact" }
"#;

/// Every type that masks know, and some that they do not.
const ODD: &str = "
CREATE SCHEMA odd;
CREATE TYPE odd.mood AS ENUM ('well', 'ill');
CREATE DOMAIN odd.code AS varchar(20) NOT NULL CHECK (length(VALUE) > 2);
CREATE TABLE odd.things (
    id int PRIMARY KEY, ssn varchar(11), short varchar(9), fixed char(5), cased text COLLATE \"C\", born date,
    seen timestamp(3), seen_tz timestamptz(0), zip varchar(10), flag boolean, amount numeric(6,2), label varchar(3),
    document jsonb, uid uuid, raw bytea, address inet, span interval, list text[], opened date, opened_at timestamptz,
    tiny smallint, mood odd.mood, code odd.code, place point, ident name COLLATE \"POSIX\", bits bit(3));
INSERT INTO odd.things VALUES
    (1, '123-45-6789', '123456789', 'abcde', 'cased-raw-value', '1950-06-07', '2020-02-03 04:05:06', '2020-02-03 04:05:06+00', '02139-1234',
     true, 1234.56, 'abc', '{\"secret\":1}', gen_random_uuid(), 'rawbytes', '10.1.2.3', '3 days', '{secret,list}', '2001-02-03', now(), 7, 'ill',
     'raw-code-one', '(1,2)', 'raw-identifier', '101'),
    (2, '1234567', '1234567', 'x', '', 'infinity', '-infinity', 'infinity', '03699', false, 0, '', '{}', NULL, '', NULL, NULL, NULL,
     '-infinity', NULL, NULL, 'well', 'raw-code-two', NULL, NULL, NULL),
    (3, NULL, NULL, NULL, NULL, '5874897-12-31', '294276-12-31 23:59:59', '4713-01-01 00:00:00+00 BC', 'x1', NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'raw-code-three', NULL, NULL, NULL),
    (4, '12345678', '12345678', NULL, NULL, '4713-01-01 BC', '0001-01-01', '9999-12-31', '94110', NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'raw-code-four', NULL, NULL, NULL),
    (5, '', '', '', '', current_date - 40000, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'raw-code-five', NULL, NULL, NULL);
CREATE TABLE odd.open_notes (id int, body text);
INSERT INTO odd.open_notes VALUES (1, 'nothing special');
CREATE TABLE odd.secret_notes (id int, body text);
INSERT INTO odd.secret_notes VALUES (1, 'a-secret-that-nobody-reads');
CREATE VIEW odd.contacts AS SELECT id, name, email AS mail FROM clinic.patients WHERE id < 100;
CREATE VIEW odd.nested AS SELECT c.mail, v.notes FROM odd.contacts c JOIN clinic.visits v ON v.patient_id = c.id;
CREATE VIEW odd.barrier WITH (security_barrier) AS SELECT id, name FROM clinic.patients;
CREATE VIEW odd.sly AS SELECT query_to_xml('SELECT name FROM clinic.patients', true, true, '') AS x;
CREATE MATERIALIZED VIEW odd.stored AS SELECT id, name AS n FROM clinic.patients;
CREATE FUNCTION odd.leak(int) RETURNS text LANGUAGE sql AS 'SELECT name FROM clinic.patients WHERE id = $1';
CREATE VIEW odd.opaque AS SELECT odd.leak(id) AS x FROM billing.payers;
GRANT USAGE ON SCHEMA odd TO affidavit_relay;
GRANT SELECT ON ALL TABLES IN SCHEMA odd TO affidavit_relay;
";
