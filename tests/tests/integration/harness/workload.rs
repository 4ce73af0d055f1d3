//! Many clients that ask in ways of their own until the relay dies or ends them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{Database, Said, interpreter, repository};

/// `tests/crash/workload.py`: a process for all rounds.
pub(crate) struct Clients {
    process: Child,
    input: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Clients {
    pub(crate) fn start(marker: &str, table: &str) -> Self {
        let mut process = Command::new(interpreter())
            .arg(repository().join("tests/crash/workload.py"))
            .args([marker, table])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, said) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { input: process.stdin.take(), process, said }
    }

    pub(crate) fn ask(&mut self, round: u32, connection: &str) {
        writeln!(self.input.as_mut().unwrap(), "{round} {connection}").unwrap();
    }

    pub(crate) fn await_answers(&self) {
        assert_eq!(self.said.recv_timeout(PATIENCE).as_deref(), Ok("all were answered"));
    }

    pub(crate) fn await_end(&self) {
        let mut said = String::new();
        while !said.starts_with("over") {
            said = self.said.recv_timeout(PATIENCE).expect("clients notice that the relay is gone");
            assert!(!said.starts_with("failed"), "a client was refused: {said}");
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.input.take());
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// Rows to change, in a table that no other test looks at.
pub(crate) struct Table(&'static str);

impl Table {
    /// `billing.<name>`.
    pub(crate) fn create(name: &'static str) -> Self {
        superuser(&format!(
            "CREATE TABLE billing.{name} (id int, n bigint); \
             INSERT INTO billing.{name} SELECT id, 0 FROM generate_series(1, 3) id; \
             GRANT SELECT, INSERT, UPDATE ON billing.{name} TO affidavit_relay"
        ));
        Self(name)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        superuser(&format!("DROP TABLE billing.{}", self.0));
    }
}

fn superuser(sql: &str) {
    Said::by(Database::shared().psql().args(["--quiet", "--command", sql])).ok();
}

/// Random moments that can be had again.
pub(crate) struct Moments(u64);

impl Moments {
    pub(crate) fn seeded() -> Self {
        let seed = setting("AFFIDAVIT_SEED", std::process::id());
        println!("AFFIDAVIT_SEED={seed}");
        Self::of(u64::from(seed))
    }

    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn within(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(f64::from(self.below(10_000)) / 10_000.0)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(limit)).unwrap()
    }
}

pub(crate) fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

/// Clients are answered and notice a killed peer long before.
const PATIENCE: Duration = Duration::from_secs(60);
