//! How each program begins and ends.

use std::process::ExitCode;

use aws::Environment;
use tracing_subscriber::EnvFilter;

use crate::deployment::StartError;

/// Why a program ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// It did not start.
    #[error("did not start: {0}")]
    Start(#[from] StartError),
    /// Lambda could not be spoken to.
    #[error("ended: {0}")]
    Runtime(#[from] lambda_runtime::Error),
}

/// Runs a function until Lambda ends it.
pub fn run<F: Future<Output = Result<(), Ended>>>(function: impl FnOnce(Environment) -> F) -> ExitCode {
    log_to_stderr();
    // One event at a time: a second thread would have nothing to do.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(|error| Ended::Runtime(error.into()));
    match ended.and_then(|runtime| runtime.block_on(function(Environment::of_process()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "function");
            ExitCode::FAILURE
        }
    }
}

/// As `RUST_LOG` says. What AWS's own libraries would tell at a lower level than `info` may hold what is sent.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // A log that was begun already is as good.
    let _ = log.with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).try_init();
}
