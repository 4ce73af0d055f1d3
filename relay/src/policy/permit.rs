//! What policy permitted: the only thing a recorder takes.

use bytes::Bytes;
use schemas::event::EventBody;

/// A permitted message. Policy alone makes one.
pub struct Permit {
    /// What goes to the target.
    pub(crate) upstream: Bytes,
    /// Exactly what the client sent; recorded as a frontend data record.
    pub(crate) client: Bytes,
    /// What happened, recorded before the bytes.
    pub(crate) events: Vec<EventBody>,
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit({} bytes upstream, {} events)", self.upstream.len(), self.events.len())
    }
}
