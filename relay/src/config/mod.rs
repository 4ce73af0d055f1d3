//! The relay's configuration: one TOML file, unknown keys refused, every default stated.

mod column_style;
mod connection;
mod detectors;
mod evidence;
mod listener;
mod peers;
mod results;
mod secret;

use std::path::{Path, PathBuf};

use schemas::identifiers::Name;
use serde::Deserialize;

pub use column_style::{ColumnStyle, JsonPaths, Otherwise};
pub use connection::{Classification, ClassifiedTable, Connection, PasswordSource, TargetTls};
pub use detectors::{DetectorKind, DetectorSettings, RecordNumbers, WhenDetected};
pub use evidence::{Evidence, WhenFull};
pub use listener::{Listener, ListenerTls};
pub use peers::{Peer, Peers};
pub use results::Results;
pub use secret::{Authorities, SecretArn};

/// Everything `relay serve` needs to know.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose evidence this is; part of every object key.
    pub tenant: Name,
    /// Such as `production` or `demo`; part of every manifest, so that evidence cannot move between them.
    pub environment: Name,
    /// This relay's name, stable over restarts.
    pub relay: Name,
    /// Where clients connect.
    pub listener: Vec<Listener>,
    /// Who may say who somebody is.
    pub issuer: Vec<Issuer>,
    /// Targets by name; a client chooses one as its database name.
    pub connection: Vec<Connection>,
    /// Folder of `*.cedar` policies; all of them together are the policy set.
    pub policies: PathBuf,
    /// The spool and what leaves it.
    pub evidence: Evidence,
    /// Who approves what is held, and where; without it, what policy holds is refused.
    #[serde(default)]
    pub approvals: Option<Approvals>,
    /// Other relays behind the same address, to which a cancel request goes that is for none of this one's sessions.
    #[serde(default)]
    pub peers: Option<Peers>,
    /// Seconds that sessions may go on after SIGTERM before they are closed.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
}

/// One trusted OpenID Connect issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Exact `iss`; discovery is read from `<issuer>/.well-known/openid-configuration`.
    pub issuer: String,
    /// Required `aud`.
    pub audience: String,
    /// Claim that holds the groups.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
}

/// How held statements get approved.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// `aud` of the approvers' ID tokens: the console's client id at every issuer. None of the issuers' own audiences:
    /// decisions are stored with their tokens, and whoever reads one there must not be able to open a session with it.
    pub audience: String,
    /// The console's URL, told to whoever waits; requests are at `<console>/approvals/<request>`.
    #[serde(default)]
    pub console: Option<String>,
}

/// What is wrong with a configuration, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong shape; the message holds line and column.
    #[error("{path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Well-formed and not acceptable.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field, as a path such as `listener[0].bind`.
        field: String,
        /// What was expected.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`], naming the field and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.resolve_paths(folder);
        config.check()?;
        Ok(config)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        rebase(folder, &mut self.policies);
        rebase(folder, &mut self.evidence.spool);
        for listener in &mut self.listener {
            if let Some(tls) = &mut listener.tls {
                tls.resolve_paths(folder);
            }
        }
        if let Some(peers) = &mut self.peers {
            peers.ca.resolve_paths(folder);
        }
        for connection in &mut self.connection {
            connection.resolve_paths(folder);
        }
    }

    /// The first field that names a secret, or a token in its place, if any does.
    pub(crate) fn first_secret(&self) -> Option<String> {
        let listener = |(index, listener): (usize, &Listener)| {
            matches!(listener.tls, Some(ListenerTls::Secret { .. })).then(|| format!("listener[{index}].tls"))
        };
        let connection = |(index, connection): (usize, &Connection)| {
            let password = &connection.password;
            let asks = matches!(password, PasswordSource::Secret(_) | PasswordSource::RdsIam(_));
            asks.then(|| format!("connection[{index}].password"))
        };
        let peers = self.peers.as_ref().filter(|peers| matches!(peers.ca, Authorities::Secret { .. }));
        let listeners = self.listener.iter().enumerate().find_map(listener);
        listeners
            .or_else(|| self.connection.iter().enumerate().find_map(connection))
            .or_else(|| peers.map(|_| "peers.ca".to_owned()))
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (index, listener) in self.listener.iter().enumerate() {
            listener.check().map_err(|problem| invalid(format!("listener[{index}]"), problem))?;
        }
        for (field, empty) in [
            ("listener", self.listener.is_empty()),
            ("issuer", self.issuer.is_empty()),
            ("connection", self.connection.is_empty()),
        ] {
            if empty {
                return Err(invalid(field.to_owned(), "at least one is needed".to_owned()));
            }
        }
        let audience = self.approvals.as_ref().map(|approvals| &approvals.audience);
        if self.issuer.iter().any(|issuer| Some(&issuer.audience) == audience) {
            let problem =
                "expected another audience than those of the issuers: a stored decision's token would open sessions";
            return Err(invalid("approvals.audience".to_owned(), problem.to_owned()));
        }
        if let Some(peers) = &self.peers {
            peers.check().map_err(|problem| invalid("peers.addresses".to_owned(), problem))?;
        }
        self.evidence.check().map_err(|problem| invalid("evidence".to_owned(), problem))?;
        for (index, connection) in self.connection.iter().enumerate() {
            connection.check().map_err(|problem| invalid(format!("connection[{index}]"), problem))?;
            if self.connection.iter().take(index).any(|earlier| earlier.name == connection.name) {
                return Err(invalid(format!("connection[{index}].name"), "this name is taken already".to_owned()));
            }
        }
        Ok(())
    }
}

fn invalid(field: String, problem: String) -> ConfigError {
    ConfigError::Invalid { field, problem }
}

fn rebase(folder: &Path, path: &mut PathBuf) {
    if path.is_relative() {
        *path = folder.join(&path);
    }
}

fn default_drain_seconds() -> u64 {
    30
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}
