//! A store that cannot be written.

use std::path::PathBuf;

use super::Relay;

/// The store cannot be written while this lives: where it writes stands a file in place of the folder.
pub(crate) struct Outage {
    incoming: PathBuf,
    aside: PathBuf,
}

impl Outage {
    pub(crate) fn of(relay: &Relay) -> Self {
        let incoming = relay.evidence().join("incoming");
        let aside = relay.evidence().join("incoming-aside");
        std::fs::rename(&incoming, &aside).unwrap();
        std::fs::write(&incoming, "an outage").unwrap();
        Self { incoming, aside }
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        std::fs::remove_file(&self.incoming).unwrap();
        std::fs::rename(&self.aside, &self.incoming).unwrap();
    }
}
