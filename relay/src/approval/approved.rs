//! What a verified decision is worth: one run of exactly what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use schemas::event::EventBody;
use tokio::time::Instant;

use super::asked::Asked;
use super::judge::Decided;
use crate::policy::{Outcome, Permit, Ruling};

/// A decision to approve, verified. Made by [`super::judge`] alone, and not cloned.
pub(crate) struct Approved {
    asked: Arc<Asked>,
    decided: Decided,
}

/// An approval of what still means the same. Made by [`Approved::confirm`] alone, and consumed by running it.
pub(crate) struct Confirmed {
    message: Bytes,
}

/// The one execution of a portal that was bound by approval, which must follow at once; shared by whatever names that
/// portal. A portal can outlive its `Sync` (a `BEGIN` behind it keeps it open), and what was approved to run now, by
/// itself, must not run hours later or amid other statements.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    left: Arc<AtomicBool>,
    until: Instant,
}

impl Approved {
    pub(super) fn new(asked: Arc<Asked>, decided: Decided) -> Self {
        Self { asked, decided }
    }

    /// Who decided, and why.
    pub(crate) fn decided(&self) -> &Decided {
        &self.decided
    }

    /// Looks again, before anything runs: the statement, decided anew over the newest catalog, must still be held, as
    /// the same text over the same objects. `None`: it means something else now.
    pub(crate) fn confirm(self, ruling: &Ruling) -> Option<Confirmed> {
        let same = match &ruling.outcome {
            Outcome::Held { upstream_sql, objects } => {
                upstream_sql == self.asked.text() && objects == self.asked.objects()
            }
            Outcome::Permitted { .. } | Outcome::Refused { .. } => false,
        };
        same.then(|| Confirmed { message: self.asked.message().clone() })
    }
}

impl Confirmed {
    /// The right to send the held message, which is on record already; `events` go on record before it is sent.
    pub(crate) fn permit(self, events: Vec<EventBody>) -> (Permit, Turn) {
        let permit = Permit { upstream: self.message, client: Bytes::new(), events };
        (permit, Turn { left: Arc::new(AtomicBool::new(true)), until: Instant::now() + RUN_WITHIN })
    }
}

impl Turn {
    /// Takes it: the first time, in time, and never again.
    pub(crate) fn take(&self) -> Option<OneRun> {
        let left = self.left.swap(false, Ordering::SeqCst);
        (left && Instant::now() < self.until).then_some(OneRun(()))
    }

    /// Something else came first: nobody takes it any more.
    pub(crate) fn lapse(&self) {
        self.left.store(false, Ordering::SeqCst);
    }
}

/// The right to send one `Execute` of a portal that was bound by approval.
pub(crate) struct OneRun(());

impl OneRun {
    /// The message as the client sent it.
    pub(crate) fn permit(self, client: Bytes, events: Vec<EventBody>) -> Permit {
        Permit { upstream: client.clone(), client, events }
    }
}

/// Drivers send `Execute` with `Bind` or after its answer.
const RUN_WITHIN: Duration = Duration::from_secs(60);
