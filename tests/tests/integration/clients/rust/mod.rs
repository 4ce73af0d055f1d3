//! Drivers in Rust. They run in this process; each counts what it sends.

mod driver;
mod tls;
mod toolkit;

use std::cell::{Cell, RefCell};

use super::world::{Account, World};
use crate::harness::Database;

/// tokio-postgres.
pub(super) fn tokio_postgres(database: &'static Database) {
    let world = World::new(database, "tokio_postgres");
    let tally = Tally::default();
    run(driver::session(&world, &tally));
    tally.account_in(world);
}

/// sqlx.
pub(super) fn sqlx(database: &'static Database) {
    let world = World::new(database, "sqlx");
    let tally = Tally::default();
    run(toolkit::session(&world, &tally));
    tally.account_in(world);
}

/// What was sent and what came back.
#[derive(Default)]
struct Tally {
    sent: Cell<u64>,
    refused: Cell<u64>,
    said: RefCell<String>,
}

impl Tally {
    /// So many executions are asked for now.
    fn sends(&self, count: u64) {
        self.sent.set(self.sent.get() + count);
    }

    /// One of those that were sent the relay has refused.
    fn one_was_refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }

    /// Somebody was shown this.
    fn shows(&self, text: &str) {
        self.said.borrow_mut().push_str(text);
        self.said.borrow_mut().push('\n');
    }

    #[track_caller]
    fn account_in(self, world: World) {
        let said = self.said.into_inner();
        assert!(said.contains("***"), "something masked was read: {said}");
        world.names_nobody(&said);
        world.answers_for(&Account { executed: self.sent.get() - self.refused.get(), refused: self.refused.get() });
    }
}

fn run(session: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(session);
}
