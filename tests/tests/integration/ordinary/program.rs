//! Cases that are programs: psql, pg_dump, scripts of `tests/ordinary/programs`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;

use super::corpus::folder;
use crate::harness::corpus::Login;
use crate::harness::{Database, Said, have_program, have_python, interpreter, pg_dump};

/// A program, run to its end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    /// `psql`, `pg_dump`, or a file of `tests/ordinary/programs`.
    run: String,
    #[serde(default)]
    arguments: Vec<String>,
    /// Its standard input.
    #[serde(default)]
    input: String,
}

impl Program {
    /// Whether this machine has what it needs; what is missing is told.
    pub(super) fn can_run(&self, server: &Database) -> bool {
        let can = match self.run.as_str() {
            "psql" => true,
            "pg_dump" => pg_dump(server).is_some(),
            script if script.ends_with(".java") => have_program("javac") && Path::new(PGJDBC).exists(),
            _ => have_python("psycopg, asyncpg, sqlalchemy, django"),
        };
        if !can {
            eprintln!("SKIPPED: what {} needs is missing; tests/setup.sh installs it", self.run);
        }
        can
    }

    /// Runs it as this login; the database's name may stand in its texts as `{database}`.
    pub(super) fn run(&self, server: &Database, login: &Login) -> Said {
        let mut command = self.command(server);
        command.args(self.arguments.iter().map(|argument| argument.replace("{database}", &login.database)));
        command.env_remove("PGOPTIONS").env("PGHOST", &login.host).env("PGPORT", login.port.to_string());
        command.env("PGDATABASE", &login.database).env("PGUSER", &login.user).env("PGPASSWORD", &login.password);
        command.env("PGSSLMODE", "verify-full").envs(login.ca.iter().map(|ca| ("PGSSLROOTCERT", ca)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let text = self.input.replace("{database}", &login.database);
        let writer = std::thread::spawn(move || {
            let _ended = input.write_all(text.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Said { success: output.status.success(), text }
    }

    fn command(&self, server: &Database) -> Command {
        match self.run.as_str() {
            "psql" => {
                let mut psql = Command::new("psql");
                psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]).env("PAGER", "");
                psql
            }
            "pg_dump" => {
                let (program, libpq) = pg_dump(server).unwrap();
                let mut dump = Command::new(program);
                dump.envs(libpq.map(|libpq| ("LD_PRELOAD", libpq)));
                dump
            }
            script if script.ends_with(".java") => {
                let mut java = Command::new("java");
                // Quick to start rather than quick to run.
                java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "--class-path"]);
                java.arg(format!("{PGJDBC}:{}", classes().display())).arg(script.trim_end_matches(".java"));
                java
            }
            script => {
                let mut python = Command::new(interpreter());
                python.arg("-u").arg(folder().join("programs").join(script));
                python
            }
        }
    }
}

/// What the Java programs compile to, once a process.
fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let classes = tempfile::tempdir().unwrap().keep();
        let sources = std::fs::read_dir(folder().join("programs")).unwrap().map(|entry| entry.unwrap().path());
        let sources = sources.filter(|path| path.extension().is_some_and(|extension| extension == "java"));
        Said::by(Command::new("javac").args(["-cp", PGJDBC, "-d"]).arg(&classes).args(sources)).ok();
        classes
    })
}

const PGJDBC: &str = "/usr/share/java/postgresql.jar";
