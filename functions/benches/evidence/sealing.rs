//! How fast a segment's records become a chunk, on one core: as the relay gives them to the builder, event texts as they
//! were recorded and protocol bytes in pieces as they were read.

use std::time::{Duration, Instant};

use schemas::chunk::{ChunkBuilder, ChunkHead, Seal};
use schemas::data_block::{DataRecord, Direction};
use schemas::digest::Sha256Digest;
use schemas::entropy::{Entropy, SystemEntropy};
use schemas::event::Event;
use schemas::identifiers::{Name, SessionId};
use schemas::layout::Scope;
use schemas::session_key::SessionKey;
use schemas::signature::{P256Key, Signer};

use crate::session::statement;

/// One row a kind of segment.
pub(crate) fn table() {
    println!("| a segment of 3 MiB holds         | frames MB/s | chunk is |");
    println!("|----------------------------------|------------:|---------:|");
    row("one result of text rows", &Segment::of(1, text_row));
    row("one result that is noise", &Segment::of(1, noise_row));
    row("results of 20 rows of text", &Segment::of(900, text_row));
    row("statements without results", &Segment::of(2800, |_, _| ()));
}

fn row(name: &str, segment: &Segment) {
    let mut stored = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            stored = segment.seal();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let content = segment.content as f64;
    let median = times[times.len() / 2].as_secs_f64();
    println!("| {name:<32} | {:>11.0} | {:>6.0} % |", content / median / 1e6, stored as f64 / content * 100.0);
}

/// Appends the next row to a result.
type Row = fn(u64, &mut Vec<u8>);

struct Segment {
    /// Events as text and protocol bytes, in order.
    records: Vec<(Option<u64>, Vec<u8>)>,
    content: usize,
    key: SessionKey,
    signer: P256Key,
}

impl Segment {
    fn of(statements: u64, row: Row) -> Self {
        let each = SEGMENT / usize::try_from(statements).unwrap();
        let (mut records, mut events) = (Vec::new(), 0);
        for number in 1..=statements {
            for body in statement(number, 2000) {
                events += 1;
                let event = Event { number: events, time_us: number, body };
                records.push((Some(events), schemas::canonical::to_vec(&event).unwrap()));
            }
            let mut result = Vec::new();
            for n in 0.. {
                let before = result.len();
                row(number * 1000 + n, &mut result);
                if result.len() == before || result.len() + EVENTS > each {
                    break;
                }
            }
            records.extend(result.chunks(READ).map(|read| (None, read.to_vec())));
        }
        let content = records.iter().map(|(_, bytes)| bytes.len()).sum();
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        Self { records, content, key, signer: P256Key::generate().unwrap() }
    }

    /// Bytes of the chunk.
    fn seal(&self) -> usize {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let head = ChunkHead {
            scope: Scope { tenant: name("clinic"), environment: name("bench"), relay: name("relay-1") },
            log_origin: "log.test".to_owned(),
            session: SessionId { incarnation: self.signer.public_key().incarnation(), counter: 1 },
            connection: name("clinic"),
            sequence: 1,
            prev: Sha256Digest::of(b""),
            first_event: 1,
        };
        let mut builder = ChunkBuilder::new(head, &self.key, &SystemEntropy).unwrap();
        for (event, bytes) in &self.records {
            match event {
                Some(number) => builder.push_event_text(*number, 1, bytes).unwrap(),
                None => builder.push_data(&DataRecord { direction: Direction::Backend, time_us: 1, bytes }).unwrap(),
            }
        }
        builder.finish(&Seal { time_us: 1, last: false }, &self.signer).unwrap().bytes.len()
    }
}

/// A `DataRow`.
fn message(body: &[u8], result: &mut Vec<u8>) {
    result.push(b'D');
    result.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    result.extend_from_slice(body);
}

fn text_row(n: u64, result: &mut Vec<u8>) {
    let (a, b) = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20, n.wrapping_mul(0xC2B2_AE3D_27D4_EB4F) >> 20);
    let fields = [
        n.to_string(),
        format!("{} {}", NAMES[usize::try_from(a % 16).unwrap()], NAMES[usize::try_from(b % 16).unwrap()]),
        format!("***-**-{:04}", a % 10_000),
        format!("19{:02}-{:02}-{:02}", b % 100, 1 + a % 12, 1 + b % 28),
        format!("{:05}", b % 100_000),
    ];
    let mut body = vec![0, 5];
    for field in fields {
        body.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        body.extend_from_slice(field.as_bytes());
    }
    message(&body, result);
}

fn noise_row(_: u64, result: &mut Vec<u8>) {
    let mut body = vec![0; 1000];
    SystemEntropy.fill(&mut body).unwrap();
    message(&body, result);
}

const NAMES: [&str; 16] = [
    "Ana", "Ben", "Carla", "Dmitri", "Eleni", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Kemal", "Lucia", "Mbali",
    "Noor", "Olga", "Piet",
];
/// The default size of a segment.
const SEGMENT: usize = 3 * 1024 * 1024;
/// What a statement's events take of it.
const EVENTS: usize = 1100;
/// What is read from a target at once.
const READ: usize = 32 * 1024;
const ROUNDS: usize = 60;
