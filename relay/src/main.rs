//! The relay's commands.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use relay::config::{Classification, Config};
use relay::policy::PolicySet;

#[derive(Parser)]
#[command(
    name = "relay",
    version,
    about = "Sworn evidence for every session that touches protected health information"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Policies: check them before they are in force.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Reads configuration, policies and classifications, and names what is wrong with them.
    Check {
        /// The relay's TOML file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::Policy { command: PolicyCommand::Check { config } } = Arguments::parse().command;
    let outcome = check(&config);
    let (text, code) = match outcome {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (format!("refused: {error:#}"), ExitCode::FAILURE),
    };
    // Nothing can be done about a closed standard output.
    let _ = writeln!(std::io::stdout(), "{text}");
    code
}

fn check(path: &std::path::Path) -> anyhow::Result<String> {
    let config = Config::read(path)?;
    let policies = PolicySet::read(&config.policies)?;
    for connection in &config.connection {
        Classification::read(&connection.classification)?;
    }
    Ok(format!("accepted: policy set {} over {} connections", policies.sha256(), config.connection.len()))
}
