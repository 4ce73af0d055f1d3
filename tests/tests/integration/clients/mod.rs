//! Clients as people use them, each on the system's PostgreSQL and on 18: TLS verified in full, a token as password,
//! and afterwards evidence of exactly what the target ran.
//!
//! What a client does is a script in `tests/clients`, or a function here.

mod programs;
mod rust;
mod scripts;
mod world;

use crate::harness::Database;

/// A test for each client and server.
macro_rules! clients {
    ($($place:ident::$client:ident),* $(,)?) => {
        mod on_the_systems_postgresql {
            $(#[test] fn $client() { super::$place::$client(super::Database::shared()); })*
        }
        mod on_postgresql_18 {
            $(#[test] fn $client() {
                match super::Database::eighteen() {
                    Some(database) => super::$place::$client(database),
                    None => eprintln!("SKIPPED: PostgreSQL 18 is missing; tests/setup.sh installs it where npm is"),
                }
            })*
        }
    };
}

clients!(
    programs::pg_dump,
    programs::pgbench,
    programs::psql,
    rust::sqlx,
    rust::tokio_postgres,
    scripts::asyncpg,
    scripts::django,
    scripts::jdbc,
    scripts::node_postgres,
    scripts::psycopg,
    scripts::sqlalchemy,
);
