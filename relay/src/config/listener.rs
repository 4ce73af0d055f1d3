//! Where clients connect.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SecretArn;

/// One listening address for the PostgreSQL protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Certificate and key. Without it the listener speaks plaintext, which is accepted on loopback alone.
    pub tls: Option<ListenerTls>,
    /// Connections served at once; further ones are told so and closed.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
}

/// The relay's own certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected { certificate = \"…\", key = \"…\" }, paths of PEM files, or { secret = \"arn:…\" }"
)]
pub enum ListenerTls {
    /// Read when the relay starts.
    Files {
        /// PEM chain, leaf first.
        certificate: PathBuf,
        /// PEM private key.
        key: PathBuf,
    },
    /// The same, as members `certificate` and `key` of a secret's JSON; looked at again while the relay serves.
    Secret {
        /// The secret.
        secret: SecretArn,
    },
}

impl Listener {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.tls.is_none() && !self.bind.ip().is_loopback() {
            return Err(format!("{} is not loopback, so `tls` is required: tokens would cross a network", self.bind));
        }
        Ok(())
    }
}

impl ListenerTls {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        if let Self::Files { certificate, key } = self {
            super::rebase(folder, certificate);
            super::rebase(folder, key);
        }
    }
}

/// Ten thousand at 40 kB each are 400 MB: what a small machine bears.
fn default_max_connections() -> usize {
    10_000
}
