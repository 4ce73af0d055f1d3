//! Bytes that the whole spool may hold.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SpoolError;

/// Counts what is on disk, over all sessions and incarnations, against `spool_bytes`.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    /// Takes `bytes`, or nothing when they would exceed the limit.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), SpoolError> {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(SpoolError::Full { limit: self.limit }),
        }
    }

    /// Takes `bytes` whatever the limit says: for what must be written so that the spool can shrink again
    /// (closing events, sealed chunks) and for what is found on disk at start.
    pub(crate) fn force(&self, bytes: u64) {
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_add(bytes)));
    }

    /// Gives `bytes` back.
    pub(crate) fn release(&self, bytes: u64) {
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(bytes)));
    }

    /// Less than an eighth is left: who can wait should.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.used() > self.limit - self.limit / 8
    }

    /// A quarter is left again.
    pub(crate) fn has_room(&self) -> bool {
        self.used() <= self.limit - self.limit / 4
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_exceed_the_limit_takes_nothing() {
        let budget = Budget::new(10);
        budget.reserve(10).unwrap();
        assert!(matches!(budget.reserve(1), Err(SpoolError::Full { limit: 10 })));
        budget.release(4);
        budget.reserve(4).unwrap();
        assert_eq!(budget.used(), 10);
    }

    #[test]
    fn what_must_be_written_is_counted_beyond_the_limit() {
        let budget = Budget::new(10);
        budget.force(15);
        assert!(budget.reserve(0).is_err());
        budget.release(15);
        budget.reserve(10).unwrap();
    }

    #[test]
    fn who_waits_from_the_last_eighth_on_goes_on_when_a_quarter_is_left() {
        let budget = Budget::new(80);
        budget.reserve(70).unwrap();
        assert!(!budget.is_nearly_full());
        budget.reserve(1).unwrap();
        assert!(budget.is_nearly_full() && !budget.has_room());
        budget.release(10);
        assert!(!budget.is_nearly_full() && !budget.has_room());
        budget.release(1);
        assert!(budget.has_room());
    }
}
