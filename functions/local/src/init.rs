//! `local init`: a data folder with keys, certificates, users, policies and configuration.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::rand;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use seams::{KeyFiles, KeyName, Keys};

use crate::certificates;
use crate::error::Error;
use crate::folder::Folder;
use crate::write::{self, Readers};

/// What `local init` is told.
#[derive(Debug, Clone)]
pub struct Init {
    /// The database behind the relay.
    pub target: Target,
    /// Where the relay listens: loopback alone, for its certificate names nothing else.
    pub listen: SocketAddr,
    /// Where the issuer listens: loopback alone.
    pub issuer_listen: SocketAddr,
    /// Where the console listens: loopback alone.
    pub console_listen: SocketAddr,
}

/// A PostgreSQL to stand in front of.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Login.
    pub user: String,
    /// File whose first line is the login's password; without it, the environment variable
    /// [`Target::PASSWORD_VARIABLE`].
    pub password_file: Option<PathBuf>,
    /// How it is reached.
    pub tls: TargetTls,
}

/// TLS towards the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetTls {
    /// Checked in full, against this PEM file or the system's roots.
    VerifyFull(Option<PathBuf>),
    /// None; the relay accepts it for a loopback target alone.
    Disable,
}

impl Target {
    /// Holds the login's password where no file does.
    pub const PASSWORD_VARIABLE: &str = "AFFIDAVIT_TARGET_PASSWORD";
}

/// Whether a data folder is filled, wholly: the relay's configuration is written last.
#[must_use]
pub fn is_filled(folder: &Folder) -> bool {
    folder.relay_config().exists()
}

/// Fills a data folder, which must not be filled already. Every secret is readable by its owner alone.
///
/// # Errors
/// [`Error`], naming the file or argument.
pub async fn init(folder: &Folder, settings: &Init) -> Result<(), Error> {
    for (argument, address) in [
        ("--listen", settings.listen),
        ("--issuer-listen", settings.issuer_listen),
        ("--console-listen", settings.console_listen),
    ] {
        if !address.ip().is_loopback() {
            return Err(Error::Argument { argument, problem: format!("{address} is not a loopback address") });
        }
    }
    if is_filled(folder) {
        return Err(Error::content(&folder.relay_config(), "exists already; expected an empty or new folder"));
    }
    for path in [folder.root().to_owned(), folder.policies(), parent(&folder.ca())] {
        private_folder(&path)?;
    }
    write_certificates(folder)?;
    write_issuer_key(folder)?;
    write_keys(folder).await?;
    write_demo(folder)?;
    let secrets = [("ci_secret", quoted(&random_hex()?)), ("agent_secret", quoted(&random_hex()?))];
    let users = fill(USERS, &secrets);
    write::create(&folder.users(), users.as_bytes(), Readers::Owner)?;
    let addresses = [("issuer_listen", settings.issuer_listen), ("console_listen", settings.console_listen)];
    let local = fill(SETTINGS, &addresses.map(|(name, address)| (name, quoted(&address.to_string()))));
    write::create(&folder.settings(), local.as_bytes(), Readers::All)?;
    // Last, and whole or not at all: a folder with this file is a whole one.
    write::replace(&folder.relay_config(), relay_config(settings)?.as_bytes(), Readers::All)
}

fn relay_config(settings: &Init) -> Result<String, Error> {
    let target = &settings.target;
    let password = match &target.password_file {
        Some(file) => format!("{{ file = {} }}", quoted_path("--target-password-file", file)?),
        None => format!("{{ environment = {} }}", quoted(Target::PASSWORD_VARIABLE)),
    };
    let tls = match &target.tls {
        TargetTls::VerifyFull(None) => r#"{ mode = "verify-full" }"#.to_owned(),
        TargetTls::VerifyFull(Some(ca)) => {
            format!(r#"{{ mode = "verify-full-with", ca = {} }}"#, quoted_path("--target-ca", ca)?)
        }
        TargetTls::Disable => r#"{ mode = "disable" }"#.to_owned(),
    };
    Ok(fill(
        RELAY,
        &[
            ("listen", quoted(&settings.listen.to_string())),
            ("issuer", quoted(&format!("http://{}", settings.issuer_listen))),
            ("target_host", quoted(&target.host)),
            ("target_port", target.port.to_string()),
            ("target_database", quoted(&target.database)),
            ("target_user", quoted(&target.user)),
            ("target_password", password),
            ("target_tls", tls),
        ],
    ))
}

fn write_certificates(folder: &Folder) -> Result<(), Error> {
    let made = certificates::generate(SystemTime::now()).map_err(Error::of("certificates"))?;
    write::create(&folder.ca(), made.ca.as_bytes(), Readers::All)?;
    write::create(&folder.server_certificate(), made.server.as_bytes(), Readers::All)?;
    write::create(&folder.server_key(), made.server_key.as_bytes(), Readers::Owner)
}

fn write_issuer_key(folder: &Folder) -> Result<(), Error> {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(Error::of("issuer key"))?;
    write::create(&folder.issuer_key(), key.serialize_pem().as_bytes(), Readers::Owner)
}

async fn write_keys(folder: &Folder) -> Result<(), Error> {
    let keys = KeyFiles::open_or_create(&folder.keys()).map_err(Error::of("keys"))?;
    let root = keys.public_key(KeyName::Certificates).await.map_err(Error::of("keys"))?;
    write::create(&folder.certificates_root(), root.to_pem().as_bytes(), Readers::All)
}

fn write_demo(folder: &Folder) -> Result<(), Error> {
    write::create(&folder.classification(), CLASSIFICATION.as_bytes(), Readers::All)?;
    for (name, text) in POLICIES {
        write::create(&folder.policies().join(name), text.as_bytes(), Readers::All)?;
    }
    Ok(())
}

fn private_folder(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

/// Replaces each `{{name}}`.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// As a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quoted_path(argument: &'static str, path: &Path) -> Result<String, Error> {
    let invalid = |problem: String| Error::Argument { argument, problem };
    let absolute = fs::canonicalize(path).map_err(|error| invalid(format!("{}: {error}", path.display())))?;
    let text = absolute.to_str().ok_or_else(|| invalid("expected a path in UTF-8".to_owned()))?;
    Ok(quoted(text))
}

fn random_hex() -> Result<String, Error> {
    let mut bytes = [0_u8; 24];
    rand::fill(&mut bytes).map_err(Error::of("random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

const RELAY: &str = include_str!("../demo/relay.toml");
const SETTINGS: &str = include_str!("../demo/local.toml");
const USERS: &str = include_str!("../demo/users.toml");
const CLASSIFICATION: &str = include_str!("../demo/classification.toml");
const POLICIES: [(&str, &str); 1] = [("clinic.cedar", include_str!("../demo/policies/clinic.cedar"))];
