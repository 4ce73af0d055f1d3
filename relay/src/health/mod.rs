//! What a relay tells of itself to whoever runs it: whether it can record (`GET /ready`) and what it has counted
//! (`GET /metrics`). Neither names a person, an object, or anything of a statement.

mod exposition;
mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::counted_store::Puts;
use crate::evidence::{Condition, Incarnations};
use crate::figures::{Figure, Figures};
use crate::tls::ShownCertificate;

pub(crate) use server::HealthServer;

/// A relay as it is seen from outside, from before it begins until after it has ended.
#[derive(Default)]
pub(crate) struct Health {
    /// Nothing until the relay can serve.
    watched: OnceLock<Watched>,
    is_stopping: AtomicBool,
}

/// What is looked at.
pub(crate) struct Watched {
    pub(crate) incarnations: Arc<Incarnations>,
    pub(crate) figures: Vec<Arc<Figures>>,
    pub(crate) puts: Arc<Puts>,
    /// What listeners show to clients.
    pub(crate) certificates: Vec<Arc<ShownCertificate>>,
    /// How often a relay stores something though it is idle.
    pub(crate) heartbeat: Duration,
}

/// Why nobody new should be sent to a relay. Those that it serves may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unready {
    #[error("starting: its life has not begun")]
    Starting,
    #[error("stopping: it takes no new sessions")]
    Stopping,
    #[error("fenced: what it signs is worth nothing, or somebody else writes in its place; see its log")]
    Fenced,
    #[error("its certificate has ended, and it got no other; see its log")]
    CertificateEnded,
    #[error("the spool is full, or nearly: what is recorded cannot be stored")]
    SpoolFull,
    #[error("the evidence store is away: sessions cannot begin")]
    StoreAway,
}

impl Health {
    /// The relay can serve from here on.
    pub(crate) fn watch(&self, watched: Watched) {
        // It begins once.
        let _ = self.watched.set(watched);
    }

    /// It is told to stop.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// Why it is not ready.
    fn ready(&self) -> Result<(), Unready> {
        let Some(watched) = self.watched.get() else { return Err(Unready::Starting) };
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(Unready::Stopping);
        }
        judge(&watched.incarnations.condition(), watched.puts.silence(), watched.heartbeat)
    }
}

impl Watched {
    /// Of all cores together.
    fn sum(&self, of: impl Fn(&Figures) -> &Figure) -> u64 {
        self.figures.iter().fold(0, |sum, figures| sum.saturating_add(of(figures).get()))
    }
}

fn judge(condition: &Condition, silence: Duration, heartbeat: Duration) -> Result<(), Unready> {
    if condition.is_fenced {
        Err(Unready::Fenced)
    } else if condition.now_us >= condition.until_us {
        Err(Unready::CertificateEnded)
    } else if condition.is_spool_nearly_full {
        Err(Unready::SpoolFull)
    } else if silence > heartbeat.saturating_mul(MISSED_HEARTBEATS) {
        Err(Unready::StoreAway)
    } else {
        Ok(())
    }
}

/// A store that is away for one heartbeat may be back for the next; until then sessions are refused one by one, and
/// told why.
const MISSED_HEARTBEATS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Condition {
        Condition {
            is_fenced: false,
            until_us: 2,
            now_us: 1,
            spool_used: 0,
            spool_limit: 1024,
            is_spool_nearly_full: false,
        }
    }

    #[test]
    fn nobody_is_sent_to_a_relay_before_it_can_record() {
        let health = Health::default();
        assert_eq!(health.ready(), Err(Unready::Starting));
    }

    #[test]
    fn each_thing_without_which_nothing_is_recorded_is_a_reason_of_its_own() {
        let judge = |change: fn(&mut Condition), silence| {
            let mut condition = good();
            change(&mut condition);
            judge(&condition, Duration::from_secs(silence), Duration::from_mins(1))
        };
        assert_eq!(judge(|_| {}, 180), Ok(()));
        assert_eq!(judge(|_| {}, 181), Err(Unready::StoreAway));
        assert_eq!(judge(|one| one.is_fenced = true, 0), Err(Unready::Fenced));
        assert_eq!(judge(|one| one.now_us = one.until_us, 0), Err(Unready::CertificateEnded));
        assert_eq!(judge(|one| one.is_spool_nearly_full = true, 0), Err(Unready::SpoolFull));
    }
}
