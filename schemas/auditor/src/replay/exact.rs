//! The exact queries and results, decoded from the recorded bytes.

use std::collections::VecDeque;
use std::io::{self, Write};

use schemas::chunk::OpenedChunk;
use schemas::data_block::Direction;
use schemas::session_key::DataKey;
use wire::postgres::Side;
use wire::postgres::transcript::{Entry, Transcript};

/// Opens recorded bytes chunk by chunk, and holds what they tell until its time has come among the events.
pub(super) struct Exact {
    key: DataKey,
    transcript: Transcript,
    /// With the time of the bytes that completed it, microseconds since 1970.
    told: VecDeque<(u64, Entry)>,
}

impl Exact {
    pub(super) fn new(key: DataKey) -> Self {
        Self { key, transcript: Transcript::new(), told: VecDeque::new() }
    }

    /// Takes up a chunk's recorded bytes.
    pub(super) fn read(&mut self, chunk: &OpenedChunk) -> Result<(), schemas::Error> {
        for block in chunk.blocks(&self.key) {
            let block = block?;
            for record in block.records() {
                let record = record?;
                let side = match record.direction {
                    Direction::Frontend => Side::Frontend,
                    Direction::Backend => Side::Backend,
                };
                let entries = self.transcript.feed(side, record.bytes);
                self.told.extend(entries.into_iter().map(|entry| (record.time_us, entry)));
            }
        }
        Ok(())
    }

    /// Chunks are missing before the next one.
    pub(super) fn gap(&mut self) {
        let entries = self.transcript.gap();
        self.told.extend(entries.into_iter().map(|entry| (0, entry)));
    }

    /// Shows what was told before `time_us`.
    pub(super) fn print_before(&mut self, time_us: u64, out: &mut dyn Write) -> io::Result<()> {
        while let Some((_, entry)) = self.told.pop_front_if(|(time, _)| *time < time_us) {
            print(&entry, out)?;
        }
        Ok(())
    }

    /// Shows what is left.
    pub(super) fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        self.told.iter().try_for_each(|(_, entry)| print(entry, out))?;
        self.transcript.finish().iter().try_for_each(|entry| print(entry, out))
    }
}

/// `Entry` escapes what would steer a terminal.
fn print(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    entry.to_string().lines().try_for_each(|line| writeln!(out, "  | {line}"))
}

#[cfg(test)]
mod tests {
    use schemas::chunk::{ChunkBuilder, ChunkHead, Seal};
    use schemas::data_block::DataRecord;
    use schemas::digest::Sha256Digest;
    use schemas::entropy::SystemEntropy;
    use schemas::identifiers::SessionId;
    use schemas::layout::Scope;
    use schemas::session_key::SessionKey;
    use schemas::signature::{P256Key, Signer};

    use super::*;

    fn chunk(key: &SessionKey, records: &[(Direction, u64, &[u8])]) -> OpenedChunk {
        let signer = P256Key::generate().unwrap();
        let name = || "a".parse().unwrap();
        let head = ChunkHead {
            scope: Scope { tenant: name(), environment: name(), relay: name() },
            log_origin: "log".to_owned(),
            session: SessionId { incarnation: signer.public_key().incarnation(), counter: 1 },
            connection: name(),
            sequence: 1,
            prev: Sha256Digest::of(b""),
            first_event: 1,
        };
        let mut chunk = ChunkBuilder::new(head, key, &SystemEntropy).unwrap();
        for (direction, time_us, bytes) in records {
            chunk.push_data(&DataRecord { direction: *direction, time_us: *time_us, bytes }).unwrap();
        }
        schemas::chunk::open(&chunk.finish(&Seal { time_us: 9, last: true }, &signer).unwrap().bytes).unwrap()
    }

    /// `SELECT 1 AS one` and its answer, as PostgreSQL sends it.
    const QUERY: &[u8] = b"Q\0\0\0\x14SELECT 1 AS one\0";
    const ANSWER: &[u8] = b"T\0\0\0\x1c\0\x01one\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0\
        D\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

    #[test]
    fn query_and_result_are_told_when_their_time_has_come() {
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        let chunk = chunk(&key, &[(Direction::Frontend, 5, QUERY), (Direction::Backend, 7, ANSWER)]);
        let mut exact = Exact::new(key.data_key().unwrap());
        exact.read(&chunk).unwrap();
        let mut out = Vec::new();
        exact.print_before(7, &mut out).unwrap();
        assert_eq!(out, b"");
        exact.print_before(8, &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        assert!(told.contains("SELECT 1 AS one") && told.contains("|    1\n"), "{told}");
        assert!(told.contains("(1 row)"), "{told}");
        assert!(told.lines().all(|line| line.starts_with("  | ")), "{told}");
    }

    #[test]
    fn another_sessions_key_opens_nothing() {
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        let other = SessionKey::generate(&SystemEntropy).unwrap();
        let chunk = chunk(&key, &[(Direction::Frontend, 5, QUERY)]);
        assert!(Exact::new(other.data_key().unwrap()).read(&chunk).is_err());
    }
}
