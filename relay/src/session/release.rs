//! What the client gets of a batch of replies, and what the tape: mostly all of it, as it came, without a copy.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Gathers what is released, and what of it goes on record: mostly the same.
#[derive(Default)]
pub(super) struct Release {
    released: Gathered,
    /// Once something is released that stays off the record.
    recorded: Option<Gathered>,
}

/// What a batch of replies becomes.
pub(super) struct Outputs {
    /// For the client.
    pub(super) released: Bytes,
    /// For the tape.
    pub(super) recorded: Bytes,
}

/// Bytes from several places, in order. Messages that pass one after the other stay where they were read.
#[derive(Clone, Default)]
struct Gathered {
    /// What was read last.
    came: Bytes,
    /// The part of `came` that passes and was not gathered yet.
    passing: Range<usize>,
    gathered: BytesMut,
}

impl Release {
    /// The messages that follow lie in `came`.
    pub(super) fn begin(&mut self, came: &Bytes) {
        self.each(|one| one.begin(came));
    }

    /// A message passes as it came.
    pub(super) fn pass(&mut self, message: &[u8]) {
        self.each(|one| one.pass(message));
    }

    /// A message passes as it came, and stays off the record.
    pub(super) fn pass_unrecorded(&mut self, message: &[u8]) {
        self.recorded.get_or_insert_with(|| self.released.clone());
        self.released.pass(message);
    }

    /// Bytes of the relay's own making.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.each(|one| one.put(bytes));
    }

    /// All of it, in order.
    pub(super) fn finish(self) -> Outputs {
        let released = self.released.into_bytes();
        let recorded = self.recorded.map_or_else(|| released.clone(), Gathered::into_bytes);
        Outputs { released, recorded }
    }

    fn each(&mut self, what: impl Fn(&mut Gathered)) {
        what(&mut self.released);
        if let Some(recorded) = &mut self.recorded {
            what(recorded);
        }
    }
}

impl Gathered {
    fn begin(&mut self, came: &Bytes) {
        self.gather();
        self.came = came.clone();
    }

    fn pass(&mut self, message: &[u8]) {
        let start = message.as_ptr().addr().wrapping_sub(self.came.as_ptr().addr());
        let end = start.wrapping_add(message.len());
        if !(start < end && end <= self.came.len()) {
            return self.put(message);
        }
        if self.passing.is_empty() || self.passing.end != start {
            self.gather();
            self.passing.start = start;
        }
        self.passing.end = end;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.gather();
        self.gathered.extend_from_slice(bytes);
    }

    fn into_bytes(mut self) -> Bytes {
        if self.gathered.is_empty() {
            return self.came.slice(self.passing);
        }
        self.gather();
        self.gathered.freeze()
    }

    fn gather(&mut self) {
        let passing = std::mem::take(&mut self.passing);
        self.gathered.extend_from_slice(self.came.get(passing).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_batch_that_passes_whole_is_not_copied() {
        let came = Bytes::from_static(b"onetwothree");
        let mut release = Release::default();
        release.begin(&came);
        for part in [0..3, 3..6, 6..11] {
            release.pass(&came[part]);
        }
        let Outputs { released, recorded } = release.finish();
        for output in [released, recorded] {
            assert_eq!((output.as_ptr(), &output[..]), (came.as_ptr(), &came[..]));
        }
    }

    proptest! {
        #[test]
        fn what_is_released_and_recorded_is_what_passed_and_what_was_put_in_order(
            batches in prop::collection::vec(prop::collection::vec((0..4u8, "[a-z]{0,4}"), 0..6), 0..4),
        ) {
            let (mut release, mut expected, mut on_record) = (Release::default(), String::new(), String::new());
            for batch in batches {
                let text: String = batch.iter().map(|(_, text)| text.as_str()).collect();
                let (came, mut at) = (Bytes::from(text), 0);
                release.begin(&came);
                for (what, text) in batch {
                    let message = &came[at..at + text.len()];
                    at += text.len();
                    match what {
                        0 => continue,
                        1 => release.pass(message),
                        2 => release.pass_unrecorded(message),
                        _ => release.put(text.as_bytes()),
                    }
                    expected.push_str(&text);
                    on_record.push_str(if what == 2 { "" } else { &text });
                }
            }
            let Outputs { released, recorded } = release.finish();
            prop_assert_eq!(released, expected.as_bytes());
            prop_assert_eq!(recorded, on_record.as_bytes());
        }
    }
}
