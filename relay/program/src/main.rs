//! The program `relay`: its commands.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use relay::command::{self, Console, Decision, Explain, Scan};
use relay::config::{Classification, Config};
use relay::policy::{PolicySet, check_classification};
use relay::serve::check_detectors;
use schemas::approval::DecisionVerdict;

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
    /// Serves as one relay on AWS; what it is told stands in environment variables (infra/README.md, Contract).
    #[cfg(feature = "serve")]
    Serve,
    /// Policies: check them before they are in force.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Proposes a classification from names, types, comments and what values look like; prints TOML to review.
    Scan(Scan),
    /// Says what would become of a statement: what would run, what is masked, which policies decide, or why it is refused.
    Explain(Explain),
    /// Prints SQL of a keyed function for the mask `hash`, to be run in a database by its owner.
    HashFunction,
    /// Lists the held statements that wait for approval, or shows one.
    Approvals {
        /// Id or link of one request.
        request: Option<String>,
        #[command(flatten)]
        console: Console,
    },
    /// Approves a held statement: it runs, once, exactly as shown.
    Approve(Decision),
    /// Denies a held statement: it does not run.
    Deny(Decision),
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
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // Nothing can be done about a closed standard output.
            let _ = writeln!(std::io::stdout(), "refused: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let (out, err) = (&mut std::io::stdout(), &mut std::io::stderr());
    match command {
        #[cfg(feature = "serve")]
        Command::Serve => return Ok(program::serve::serve()),
        Command::Policy { command: PolicyCommand::Check { config } } => writeln!(out, "{}", check(&config)?)?,
        Command::Explain(explain) => wait(command::explain(&explain, out))?,
        Command::HashFunction => write!(out, "{}", command::HASH_FUNCTION)?,
        Command::Scan(scan) => wait(command::scan(&scan, out))?,
        Command::Approvals { request, console } => wait(command::approvals(&console, request.as_deref(), out, err))?,
        Command::Approve(decision) => wait(command::decide(&decision, DecisionVerdict::Approved, out, err))?,
        Command::Deny(decision) => wait(command::decide(&decision, DecisionVerdict::Denied, out, err))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn wait<E: Into<anyhow::Error>>(work: impl Future<Output = Result<(), E>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(work).map_err(Into::into)
}

fn check(path: &std::path::Path) -> anyhow::Result<String> {
    let config = Config::read(path)?;
    let policies = PolicySet::read(&config.policies)?;
    for connection in &config.connection {
        check_classification(&Classification::read(&connection.classification)?)?;
        check_detectors(connection)?;
    }
    Ok(format!("accepted: policy set {} over {} connections", policies.sha256(), config.connection.len()))
}
