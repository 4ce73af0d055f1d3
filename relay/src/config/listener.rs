//! Where clients connect.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

impl Listener {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.tls.is_none() && !self.bind.ip().is_loopback() {
            return Err(format!("{} is not loopback, so `tls` is required: tokens would cross a network", self.bind));
        }
        Ok(())
    }
}

/// Ten thousand at 40 kB each are 400 MB: what a small machine bears.
fn default_max_connections() -> usize {
    10_000
}
