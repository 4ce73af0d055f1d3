//! The program: runs a command to its end.

use std::io::{self, IsTerminal, Write};

use functions::bundler::Period;
use relay::clock::{Clock, SystemClock};

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::running::Parts;
use crate::{bundles, init, revoking, running, sessions, shredding, tokens};

/// Runs a command.
///
/// # Errors
/// [`Error`], naming the part.
pub fn run(cli: Cli) -> Result<(), Error> {
    let runtime = relay::background::runtime().map_err(Error::of("runtime"))?;
    runtime.block_on(command(cli.command))
}

async fn command(command: Command) -> Result<(), Error> {
    match command {
        Command::Init(arguments) => {
            let unless_filled = arguments.unless_filled;
            let (folder, settings) = arguments.into_parts()?;
            if unless_filled && init::is_filled(&folder) {
                return Ok(());
            }
            init::init(&folder, &settings).await
        }
        Command::Up { data, relay_alone } => {
            log_to_stderr();
            let parts = if relay_alone { Parts::RelayAlone } else { Parts::All };
            running::up(&data.folder()?, parts, &mut io::stdout()).await
        }
        Command::Token { name, data, minutes } => {
            let token = tokens::token(&data.folder()?, &name, minutes)?;
            writeln!(io::stdout(), "{token}").map_err(Error::of("output"))
        }
        Command::Bundle { data, from, to, out } => {
            let period = Period { from_us: from.unwrap_or(0), to_us: to.unwrap_or_else(|| SystemClock.now_us()) };
            let bundled = bundles::bundle(&data.folder()?, period, &out).await?;
            bundles::print(&bundled, &out, &mut io::stdout()).map_err(Error::of("output"))
        }
        Command::Replay { session, data, results, out } => {
            bundles::replay(&data.folder()?, &session, results, &out).await
        }
        Command::Shred { session, data } => {
            let said = shredding::shred(&data.folder()?, &session).await?;
            let at = schemas::instant::rfc3339(said.time_us);
            writeln!(io::stdout(), "Session {session} is shredded ({at}): nobody can read what it recorded.")
                .map_err(Error::of("output"))
        }
        Command::Revoke { incarnation, data, log_size, withdrawn } => {
            let revoked = revoking::revoke(&data.folder()?, incarnation, log_size, withdrawn).await?;
            let size = revoked.log_size;
            writeln!(io::stdout(), "Revoked: what it signed stands in the first {size} entries of the log.")
                .map_err(Error::of("output"))
        }
        Command::Sessions { data } => {
            let rows = sessions::read(&data.folder()?).await?;
            sessions::print(&rows, &mut io::stdout()).map_err(Error::of("output"))
        }
    }
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
}
