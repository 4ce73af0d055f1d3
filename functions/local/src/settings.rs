//! `local.toml`, and `endpoints.toml` beside it: where things listen.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::folder::Folder;
use crate::write::{self, Readers};

/// `local.toml`: what stands in for what a customer brings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the issuer listens: loopback; port 0 takes a free one.
    pub issuer: SocketAddr,
    /// The console.
    #[serde(default)]
    pub console: Console,
    /// Minutes that a certificate of the relay is valid, 1 to 10080; it gets another one in half of that time.
    #[serde(default = "default_certificate_minutes")]
    pub certificate_minutes: u64,
    /// Where the relay answers `GET /ready` and `GET /metrics`: loopback; port 0 takes a free one. Nowhere without it.
    #[serde(default)]
    pub health: Option<SocketAddr>,
}

/// Where the console listens, and who may do what there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// Loopback; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Groups that see requests for approval and decide on them. The relay's policy has the last word.
    pub approvers: Vec<String>,
    /// Groups that see requests, sessions and bundles.
    pub reviewers: Vec<String>,
}

impl Default for Console {
    fn default() -> Self {
        let groups = || vec!["approvers".to_owned()];
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), approvers: groups(), reviewers: groups() }
    }
}

/// `endpoints.toml`: where a running `local` really is. It exists exactly while everything serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// `host:port` of the relay; the host is a name its certificate has.
    pub relay: String,
    /// The issuer's URL.
    pub issuer: String,
    /// The console's URL.
    pub console: String,
    /// URL of the relay's health, if `local.toml` has an address for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// PEM file to check the relay's certificate against.
    pub ca: String,
    /// Process that serves.
    pub pid: u32,
}

impl Settings {
    /// How long a certificate of the relay is valid.
    #[must_use]
    pub fn certificate(&self) -> Duration {
        Duration::from_secs(self.certificate_minutes.saturating_mul(60))
    }

    /// Reads `local.toml`.
    ///
    /// # Errors
    /// [`Error`], naming the file and what was expected.
    pub fn read(folder: &Folder) -> Result<Self, Error> {
        let path = folder.settings();
        let text = std::fs::read_to_string(&path).map_err(|source| Error::read(&path, source))?;
        let settings: Self = toml::from_str(&text).map_err(|error| Error::content(&path, error))?;
        let health = settings.health.map(|address| ("health", address));
        let all = [("issuer", settings.issuer), ("console.listen", settings.console.listen)].into_iter().chain(health);
        for (name, address) in all {
            if !address.ip().is_loopback() {
                let problem = format!("{name}: expected a loopback address, for it speaks without TLS");
                return Err(Error::content(&path, problem));
            }
        }
        Ok(settings)
    }
}

impl Endpoints {
    /// Reads `endpoints.toml`; nothing when no `local` serves from this folder.
    ///
    /// # Errors
    /// [`Error`], naming the file.
    pub fn read(folder: &Folder) -> Result<Option<Self>, Error> {
        let path = folder.endpoints();
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map(Some).map_err(|error| Error::content(&path, error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::read(&path, source)),
        }
    }

    /// Writes `endpoints.toml`, whole.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, folder: &Folder) -> Result<(), Error> {
        let path = folder.endpoints();
        let text = toml::to_string(self).map_err(|error| Error::content(&path, error))?;
        write::replace(&path, text.as_bytes(), Readers::All)
    }

    /// Removes `endpoints.toml`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove(folder: &Folder) -> Result<(), Error> {
        let path = folder.endpoints();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Write { path, source: error }),
            _ => Ok(()),
        }
    }
}

/// A day.
fn default_certificate_minutes() -> u64 {
    24 * 60
}
