//! The world a test plays in: a PostgreSQL with the clinic, `local` in front of it, clients.

pub(crate) mod approvals;
mod beside;
mod clients;
pub(crate) mod corpus;
mod database;
mod emulator;
mod fault_proxy;
mod function;
pub(crate) mod health;
pub(crate) mod lambdas;
mod outage;
mod programs;
pub(crate) mod raw;
mod relay;
mod served;
pub(crate) mod weather;
pub(crate) mod workload;

use std::path::PathBuf;

pub(crate) use beside::Beside;
pub(crate) use clients::{
    Said, have_program, have_psycopg, have_python, interpreter, node_modules, pg_dump, psycopg, python,
};
pub(crate) use database::Database;
pub(crate) use emulator::{Emulator, SECRET, now_s, store};
pub(crate) use fault_proxy::{Fault, FaultProxy};
pub(crate) use function::{Function, Unanswered};
pub(crate) use lambdas::Lambdas;
pub(crate) use outage::Outage;
pub(crate) use programs::Programs;
pub(crate) use raw::RawClient;
pub(crate) use relay::{Relay, psql};
pub(crate) use served::{Served, Task};

/// The repository's folder.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Leaves a test that lacks a tool, visibly: `tests/setup.sh` installs all of them.
#[macro_export]
macro_rules! skip_without {
    ($have:expr, $what:literal) => {
        if !$have {
            eprintln!("SKIPPED: {} is missing; tests/setup.sh installs it", $what);
            return;
        }
    };
}
