//! Time comes in as an argument.

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
