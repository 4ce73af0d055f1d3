//! Verifies and reads evidence, offline: no network, no cloud, no key but the ones given.
//!
//! What verifies is [`schemas::verify`] alone; this crate reads folders and shows results. Recorded text is escaped
//! before it reaches a terminal or a spreadsheet.

pub mod cli;
mod error;
mod export;
mod folder;
mod listing;
mod names;
mod replay;
mod result;
mod safe_text;
mod sessions;
mod summary;
mod trust;
mod unlock;
mod verify;
mod witness;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

pub use error::{Error, Exit};

use cli::{Cli, Command};
use trust::Grounds;

/// Carries out a command line (with the program's name first) and tells how it ended. Results go to `out`, what is
/// wrong to `problems`.
pub fn run<I, T>(arguments: I, out: &mut dyn Write, problems: &mut dyn Write) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let ended = match Cli::try_parse_from(arguments) {
        Ok(cli) => execute(&cli.command, out),
        Err(usage) => return explain(&usage, out, problems),
    };
    ended.and_then(|exit| out.flush().map(|()| exit).map_err(Error::Output)).unwrap_or_else(|error| {
        // Whoever closed the output, such as `head`, knows; nobody is left to tell when writing fails too.
        if !error.is_closed_output() {
            let _ = writeln!(problems, "auditor: {error}");
        }
        error.exit()
    })
}

/// Carries out a command.
///
/// # Errors
/// [`Error`], naming the file or argument.
pub fn execute(command: &Command, out: &mut dyn Write) -> Result<Exit, Error> {
    match command {
        Command::Verify { dir, root, checkpoint, checkpoints_key, witness, json } => {
            let grounds =
                Grounds::read(root)?.with_checkpoints_key(checkpoints_key.as_deref())?.with_witnesses(witness)?;
            verify::run(dir, &grounds.with_checkpoints(checkpoint)?, *json, out)
        }
        Command::Witness { checkpoint, state, key, name, log, checkpoints_key, root } => {
            let request = witness::Request {
                checkpoint,
                state,
                key,
                name,
                log: log.as_deref(),
                checkpoints_key: checkpoints_key.as_deref(),
                root: root.as_deref(),
            };
            witness::run(&request, witness::now(), out)
        }
        Command::WitnessKey { key, name } => witness::print_key(key, name, out),
        Command::Replay { dir, session, keys, full, trust } => {
            let request = replay::Request { session, keys: keys.as_deref(), full: *full };
            replay::run(dir, &request, trust, out)
        }
        Command::CheckResult { dir, session, execution, file, keys, trust } => {
            result::run(dir, &result::Request { session, execution: *execution, file, keys }, trust, out)
        }
        Command::Export { dir, format, out: file, trust } => export::run(dir, *format, file.as_deref(), trust, out),
        Command::Sessions { dir } => sessions::run(dir, out),
    }
}

/// Help and version are answers; everything else is wrong usage.
fn explain(usage: &clap::Error, out: &mut dyn Write, problems: &mut dyn Write) -> Exit {
    let written = if usage.use_stderr() { write!(problems, "{usage}") } else { write!(out, "{usage}") };
    if written.is_ok() && !usage.use_stderr() { Exit::Holds } else { Exit::Unreadable }
}

#[cfg(test)]
mod tests;
