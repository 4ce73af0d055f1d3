//! Time comes in as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time that evidence claims. A claim of the relay: only log order bounds it.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00Z.
    fn now_us(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> u64 {
        // Before 1970 and after the year 586,000 the clock is broken; 0 says so and verification reports it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(0)
    }
}

/// A clock that never goes back: where the one behind it does, time stands still until that has caught up. What is signed
/// later must not claim an earlier time, nor one before its signer's certificate.
pub(crate) struct Steady {
    clock: Arc<dyn Clock>,
    latest_us: AtomicU64,
}

impl Steady {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, latest_us: AtomicU64::new(0) }
    }
}

impl Clock for Steady {
    fn now_us(&self) -> u64 {
        let now_us = self.clock.now_us();
        self.latest_us.fetch_max(now_us, Ordering::Relaxed).max(now_us)
    }
}
