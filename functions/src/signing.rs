//! What functions work with that sign a statement of their own about an environment, and store it.

use std::fmt;
use std::sync::Arc;

use schemas::identifiers::Name;
use seams::{EvidenceStore, Keys, Retention};

/// Keys to sign with, the store that keeps what is said, and whose environment it is about.
#[derive(Clone)]
pub struct Env {
    /// Sign: each function says with which of them.
    pub keys: Arc<dyn Keys>,
    /// Where the statement is stored, and what it is about is read.
    pub store: Arc<dyn EvidenceStore>,
    /// Whose evidence: of this tenant,
    pub tenant: Name,
    /// in this environment.
    pub environment: Name,
    /// How long the statement cannot be deleted: as long as evidence.
    pub retention: Retention,
    /// Tells the microseconds since 1970.
    pub now_us: Arc<dyn Fn() -> u64 + Send + Sync>,
}

#[cfg(test)]
mod faults;

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("signing::Env");
        debug.field("tenant", &self.tenant).field("environment", &self.environment).finish_non_exhaustive()
    }
}
