//! Which executions are done: a bit each, for a session may have millions.

use std::ops::RangeInclusive;

/// A set of execution numbers. Its memory is an eighth of a byte for each number up to the largest, and an execution has an
/// event of its own, so it is bounded by the evidence that was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    words: Vec<u64>,
}

impl Done {
    pub(super) fn insert(&mut self, number: u64) {
        let Ok(place) = usize::try_from(number / BITS) else { return };
        if place >= self.words.len() {
            self.words.resize(place + 1, 0);
        }
        if let Some(word) = self.words.get_mut(place) {
            *word |= bit(number);
        }
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        let word = usize::try_from(number / BITS).ok().and_then(|place| self.words.get(place));
        word.is_some_and(|word| word & bit(number) != 0)
    }

    /// Takes every number of the range out. Its end must be in the set, so that it is no longer than the set is.
    pub(super) fn remove(&mut self, range: RangeInclusive<u64>) {
        for number in range {
            let word = usize::try_from(number / BITS).ok().and_then(|place| self.words.get_mut(place));
            if let Some(word) = word {
                *word &= !bit(number);
            }
        }
    }
}

fn bit(number: u64) -> u64 {
    1 << (number % BITS)
}

const BITS: u64 = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(
            inserted in prop::collection::vec(0..400u64, 0..60),
            removed in prop::collection::vec((0..400u64, 0..100u64), 0..4),
        ) {
            let (mut done, mut model) = (Done::default(), BTreeSet::new());
            for number in inserted {
                done.insert(number);
                model.insert(number);
            }
            for (first, more) in removed {
                done.remove(first..=first + more);
                model.retain(|number| !(first..=first + more).contains(number));
            }
            for number in 0..600 {
                prop_assert_eq!(done.contains(number), model.contains(&number));
            }
        }
    }
}
