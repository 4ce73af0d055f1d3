//! `relay scan`: a proposal of what to classify.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::CommandError;
use crate::config::{Config, Connection};
use crate::{proposal, serve};

/// Whose classification is to be proposed.
#[derive(Debug, Clone, clap::Args)]
pub struct Scan {
    /// The connection's name in the configuration.
    pub connection: String,
    /// The relay's TOML file.
    #[arg(long)]
    pub config: PathBuf,
    /// Reads names, types and comments alone, and no row.
    #[arg(long)]
    pub no_sample: bool,
}

/// Writes a classification to review. What it reads goes on no record: whoever runs this holds the target's password.
///
/// # Errors
/// [`CommandError`].
pub async fn scan(scan: &Scan, out: &mut (dyn Write + Send)) -> Result<(), CommandError> {
    let (connection, _) = configured(&scan.config, &scan.connection)?;
    let login = serve::login(&connection, None).map_err(|error| CommandError::exchange("the login", error))?;
    let tables = proposal::propose(&login, !scan.no_sample)
        .await
        .map_err(|error| CommandError::exchange("the target", error))?;
    out.write_all(proposal::written(&scan.connection, &tables).as_bytes())?;
    Ok(())
}

/// A connection by its name, and all of the configuration.
pub(super) fn configured(config: &Path, connection: &str) -> Result<(Connection, Config), CommandError> {
    let config = Config::read(config)
        .map_err(|error| CommandError::Argument { argument: "--config", problem: error.to_string() })?;
    let found = config.connection.iter().find(|known| known.name.as_str() == connection).cloned();
    let found = found.ok_or_else(|| CommandError::Argument {
        argument: "connection",
        problem: format!("the configuration has no connection {connection}"),
    })?;
    Ok((found, config))
}
