//! PostgreSQL's own programs.

use super::world::{Account, World};
use crate::harness::Database;
use crate::skip_without;

pub(super) fn psql(database: &'static Database) {
    let world = World::new(database, "psql");
    let mut psql = world.client("psql");
    psql.args(["--no-psqlrc", "--echo-hidden", "--set=ON_ERROR_STOP=1", "--file"])
        .arg(super::scripts::path("psql.sql"));
    let said = world.run(&mut psql);
    for line in ["visits 6000", "rolled back 0", "kept 1", "states 42501 22012 42P01", "fetched 3", "done"] {
        assert!(said.lines().any(|it| it == line), "{line} is missing in:\n{said}");
    }
    assert!(said.contains("mrn|text||not null|"), "\\d works: {said}");
    // What its backslash commands ask differs by version, and is told by itself.
    let hidden = said.matches("* QUERY *").count() as u64;
    assert!(hidden > 5, "{said}");
    world.answers_for(&Account { executed: 16 + hidden, refused: 2 });
}

pub(super) fn pgbench(database: &'static Database) {
    skip_without!(crate::harness::have_program("pgbench"), "pgbench");
    let world = World::new(database, "pgbench");
    for protocol in ["simple", "extended", "prepared"] {
        let mut pgbench = world.client("pgbench");
        pgbench.args(["--no-vacuum", "--client=2", "--transactions=10", "--protocol", protocol, "--file"]);
        let said = world.run(pgbench.arg(super::scripts::path("pgbench.sql")));
        assert!(said.contains("number of transactions actually processed: 20/20"), "{said}");
    }
    // Three runs of two clients, ten times the five statements of the script.
    world.answers_for(&Account { executed: 3 * 2 * 10 * 5, refused: 0 });
}
