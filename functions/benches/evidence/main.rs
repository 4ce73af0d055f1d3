//! Makes large evidence with the code that makes it in service, for `tests/bench/evidence.sh` to have it verified, and
//! tells how fast chunks are made:
//!
//! ```text
//! cargo bench -p functions --bench evidence -- bundle DIR MEGABYTES   a bundle of that much, which does not compress
//! cargo bench -p functions --bench evidence -- leaves DIR LEAVES      a bundle with a log of so many leaves
//! cargo bench -p functions --bench evidence -- objects DIR SESSIONS   evidence all of whose leaves are there, signed
//! cargo bench -p functions --bench evidence -- seal                   a table
//! ```
//!
//! The first three leave `DIR/bundle` or `DIR/store` and `DIR/root.pem`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark: it has nobody to report to but its reader"
)]

mod deployment;
mod log;
mod sealing;
mod session;

use std::path::Path;

use deployment::{Deployment, Life};
use schemas::period::Period;
use session::Chunk;

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bundle", folder, megabytes] => bundle(Path::new(folder), megabytes.parse().unwrap()).await,
        ["leaves", folder, count] => leaves(Path::new(folder), count.parse().unwrap()).await,
        ["seal"] => sealing::table(),
        ["objects", folder, sessions] => objects(Path::new(folder), sessions.parse().unwrap()).await,
        _ => println!("evidence: bundle, leaves, objects or seal; tests/bench/evidence.sh runs them all"),
    }
}

/// Sessions of many usual chunks, one of chunks as large as segments can be set to, and one as large as a chunk can be.
async fn bundle(folder: &Path, megabytes: u64) {
    let deployment = Deployment::create(folder).await;
    let mut life = Life::start(&deployment).await;
    let mut left = megabytes * MEGABYTE;
    for chunk in [Chunk { statements: 20, bytes: LARGEST }, Chunk { statements: 20_000, bytes: LARGE }] {
        life.session(&[chunk, chunk]).await;
        left = left.saturating_sub(2 * chunk.bytes);
    }
    let usual = [Chunk { statements: 400, bytes: USUAL }; CHUNKS];
    while left > 0 {
        life.session(&usual).await;
        left = left.saturating_sub(USUAL * CHUNKS as u64);
    }
    life.retire().await;
    deployment.seal().await;
    deployment.bundle(ALWAYS).await;
}

/// Two sessions of the period, and so many others that the log has this size.
async fn leaves(folder: &Path, leaves: u64) {
    let deployment = Deployment::create(folder).await;
    let mut life = Life::start(&deployment).await;
    let mut log = log::Log::default();
    log.append(&life.statements());
    for _ in 0..2 {
        life.session(&[Chunk { statements: 400, bytes: 1_000_000 }]).await;
    }
    let period = Period { from_us: 0, to_us: life.now_us() };
    log.append(&life.statements());
    while log.size() + SESSION_LEAVES < leaves {
        let opened = life.open().await;
        log.append(&life.statements());
        let (closed, chunks) = opened.without_chunks(&life, SESSION_LEAVES - 2);
        chunks.into_iter().for_each(|entry| log.push(entry));
        life.close(closed).await;
        log.append(&life.statements());
    }
    life.retire().await;
    log.append(&life.statements());
    log.store(&deployment).await;
    deployment.bundle(period).await;
    println!("{} leaves", log.size());
}

/// As few bytes a leaf as there can be: what is left is signatures, files and memory.
async fn objects(folder: &Path, sessions: u64) {
    let deployment = Deployment::create(folder).await;
    let mut life = Life::start(&deployment).await;
    for _ in 0..sessions {
        life.session(&[Chunk { statements: 1, bytes: 100 }]).await;
    }
    life.retire().await;
    deployment.seal().await;
}

const MEGABYTE: u64 = 1_000_000;
/// The relay's default for a segment, 3 MiB.
const USUAL: u64 = 3 * 1024 * 1024;
const CHUNKS: usize = 20;
/// The largest segment that can be configured, 64 MiB.
const LARGE: u64 = 60 * 1024 * 1024;
/// Close to the limit of what a reader accepts (`schemas::chunk::DECODED_MAX`).
const LARGEST: u64 = 95 * 1024 * 1024;
/// Leaves of a session that lies outside of the period.
const SESSION_LEAVES: u64 = 1000;
const ALWAYS: Period = Period { from_us: 0, to_us: 4_000_000_000_000_000 };
