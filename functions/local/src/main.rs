//! `local`: Affidavit on one machine.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use local::cli::{Cli, Command};
use local::{Error, init, running, sessions, tokens};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when this fails too; the exit code still does.
            let _ = writeln!(stderr(), "local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Error> {
    let mut out = stdout();
    match command {
        Command::Init(arguments) => {
            let (folder, settings) = arguments.into_parts()?;
            init::init(&folder, &settings).await?;
            let data = folder.root().display();
            writeln!(out, "{data} is filled; next: local up --data {data}").map_err(Error::of("output"))
        }
        Command::Up { data } => {
            let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).init();
            running::up(&data.folder()?, &mut out).await
        }
        Command::Token { name, data, minutes } => {
            let token = tokens::token(&data.folder()?, &name, minutes)?;
            writeln!(out, "{token}").map_err(Error::of("output"))
        }
        Command::Sessions { data } => {
            let rows = sessions::read(&data.folder()?).await?;
            sessions::print(&rows, &mut out).map_err(Error::of("output"))
        }
    }
}
