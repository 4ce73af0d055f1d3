//! What a verified decision is worth: one run of exactly what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use schemas::event::EventBody;

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

/// The one execution of a portal that was bound by approval; shared by whatever names that portal.
#[derive(Debug, Clone)]
pub(crate) struct Turn(Arc<AtomicBool>);

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
        (permit, Turn(Arc::new(AtomicBool::new(true))))
    }
}

impl Turn {
    /// Takes it: true the first time, and never again.
    pub(crate) fn take(&self) -> Option<OneRun> {
        self.0.swap(false, Ordering::SeqCst).then_some(OneRun(()))
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
