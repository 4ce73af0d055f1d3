//! `relay scan`: a proposal of what to classify.

use std::io::Write;
use std::path::PathBuf;

use super::error::CommandError;
use crate::config::Config;
use crate::proposal;
use crate::upstream::{Login, Logins, Target};

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
    let (_, login, _) = login(&scan.config, &scan.connection)?;
    let tables = proposal::propose(&login, !scan.no_sample)
        .await
        .map_err(|error| CommandError::exchange("the target", error))?;
    out.write_all(proposal::written(&scan.connection, &tables).as_bytes())?;
    Ok(())
}

/// A connection's configuration, and the login at its target.
pub(super) fn login(
    config: &std::path::Path,
    connection: &str,
) -> Result<(crate::config::Connection, Login, Config), CommandError> {
    let config = Config::read(config)
        .map_err(|error| CommandError::Argument { argument: "--config", problem: error.to_string() })?;
    let found = config.connection.iter().find(|known| known.name.as_str() == connection).cloned();
    let found = found.ok_or_else(|| CommandError::Argument {
        argument: "CONNECTION",
        problem: format!("the configuration has no connection {connection}"),
    })?;
    let target = Target::new(&found).map_err(|error| CommandError::exchange("TLS", error))?;
    let login =
        Login::new(target, found.user.clone(), found.database.clone(), found.password.clone(), Logins::default());
    Ok((found, login, config))
}
