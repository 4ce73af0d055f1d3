//! What the client gets of a batch of replies: mostly all of it, as it came, without a copy.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Gathers what is released. Messages that pass one after the other stay where they were read.
#[derive(Default)]
pub(super) struct Release {
    /// What was read last.
    came: Bytes,
    /// The part of `came` that passes and was not gathered yet.
    passing: Range<usize>,
    gathered: BytesMut,
}

impl Release {
    /// The messages that follow lie in `came`.
    pub(super) fn begin(&mut self, came: &Bytes) {
        self.gather();
        self.came = came.clone();
    }

    /// A message passes as it came.
    pub(super) fn pass(&mut self, message: &[u8]) {
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

    /// Bytes of the relay's own making.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.gather();
        self.gathered.extend_from_slice(bytes);
    }

    /// All of it, in order.
    pub(super) fn into_bytes(mut self) -> Bytes {
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
        let released = release.into_bytes();
        assert_eq!((released.as_ptr(), &released[..]), (came.as_ptr(), &came[..]));
    }

    proptest! {
        #[test]
        fn what_is_released_is_what_passed_and_what_was_put_in_order(
            batches in prop::collection::vec(prop::collection::vec((0..3u8, "[a-z]{0,4}"), 0..6), 0..4),
        ) {
            let (mut release, mut expected) = (Release::default(), String::new());
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
                        _ => release.put(text.as_bytes()),
                    }
                    expected.push_str(&text);
                }
            }
            prop_assert_eq!(release.into_bytes(), expected.as_bytes());
        }
    }
}
