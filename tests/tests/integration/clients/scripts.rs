//! Drivers and mappers, each by a script in `tests/clients` that checks what it gets and ends with `sent N refused M`.

use std::path::PathBuf;
use std::process::Command;

use super::world::{Account, World};
use crate::harness::{Database, have_program, have_python, interpreter, node_modules, repository};
use crate::skip_without;

pub(super) fn asyncpg(database: &'static Database) {
    skip_without!(have_python("asyncpg"), "asyncpg");
    let world = World::new(database, "asyncpg");
    driver(world, |world| python(world, "asyncpg_driver.py"));
}

pub(super) fn psycopg(database: &'static Database) {
    skip_without!(have_python("psycopg"), "psycopg");
    let world = World::new(database, "psycopg");
    driver(world, |world| python(world, "psycopg_driver.py"));
}

pub(super) fn sqlalchemy(database: &'static Database) {
    skip_without!(have_python("psycopg, sqlalchemy"), "SQLAlchemy");
    let world = World::new(database, "sqlalchemy");
    driver(world, |world| python(world, "sqlalchemy_orm.py"));
}

pub(super) fn django(database: &'static Database) {
    skip_without!(have_python("psycopg, django"), "Django");
    let world = World::new(database, "django");
    driver(world, |world| python(world, "django_orm.py"));
}

pub(super) fn node_postgres(database: &'static Database) {
    skip_without!(have_program("node") && node_modules().join("pg").exists(), "node-postgres");
    let world = World::new(database, "node_postgres");
    driver(world, |world| {
        let mut node = world.client("node");
        node.arg(path("node_postgres.js")).env("NODE_PATH", node_modules());
        node
    });
}

pub(super) fn jdbc(database: &'static Database) {
    let jar = PathBuf::from("/usr/share/java/postgresql.jar");
    skip_without!(have_program("javac") && jar.exists(), "a JDK or libpostgresql-jdbc-java");
    // It sets extra_float_digits, and its name, once it is connected.
    let world = World::new(database, "jdbc").with_nameless(2);
    driver(world, |world| {
        let mut java = world.client("java");
        // Quick to start rather than quick to run.
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "--class-path"]);
        java.arg(&jar).arg(path("Jdbc.java"));
        java
    });
}

/// A file of `tests/clients`.
pub(super) fn path(name: &str) -> PathBuf {
    repository().join("tests/clients").join(name)
}

/// Runs the script, and compares what it says that it sent with the evidence.
fn driver(world: World, command: impl Fn(&World) -> Command) {
    let said = world.run(&mut command(&world));
    let sent =
        said.lines().last().and_then(sent).unwrap_or_else(|| panic!("no `sent N refused M` at the end:\n{said}"));
    world.answers_for(&sent);
}

fn sent(line: &str) -> Option<Account> {
    let (sent, refused) = line.strip_prefix("sent ")?.split_once(" refused ")?;
    let (sent, refused): (u64, u64) = (sent.parse().ok()?, refused.parse().ok()?);
    Some(Account { executed: sent - refused, refused })
}

fn python(world: &World, script: &str) -> Command {
    let mut python = world.client(interpreter());
    python.arg(path(script));
    python
}
