//! `relay serve` as ECS runs it: its deployment in the environment, its configuration in a bucket, a spool that outlives it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use schemas::digest::Sha256Digest;
use seams::KeyName;
use serde_json::{Value, json};

use super::emulator::REGION;
use super::{Database, Emulator, Lambdas, Programs, Relay, SECRET, repository};

/// What a task of a relay's service is given. Its issuer and its TLS are those of the shared `local`.
#[derive(Clone)]
pub(crate) struct Task {
    folder: Arc<tempfile::TempDir>,
    port: u16,
    bucket: String,
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

/// A running one. It ends with this value, or with this process.
pub(crate) struct Served {
    shell: Child,
    pid: u32,
    log: Arc<Mutex<String>>,
}

impl Task {
    /// Of the relay `r1`, whose certificates the function `certifier` issues. Its configuration is not in its bucket yet.
    pub(crate) async fn new(emulator: &Emulator, lambdas: &Lambdas<'_>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let bucket = emulator.name("configuration");
        emulator.s3().create_bucket().bucket(&bucket).send().await.unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut variables: BTreeMap<String, String> =
            lambdas.variables(&[KeyName::Certificates, KeyName::Approvals], &[]).into_iter().collect();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for (name, value) in [
            ("AFFIDAVIT_KEY_DATA", lambdas.keys.data.clone().unwrap()),
            ("AFFIDAVIT_CERTIFIER", format!("{}:r1", lambdas.arn("certifier"))),
            ("AFFIDAVIT_SCRATCH", path("scratch")),
            ("AFFIDAVIT_HEALTH", "127.0.0.1:0".to_owned()),
            ("AWS_ENDPOINT_URL", emulator.url().to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        let files = files(emulator, port, &path("spool")).await;
        let mut task = Self { folder, port, bucket, variables, files };
        task.configure(emulator, &[]).await;
        task
    }

    /// Puts its configuration under its digest and tells where it is, each of these texts of `relay.toml` by another.
    pub(crate) async fn configure(&mut self, emulator: &Emulator, changes: &[(&str, &str)]) {
        let mut files = self.files.clone();
        let toml = files.get_mut("relay.toml").unwrap();
        for (from, to) in changes {
            assert!(toml.contains(from), "relay.toml has {from}");
            *toml = toml.replace(from, to);
        }
        let digest = Sha256Digest::of(terraform_json(&files).as_bytes());
        for (name, text) in files {
            self.put(emulator, &format!("r1/{digest}/{name}"), &text).await;
        }
        self.set("AFFIDAVIT_CONFIG", &format!("s3://{}/r1/{digest}/", self.bucket));
    }

    /// Puts another file beside its configuration, which nobody told it of.
    pub(crate) async fn slip_in(&self, emulator: &Emulator, name: &str, text: &str) {
        let place = self.variables["AFFIDAVIT_CONFIG"].strip_prefix("s3://").unwrap();
        let (_, prefix) = place.split_once('/').unwrap();
        self.put(emulator, &format!("{prefix}{name}"), text).await;
    }

    async fn put(&self, emulator: &Emulator, key: &str, text: &str) {
        let put = emulator.s3().put_object().bucket(&self.bucket).key(key);
        put.body(text.as_bytes().to_vec().into()).send().await.unwrap();
    }

    /// Gives it another variable; an empty one is none. What it was.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> String {
        self.variables.insert(name.to_owned(), value.to_owned()).unwrap_or_default()
    }

    /// A second task of the same relay: with the first one's spool, and all else its own.
    pub(crate) async fn another(&self, emulator: &Emulator) -> Self {
        let mut task = self.clone();
        task.configure(emulator, &[(&format!("127.0.0.1:{}", self.port), "127.0.0.1:0")]).await;
        task.set("AFFIDAVIT_SCRATCH", self.folder.path().join("another").to_str().unwrap());
        task
    }

    /// The incarnations that have something in its spool.
    pub(crate) fn lives(&self) -> usize {
        let spool = std::fs::read_dir(self.folder.path().join("spool")).unwrap();
        spool.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }

    /// A libpq connection string with a fresh token of the shared issuer's.
    pub(crate) fn connection(&self, name: &str) -> String {
        let (issuer, port) = (Relay::shared(), self.port);
        let (token, ca) = (issuer.token(name), issuer.ca());
        let tls = format!("sslmode=verify-full sslrootcert={}", ca.display());
        format!("host=localhost port={port} dbname=clinic user={name} password={token} {tls} connect_timeout=15")
    }

    /// Starts it, and waits until it serves.
    pub(crate) fn start(&self) -> Served {
        let served = self.launch();
        served.await_log("\"serving\"");
        served
    }

    /// Starts it.
    pub(crate) fn launch(&self) -> Served {
        let mut hold = Command::new(repository().join("tests/hold.sh"));
        hold.arg(Programs::built().executable("relay")).arg("serve").envs(&self.variables);
        let mut shell = hold.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut pid = String::new();
        output.read_line(&mut pid).unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let reader = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let mut log = reader.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Served { shell, pid: pid.trim().parse().unwrap(), log }
    }

    /// Starts what shall not serve; its exit code and what it says of it.
    pub(crate) fn refused(&self) -> (i32, String) {
        let served = self.launch();
        served.await_log("\"ended\"");
        let log = served.log();
        (served.end(), log)
    }
}

impl Served {
    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until this is in its log.
    #[track_caller]
    pub(crate) fn await_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "it does not say {text}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal, `TERM` for SIGTERM.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid.to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end without asking for it; its exit code. All of its log is JSON.
    pub(crate) fn end(mut self) -> i32 {
        let pid = self.pid.to_string();
        let deadline = Instant::now() + PATIENCE;
        while Command::new("kill").args(["-0", &pid]).output().unwrap().status.success() {
            assert!(Instant::now() < deadline, "it goes on:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.shell.stdin.take());
        let code = self.shell.wait().unwrap().code().unwrap();
        for line in self.log().lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"].is_string()), "{line}");
        }
        code
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Its id may be another's by then.
        if matches!(self.shell.try_wait(), Ok(None)) {
            let _gone = Command::new("kill").args(["-KILL", &self.pid.to_string()]).output();
            drop(self.shell.stdin.take());
            let _status = self.shell.wait();
        }
    }
}

/// A new secret; its ARN.
async fn secret(emulator: &Emulator, value: &Value) -> String {
    let create = aws_sdk_secretsmanager::Client::new(&emulator.sdk()).create_secret().name(emulator.name("secret"));
    create.secret_string(value.to_string()).send().await.unwrap().arn.unwrap()
}

/// The demo's policies and classification, for the shared database; what is secret is one of Secrets Manager.
async fn files(emulator: &Emulator, port: u16, spool: &str) -> BTreeMap<String, String> {
    let (local, database) = (Relay::shared(), Database::shared());
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let folder = local.config().parent().unwrap().to_owned();
    let issuer = local.endpoint("issuer");
    let tls = |name: &str| read(folder.join("tls").join(name));
    let tls = secret(emulator, &json!({ "certificate": tls("server.pem"), "key": tls("server.key") })).await;
    let [host, target, name, user, password] =
        ["PGHOST", "PGPORT", "PGDATABASE", "RELAY_USER", "RELAY_PASSWORD_FILE"].map(|name| database.get(name));
    let password = json!({ "username": user, "password": read(password.into()).trim() });
    let password = secret(emulator, &password).await;
    let toml = format!(
        r#"
tenant = "clinic"
environment = "test"
relay = "r1"
policies = "policies"
drain_seconds = 20

[[listener]]
bind = "127.0.0.1:{port}"
tls = {{ secret = "{tls}" }}

[[issuer]]
issuer = "{issuer}"
audience = "affidavit"

[approvals]
audience = "affidavit-console"

[[connection]]
name = "clinic"
host = "{host}"
port = {target}
database = "{name}"
user = "{user}"
password = {{ secret = "{password}" }}
tls = {{ mode = "verify-full-with", ca = "ca/clinic.pem" }}
classification = "classification/clinic.toml"

[evidence]
spool = "{spool}"
retain_days = 1
"#
    );
    BTreeMap::from([
        ("relay.toml".to_owned(), toml),
        ("policies/clinic.cedar".to_owned(), read(folder.join("policies/clinic.cedar"))),
        ("classification/clinic.toml".to_owned(), read(folder.join("classification.toml"))),
        ("ca/clinic.pem".to_owned(), read(database.ca())),
    ])
}

/// As Terraform's `jsonencode`, of what these files have in them.
fn terraform_json(files: &BTreeMap<String, String>) -> String {
    let json = serde_json::to_string(files).unwrap();
    json.replace('<', r"\u003c").replace('>', r"\u003e").replace('&', r"\u0026")
}

/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
