//! What the client sent and received, decoded from the recorded bytes.

use std::collections::VecDeque;

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
            for record in block?.records() {
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

    /// What was told before `time_us`.
    pub(super) fn before(&mut self, time_us: u64) -> Vec<String> {
        let due = std::iter::from_fn(|| self.told.pop_front_if(|(time, _)| *time < time_us));
        due.map(|(_, entry)| entry.to_string()).collect()
    }

    /// What is left.
    pub(super) fn finish(self) -> Vec<String> {
        let rest = self.transcript.finish();
        self.told.into_iter().map(|(_, entry)| entry).chain(rest).map(|entry| entry.to_string()).collect()
    }
}
