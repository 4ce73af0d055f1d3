//! Remembers the key that a signature verified under, so that another thread can check it before it is asked for.

use std::sync::OnceLock;

use crate::signature::PublicKey;

/// Part of an envelope that is no part of what it says.
#[derive(Clone, Default)]
pub(super) struct Verified(OnceLock<PublicKey>);

impl Verified {
    /// Whether the signature verified under this key before.
    pub(super) fn by(&self, key: &PublicKey) -> bool {
        self.0.get() == Some(key)
    }

    /// The signature verifies under this key. What an envelope holds never changes, so it always will.
    pub(super) fn remember(&self, key: &PublicKey) {
        self.0.get_or_init(|| key.clone());
    }
}

impl PartialEq for Verified {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Verified {}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", if self.0.get().is_some() { "verified" } else { "not verified" })
    }
}
