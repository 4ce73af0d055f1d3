//! The throwaway PostgreSQL: one for the whole binary, and one of another version for the clients.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::repository;

/// PostgreSQL with the synthetic clinic. It ends with this process, however that ends: it is held by a pipe.
pub(crate) struct Database {
    environment: BTreeMap<String, String>,
    _held: Child,
}

impl Database {
    /// Starts it at first use.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Database> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&mut Command::new(script())))
    }

    /// PostgreSQL 18, whatever the shared one is, started at first use; `None` where it is not installed.
    pub(crate) fn eighteen() -> Option<&'static Self> {
        static EIGHTEEN: OnceLock<Option<Database>> = OnceLock::new();
        let script = || {
            let mut script = Command::new(script());
            script.env("AFFIDAVIT_TEST_POSTGRES", "18");
            script
        };
        let installed = || script().arg("bindir").output().is_ok_and(|output| output.status.success());
        EIGHTEEN.get_or_init(|| installed().then(|| Self::start(&mut script()))).as_ref()
    }

    /// As the shared one, for a test that looks at all of its definitions and wants nobody else to change them.
    pub(crate) fn alone() -> &'static Self {
        Box::leak(Box::new(Self::start(&mut Command::new(script()))))
    }

    fn start(script: &mut Command) -> Self {
        // Kept, for nobody drops this: `hold` removes it.
        let folder = tempfile::tempdir().unwrap().keep();
        let mut held = script.arg("hold").arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(held.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "tests/postgres.sh could not start PostgreSQL");
        let environment = std::fs::read_to_string(folder.join("env")).unwrap();
        let environment =
            environment.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        Self { environment: environment.collect(), _held: held }
    }

    /// A member of the `env` file that `tests/postgres.sh` describes.
    pub(crate) fn get(&self, name: &str) -> &str {
        &self.environment[name]
    }

    /// One column of values, as the superuser sees them.
    pub(crate) fn values(&self, sql: &str) -> Vec<String> {
        let output = self.psql().args(["--tuples-only", "--no-align", "--command", sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Changes something, as the superuser.
    pub(crate) fn run(&self, sql: &str) {
        let output = self.psql().args(["--quiet", "--set=ON_ERROR_STOP=1", "--command", sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// psql as the superuser, at the database itself.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = self.program("psql");
        psql.arg("--no-psqlrc");
        psql
    }

    /// A program as the superuser, at the database itself.
    pub(crate) fn program(&self, name: impl AsRef<OsStr>) -> Command {
        let mut program = Command::new(name);
        program.stdin(Stdio::null());
        program.envs(self.environment.iter().filter(|(name, _)| name.starts_with("PG")));
        program
    }

    /// What the server wrote down of what it ran.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(Path::new(self.get("SERVER_LOG"))).unwrap()).into_owned()
    }

    /// The first value of the clinic that stands in `text`, if any.
    pub(crate) fn leak_in(&self, text: &str) -> Option<&'static str> {
        let raw = self.raw_values();
        let starts = text.as_bytes().windows(PREFIX).enumerate();
        starts.filter_map(|(at, start)| Some((raw.get(start)?, text.as_bytes().get(at..)?))).find_map(
            |(candidates, rest)| candidates.iter().map(String::as_str).find(|value| rest.starts_with(value.as_bytes())),
        )
    }

    /// Every value that says who a patient is, by its first bytes: results are long and values are many.
    fn raw_values(&self) -> &'static HashMap<Vec<u8>, Vec<String>> {
        static RAW: OnceLock<HashMap<Vec<u8>, Vec<String>>> = OnceLock::new();
        RAW.get_or_init(|| {
            let mut raw: HashMap<Vec<u8>, Vec<String>> = HashMap::new();
            for column in ["ssn", "name", "email", "phone", "mrn"] {
                let values = self.values(&format!("SELECT {column} FROM clinic.patients WHERE {column} IS NOT NULL"));
                assert!(values.len() > 1000, "the clinic is filled");
                for value in values {
                    raw.entry(value.as_bytes()[..PREFIX].to_vec()).or_default().push(value);
                }
            }
            raw
        })
    }

    /// The certificate authority of the server.
    pub(crate) fn ca(&self) -> PathBuf {
        PathBuf::from(self.get("PGSSLROOTCERT"))
    }
}

/// Starts the version that `AFFIDAVIT_TEST_POSTGRES` names, or else the system's.
fn script() -> PathBuf {
    repository().join("tests/postgres.sh")
}

/// No value of the clinic's is shorter.
const PREFIX: usize = 7;
