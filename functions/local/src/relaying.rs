//! The relay, as a part of this process.

use std::sync::Arc;

use relay::config::Config;
use seams::{EvidenceStore, Keys};

use crate::error::Error;

/// What the relay is given.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn EvidenceStore>,
    pub(crate) keys: Arc<dyn Keys>,
}
