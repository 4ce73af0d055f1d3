//! Targets, and which of their columns are protected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::identifiers::Name;
use serde::Deserialize;

use super::{ColumnStyle, DetectorSettings, Results, SecretArn};

/// One target database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// What clients give as database name.
    pub name: Name,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Database at the target.
    pub database: String,
    /// Login at the target. The relay holds its password; people never see it.
    pub user: String,
    /// Where the password comes from.
    pub password: PasswordSource,
    /// How the target is reached.
    #[serde(default)]
    pub tls: TargetTls,
    /// The search path with which sessions begin; a client may choose another, then and later.
    #[serde(default = "default_search_path")]
    pub search_path: Vec<String>,
    /// Prefixes of settings that are the application's own, such as `app` for `app.tenant`: whoever may connect may set and
    /// read them. Row security that goes by one keeps nobody out then.
    #[serde(default)]
    pub settings: Vec<String>,
    /// TOML file that classifies columns.
    pub classification: PathBuf,
    /// Seconds without any message before a session ends (45 CFR 164.312(a)(2)(iii)).
    #[serde(default = "default_idle_seconds")]
    pub idle_seconds: u64,
    /// Seconds that a held statement waits for approval, 1 to 86,400. No connection idles meanwhile: the relay sends a
    /// notice every minute.
    #[serde(default = "default_approval_seconds")]
    pub approval_seconds: u64,
    /// Seconds for connecting and logging in at the target.
    #[serde(default = "default_connect_seconds")]
    pub connect_seconds: u64,
    /// How much of results goes on record.
    #[serde(default)]
    pub results: Results,
    /// The same for statements that touch an object of which policy reveals protected columns to who asks. By default
    /// none of their rows: what is nowhere kept cannot leak from the evidence.
    #[serde(default = "Results::of_revealing")]
    pub revealed_results: Results,
    /// What is looked for in what passes; without it nothing is.
    #[serde(default)]
    pub detectors: Option<DetectorSettings>,
}

/// Where a secret comes from; it is read when it is needed and never logged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum PasswordSource {
    /// A file whose first line is the password.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A secret's JSON, as RDS makes and rotates it: member `password`; where it has `username`, that must be the
    /// connection's `user`. It is read at the first login, and again when one is refused.
    Secret(SecretArn),
    /// A token of RDS's IAM authentication, made for each login; its region, e.g. `eu-central-1`. Over verified TLS alone.
    RdsIam(String),
}

/// TLS towards the target.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "mode")]
pub enum TargetTls {
    /// Certificate checked against the system's roots and the host name.
    #[default]
    VerifyFull,
    /// As `verify-full`, against this PEM bundle alone.
    VerifyFullWith {
        /// PEM file of the accepted roots.
        ca: PathBuf,
    },
    /// No TLS; accepted for a loopback target alone.
    Disable,
}

/// Which columns are protected, and how each is masked. Closed world (rule 7): in a table with any protected
/// column, a column that is not named here is masked by its type's default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// Classified relations.
    #[serde(default)]
    pub table: Vec<ClassifiedTable>,
}

/// One classified relation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifiedTable {
    /// `schema.relation`.
    pub name: String,
    /// How each column looks.
    pub columns: BTreeMap<String, ColumnStyle>,
}

impl Connection {
    /// The target as evidence names it, `host:port/database`.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        super::rebase(folder, &mut self.classification);
        if let PasswordSource::File(path) = &mut self.password {
            super::rebase(folder, path);
        }
        if let TargetTls::VerifyFullWith { ca } = &mut self.tls {
            super::rebase(folder, ca);
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if matches!(self.tls, TargetTls::Disable) && !is_loopback(&self.host) {
            return Err(format!("tls.mode is `disable` and {} is not loopback", self.host));
        }
        if let PasswordSource::RdsIam(region) = &self.password {
            if matches!(self.tls, TargetTls::Disable) {
                return Err(
                    "password is `rds-iam`, so tls.mode must not be `disable`: the token is sent as it is".to_owned()
                );
            }
            if region.is_empty() || !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return Err("password.rds-iam: expected a region, such as eu-central-1".to_owned());
            }
        }
        if self.idle_seconds == 0 || self.connect_seconds == 0 {
            return Err("idle_seconds and connect_seconds must be at least 1".to_owned());
        }
        let plain = |prefix: &String| {
            let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            prefix != "affidavit" && !prefix.is_empty() && prefix.bytes().all(letters)
        };
        if !self.settings.iter().all(plain) {
            return Err("settings must be prefixes of an application's own settings, such as \"app\"".to_owned());
        }
        for (field, results) in [("results", self.results), ("revealed_results", self.revealed_results)] {
            results.check().map_err(|problem| format!("{field}: {problem}"))?;
        }
        if let Some(detectors) = &self.detectors {
            detectors.check().map_err(|problem| format!("detectors.{problem}"))?;
        }
        if !(1..=APPROVAL_SECONDS_MAX).contains(&self.approval_seconds) {
            return Err(format!("approval_seconds must be 1 to {APPROVAL_SECONDS_MAX}"));
        }
        Ok(())
    }
}

impl Classification {
    /// Reads a classification file.
    ///
    /// # Errors
    /// [`super::ConfigError`] with file, line and column.
    pub fn read(path: &Path) -> Result<Self, super::ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| super::ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| super::ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn default_port() -> u16 {
    5432
}

fn default_search_path() -> Vec<String> {
    vec!["public".to_owned()]
}

/// Fifteen minutes, the usual reading of "a predetermined time of inactivity".
fn default_idle_seconds() -> u64 {
    900
}

/// Long enough to reach somebody, short enough that what was approved is still what was meant.
fn default_approval_seconds() -> u64 {
    900
}

/// A day.
const APPROVAL_SECONDS_MAX: u64 = 86_400;

fn default_connect_seconds() -> u64 {
    10
}
