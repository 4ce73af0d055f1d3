//! `local` (issuer, certifier, relay, indexer in one process) in front of the shared database.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{Database, Programs, Said, python, repository};

/// A running `local` with its data. It ends with this value, or with this process: it is held by a pipe.
pub(crate) struct Relay {
    data: Data,
    held: Option<Held>,
}

/// The folder that outlives a `local` process.
struct Data {
    folder: PathBuf,
    /// Absent for the shared one, which nobody drops: its folder is removed when its process ends.
    removed: Option<tempfile::TempDir>,
}

struct Held {
    /// `tests/hold.sh`; ends when its standard input does.
    shell: Child,
    /// The process itself.
    pid: u32,
}

impl Relay {
    /// One for all tests that only ask; started at first use.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Relay> = OnceLock::new();
        SHARED.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap().keep();
            Self::made(Data { folder, removed: None }, Database::shared(), "")
        })
    }

    /// One of its own, for a test that stops or kills it, or that looks at all the evidence.
    pub(crate) fn fresh() -> Self {
        Self::before(Database::shared(), "")
    }

    /// One of its own in front of this database, with these policies beside the demo's.
    pub(crate) fn before(database: &Database, policies: &str) -> Self {
        let removed = tempfile::tempdir().unwrap();
        Self::made(Data { folder: removed.path().to_owned(), removed: Some(removed) }, database, policies)
    }

    /// One of its own that logs in at this database, on the same server, as a superuser; `change` changes the files of
    /// its configuration before it starts.
    pub(crate) fn of_superuser(database: &Database, name: &str, change: impl FnOnce(&Path)) -> Self {
        Self::changed(database, [name, database.get("PGUSER"), database.get("SUPERUSER_PASSWORD_FILE")], change)
    }

    /// The same, with the login that it has elsewhere.
    pub(crate) fn in_front_of(database: &Database, name: &str, change: impl FnOnce(&Path)) -> Self {
        Self::changed(database, [name, database.get("RELAY_USER"), database.get("RELAY_PASSWORD_FILE")], change)
    }

    fn changed(database: &Database, login: [&str; 3], change: impl FnOnce(&Path)) -> Self {
        let removed = tempfile::tempdir().unwrap();
        let data = Data { folder: removed.path().to_owned(), removed: Some(removed) };
        init(&data, database, login);
        change(&data.path());
        let mut relay = Self { data, held: None };
        relay.start();
        relay
    }

    fn made(data: Data, database: &Database, policies: &str) -> Self {
        init(&data, database, ["PGDATABASE", "RELAY_USER", "RELAY_PASSWORD_FILE"].map(|name| database.get(name)));
        if !policies.is_empty() {
            std::fs::write(data.path().join("policies/test.cedar"), policies).unwrap();
        }
        let mut relay = Self { data, held: None };
        relay.start();
        relay
    }

    /// Starts `local` over this data, after [`Self::stop`] or [`Self::kill`].
    pub(crate) fn start(&mut self) {
        let ready = self.data.ready();
        let _absent = std::fs::remove_file(&ready);
        let held = self.launch();
        let deadline = Instant::now() + READY;
        while !ready.exists() {
            assert!(held.runs() && Instant::now() < deadline, "`local up` is not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.held = Some(held);
    }

    /// Starts it and kills it so much later, ready or not.
    pub(crate) fn die_starting(&self, after: Duration) {
        let held = self.launch();
        std::thread::sleep(after);
        held.kill();
    }

    fn launch(&self) -> Held {
        let log = std::fs::File::options().create(true).append(true).open(self.data.log()).unwrap();
        let mut hold = Command::new(repository().join("tests/hold.sh"));
        if self.data.removed.is_none() {
            hold.arg("--then-remove").arg(&self.data.folder);
        }
        let mut shell = hold
            .arg(Programs::built().executable("local"))
            .args(["up", "--data"])
            .arg(self.data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut pid = String::new();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        output.read_line(&mut pid).unwrap();
        // Read to its end by a thread of its own: a full pipe would stop the process.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Held { shell, pid: pid.trim().parse().unwrap() }
    }

    /// One of its own whose configuration is changed before it starts: each text by another.
    pub(crate) fn configured(changes: &[(&str, &str)]) -> Self {
        let mut relay = Self::fresh();
        relay.stop();
        let path = relay.data.path().join("relay.toml");
        let mut config = std::fs::read_to_string(&path).unwrap();
        for (from, to) in changes {
            assert!(config.contains(from), "relay.toml has {from}");
            config = config.replace(from, to);
        }
        std::fs::write(&path, config).unwrap();
        relay.start();
        relay
    }

    /// Puts a line before everything else in a file of its configuration.
    pub(crate) fn prepend(&self, file: &str, line: &str) {
        let path = self.data.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{line}{text}")).unwrap();
    }

    /// `local` with these arguments over this data.
    pub(crate) fn local(&self, arguments: &[&str]) -> Said {
        let mut local = Command::new(Programs::built().executable("local"));
        Said::by(local.args(arguments).arg("--data").arg(self.data.path()))
    }

    /// The life that serves: the newest that started.
    pub(crate) fn incarnation(&self) -> String {
        let relay = self.evidence().join("objects/evidence/demo/local/local");
        let started =
            |life: &PathBuf| std::fs::metadata(life.join("relay-start.json")).and_then(|start| start.modified()).ok();
        let lives = std::fs::read_dir(relay).unwrap().map(|life| life.unwrap().path());
        let newest = lives.max_by_key(started).unwrap();
        newest.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait_for_end(&mut self) {
        let held = self.held.take().unwrap();
        let deadline = Instant::now() + READY;
        while held.runs() {
            assert!(Instant::now() < deadline, "it goes on:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        held.kill();
    }

    /// One of its own that passes cancel requests on to the other.
    pub(crate) fn beside(other: &Relay) -> Self {
        let mut relay = Self::fresh();
        relay.stop();
        let (host, port) = other.address();
        let ca = other.ca();
        let peers = format!("\n[peers]\naddresses = [\"{host}:{port}\"]\nca = \"{}\"\n", ca.display());
        let path = relay.data.path().join("relay.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, config + &peers).unwrap();
        relay.start();
        relay
    }

    /// Asks it to stop (SIGTERM) and waits: after that everything is sealed and stored.
    pub(crate) fn stop(&mut self) {
        self.held.take().unwrap().stop();
    }

    /// Sends a signal, `STOP` for SIGSTOP, to its process.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.held.as_ref().unwrap().pid.to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// SIGKILL: no byte more of it.
    pub(crate) fn kill(&mut self) {
        self.held.take().unwrap().kill();
    }

    /// The most memory that its process has had in use, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.held.as_ref().unwrap().pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// A fresh token from the process's own issuer.
    pub(crate) fn token(&self, name: &str) -> String {
        let mut local = Command::new(Programs::built().executable("local"));
        Said::by(local.args(["token", name, "--data"]).arg(self.data.path())).ok().trim().to_owned()
    }

    /// A libpq connection string with `name`'s fresh token.
    pub(crate) fn connection(&self, name: &str) -> String {
        self.connection_with(name, &self.token(name))
    }

    /// A libpq connection string with any password.
    pub(crate) fn connection_with(&self, name: &str, password: &str) -> String {
        let (host, port) = self.address();
        let ca = self.ca().display().to_string();
        let login = format!("dbname=clinic user={name} password={password}");
        format!("host={host} port={port} {login} sslmode=verify-full sslrootcert={ca} connect_timeout=15")
    }

    /// Host and port that clients connect to.
    pub(crate) fn address(&self) -> (String, u16) {
        let address = self.endpoint("relay");
        let (host, port) = address.rsplit_once(':').unwrap();
        (host.to_owned(), port.parse().unwrap())
    }

    /// psql as `name`: a session of its own for these statements.
    pub(crate) fn psql(&self, name: &str, sql: &[&str]) -> Said {
        psql(&self.connection(name), sql)
    }

    /// psycopg as `name`; the script finds its connection string in `sys.argv[1]`.
    pub(crate) fn psycopg(&self, name: &str, script: &str) -> Said {
        Said::by(&mut python(script, &self.connection(name)))
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.data.path().join("relay.toml")
    }

    /// The certificate that clients check the relay's against.
    pub(crate) fn ca(&self) -> PathBuf {
        self.data.path().join("tls/ca.pem")
    }

    /// The key that the process's own issuer signs tokens with.
    pub(crate) fn issuer_key(&self) -> PathBuf {
        self.data.path().join("issuer.key")
    }

    /// Where evidence is stored.
    pub(crate) fn evidence(&self) -> PathBuf {
        self.data.path().join("evidence")
    }

    /// Where the keys of this installation are.
    pub(crate) fn keys(&self) -> PathBuf {
        self.data.path().join("keys")
    }

    /// `auditor verify` over this evidence, or over a copy of it.
    pub(crate) fn verify(&self, evidence: &Path) -> Said {
        let mut auditor = Command::new(Programs::built().executable("auditor"));
        Said::by(auditor.arg("verify").arg(evidence).arg("--root").arg(self.keys().join("certificates.pub.pem")))
    }

    /// The same, as JSON.
    pub(crate) fn verify_json(&self, evidence: &Path) -> Said {
        let mut auditor = Command::new(Programs::built().executable("auditor"));
        auditor.arg("verify").arg(evidence).arg("--json");
        Said::by(auditor.arg("--root").arg(self.keys().join("certificates.pub.pem")))
    }

    /// `local bundle` of everything so far, in a folder that is gone with this value.
    pub(crate) fn bundle(&self, name: &str) -> PathBuf {
        let path = self.data.folder.join(name);
        let mut local = Command::new(Programs::built().executable("local"));
        Said::by(local.args(["bundle", "--data"]).arg(self.data.path()).arg("--out").arg(&path)).ok();
        path
    }

    /// `local shred` of one session.
    pub(crate) fn shred(&self, session: &str) -> Said {
        let mut local = Command::new(Programs::built().executable("local"));
        Said::by(local.args(["shred", session, "--data"]).arg(self.data.path()))
    }

    /// Where a session's wrapped key is stored.
    pub(crate) fn wrapped_key(&self, session: &str) -> PathBuf {
        let (incarnation, counter) = session.split_once('-').unwrap();
        let file = format!("{incarnation}/{counter}.json");
        let found = self.objects("keys").into_iter().find(|path| path.ends_with(&file));
        found.unwrap_or_else(|| panic!("{session} has no wrapped key"))
    }

    /// All stored chunks, by key.
    pub(crate) fn chunks(&self) -> Vec<PathBuf> {
        let is_chunk = |path: &PathBuf| path.to_string_lossy().contains("/chunk-");
        self.objects("evidence").into_iter().filter(is_chunk).collect()
    }

    fn objects(&self, area: &str) -> Vec<PathBuf> {
        let (mut folders, mut files) = (vec![self.evidence().join("objects").join(area)], Vec::new());
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// `auditor sessions`.
    pub(crate) fn sessions(&self) -> Said {
        let mut auditor = Command::new(Programs::built().executable("auditor"));
        Said::by(auditor.arg("sessions").arg(self.evidence()))
    }

    /// `auditor replay` of one session.
    pub(crate) fn replay(&self, session: &str) -> Said {
        let mut auditor = Command::new(Programs::built().executable("auditor"));
        Said::by(auditor.arg("replay").arg(self.evidence()).arg(session).arg("--keys").arg(self.keys()))
    }

    /// `auditor export --format json`: every statement of every session.
    pub(crate) fn events(&self) -> String {
        let mut auditor = Command::new(Programs::built().executable("auditor"));
        auditor.arg("export").arg(self.evidence()).args(["--format", "json", "--unverified"]);
        Said::by(&mut auditor).ok()
    }

    /// What `local` logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.log()).unwrap_or_default()
    }

    pub(crate) fn endpoint(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.data.path().join("endpoints.toml")).unwrap();
        let value = text.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name);
        value.unwrap_or_else(|| panic!("endpoints.toml has no {name}")).1.trim().trim_matches('"').to_owned()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.kill();
        }
    }
}

impl Data {
    fn path(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Written when it serves.
    fn ready(&self) -> PathBuf {
        self.path().join("endpoints.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Held {
    fn runs(&self) -> bool {
        Command::new("kill").args(["-0", &self.pid.to_string()]).output().unwrap().status.success()
    }

    fn stop(mut self) {
        drop(self.shell.stdin.take());
        let status = self.shell.wait().unwrap();
        assert!(status.success(), "`local` ended with {status}");
    }

    fn kill(mut self) {
        let _gone = Command::new("kill").args(["-KILL", &self.pid.to_string()]).output();
        drop(self.shell.stdin.take());
        let _status = self.shell.wait();
    }
}

/// `local init` for a database of this server, with a login and the file of its password.
fn init(data: &Data, server: &Database, [database, user, password]: [&str; 3]) {
    let said = Said::by(
        Command::new(Programs::built().executable("local"))
            .arg("init")
            .arg("--data")
            .arg(data.path())
            .args(["--target-host", server.get("PGHOST"), "--target-port", server.get("PGPORT")])
            .args(["--target-database", database, "--target-user", user, "--target-password-file", password])
            .arg("--target-ca")
            .arg(server.ca()),
    );
    said.ok();
}

/// psql with a connection string, each statement a `Query` of its own, stopping at the first error.
pub(crate) fn psql(connection: &str, sql: &[&str]) -> Said {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose", connection]).stdin(Stdio::null());
    for statement in sql {
        psql.args(["--command", statement]);
    }
    Said::by(&mut psql)
}

/// A debug build on a busy machine.
const READY: Duration = Duration::from_secs(60);
