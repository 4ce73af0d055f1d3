//! The time a bundle is about.

use serde::{Deserialize, Serialize};

/// A span of time: from its first microsecond up to, and without, its last. By the relays' clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First microsecond, since 1970-01-01T00:00:00Z.
    pub from_us: u64,
    /// First microsecond after it.
    pub to_us: u64,
}

impl Period {
    /// Whether something that went on from `opened_us` to `closed_us`, or has no end yet, touches it.
    #[must_use]
    pub fn overlaps(&self, opened_us: u64, closed_us: Option<u64>) -> bool {
        opened_us < self.to_us && closed_us.is_none_or(|closed| closed >= self.from_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_a_period_overlaps_it() {
        let period = Period { from_us: 10, to_us: 20 };
        for (opened, closed, overlaps) in [
            (0, Some(9), false),
            (0, Some(10), true),
            (0, None, true),
            (19, Some(30), true),
            (20, Some(30), false),
            (20, None, false),
        ] {
            assert_eq!(period.overlaps(opened, closed), overlaps, "{opened} {closed:?}");
        }
    }
}
