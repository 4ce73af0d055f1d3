//! `relay serve`: one relay, as ECS runs it. Wiring, from its first variable to its exit code.
//!
//! It reads its deployment from the environment (infra/README.md, Contract) and its configuration from S3, and is then
//! what it is everywhere: [`relay::serve`].
//!
//! **A successor** is a new task of the same name over the same spool. It takes the spool's lock, which a live
//! predecessor keeps and a dead one loses with the lease of its NFS mount, so it looks again for a while before it gives
//! up. It serves under a key and certificate of its own at once; what its predecessor left it seals, stores and closes
//! beside that, under its own key, and the evidence says that it was recovered. Only then are that one's files gone. So
//! nothing is lost by SIGKILL, nor by a drain that takes too long, and nothing is sealed twice.
//!
//! **It ends** with 0 when it was asked to and all evidence is stored; 1 when it did not start; 3 when something is left
//! in the spool for its successor, which the log says. SIGTERM and SIGINT ask; asked twice, it ends at once.

mod agreement;
mod certifier;
mod configuration;
mod container;
mod digest;
mod signals;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws::{Deadlines, Deployment, Environment, EnvironmentError, SecretsManager, credentials_of};
use aws_credential_types::provider::SharedCredentialsProvider;
use relay::clock::{Clock, SystemClock};
use relay::config::Config;
use relay::evidence::{EvidenceError, SpoolError};
use relay::serve::{Dependencies, Relay, StartError};
use seams::StoreError;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tracing_subscriber::EnvFilter;

use certifier::CertifierFunction;
use configuration::ConfigurationError;
use container::ContainerCredentials;
use signals::Signals;

/// Why it ended otherwise than it should.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("did not start: {0}")]
    Process(#[from] std::io::Error),
    #[error("did not start: {0}")]
    Environment(#[from] EnvironmentError),
    #[error("did not start: AFFIDAVIT_CONFIG: {0}")]
    Configuration(#[from] ConfigurationError),
    #[error("did not start: {0}")]
    Store(#[from] StoreError),
    #[error("did not start: {0}")]
    Relay(#[from] StartError),
    #[error("asked to stop before it served; the next start completes what it had begun")]
    Unserved,
    #[error("{0}")]
    Evidence(#[from] EvidenceError),
    #[error("not everything was stored within {0:?}; the next start completes it")]
    Late(Duration),
    #[error("asked to stop twice; the next start completes what is left")]
    AtOnce,
}

/// Serves until it is asked to stop. Says in a log, JSON on standard output, what happens; no value is in it that was
/// recorded, asked or answered.
#[must_use]
pub fn serve() -> ExitCode {
    log_to_stdout();
    let runtime = match relay::background::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return ended(&error.into()),
    };
    let code = match runtime.block_on(run(&Environment::of_process())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ended(&error),
    };
    // What still runs is nobody's any more.
    runtime.shutdown_background();
    code
}

async fn run(environment: &Environment) -> Result<(), Ended> {
    let mut signals = Signals::listen()?;
    let relay = tokio::select! {
        started = start(environment) => started?,
        () = signals.asked() => return Err(Ended::Unserved),
    };
    tracing::info!(addresses = ?relay.addresses(), health = ?relay.health_address(), "serving");
    let (stop, stopped) = oneshot::channel();
    let serving = relay.run(async {
        // A dropped sender is as good as a message.
        let _ = stopped.await;
    });
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = signals.asked() => {}
    }
    // The receiver is in `serving`, which goes on.
    let _ = stop.send(());
    tokio::select! {
        ended = timeout(STOP_LIMIT, serving) => ended.map_err(|_| Ended::Late(STOP_LIMIT))??,
        () = signals.asked() => return Err(Ended::AtOnce),
    }
    tracing::info!("ended: all evidence is stored");
    Ok(())
}

async fn start(environment: &Environment) -> Result<Relay, Ended> {
    let deployment = Deployment::read(environment, credentials(environment)?, Deadlines::default())?;
    let certifier = environment.text("AFFIDAVIT_CERTIFIER")?;
    let health = health(environment)?;
    let config = configuration::read(environment, &deployment).await?;
    let dependencies = Dependencies {
        store: Arc::new(deployment.store(now_s).await?),
        keys: deployment.recording_keys(environment)?,
        certifier: Arc::new(CertifierFunction::new(&deployment.connection, certifier)),
        clock: Arc::new(SystemClock),
        secrets: Some(Arc::new(SecretsManager::new(&deployment.connection))),
        health,
    };
    Ok(succeed(config, dependencies).await?)
}

/// Where it is told how the relay is; nowhere when nothing is said.
fn health(environment: &Environment) -> Result<Option<SocketAddr>, EnvironmentError> {
    const NAME: &str = "AFFIDAVIT_HEALTH";
    environment.optional(NAME).map(|_| environment.parsed(NAME, "an address and a port, as 0.0.0.0:8080")).transpose()
}

/// Starts as soon as no other process holds the spool.
async fn succeed(config: Config, dependencies: Dependencies) -> Result<Relay, StartError> {
    let until = Instant::now() + LEASE;
    loop {
        match Relay::start(config.clone(), dependencies.clone()).await {
            Err(StartError::Evidence(EvidenceError::Spool(error @ SpoolError::Locked { .. })))
                if Instant::now() < until =>
            {
                tracing::warn!(%error, "waiting: a dead relay's lock ends with its lease");
                sleep(LOOK).await;
            }
            started => return started,
        }
    }
}

/// Those that stand in the environment, or those that ECS gives to the task.
fn credentials(environment: &Environment) -> Result<SharedCredentialsProvider, EnvironmentError> {
    match environment.optional(container::VARIABLE) {
        Some(path) => Ok(SharedCredentialsProvider::new(ContainerCredentials::new(&path)?)),
        None => credentials_of(environment),
    }
}

fn ended(error: &Ended) -> ExitCode {
    tracing::error!(%error, "ended");
    match error {
        Ended::Process(_) | Ended::Environment(_) | Ended::Configuration(_) | Ended::Store(_) | Ended::Relay(_) => {
            ExitCode::FAILURE
        }
        Ended::Unserved | Ended::Evidence(_) | Ended::Late(_) | Ended::AtOnce => ExitCode::from(LEFT),
    }
}

/// As `RUST_LOG` says. What AWS's own libraries would tell at a lower level than `info` may hold what is sent.
fn log_to_stdout() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // A log that was begun already is as good.
    let _ = log.with_env_filter(filter).with_ansi(false).with_writer(std::io::stdout).try_init();
}

fn now_s() -> u64 {
    SystemClock.now_us() / 1_000_000
}

/// ECS kills 120 s after it asked: the log shall say before that what is left.
const STOP_LIMIT: Duration = Duration::from_secs(115);
/// How long a dead client's locks may stand on NFS, and a little more.
const LEASE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(2);
/// Exit code: the successor has something to complete. 2 is that of wrong arguments.
const LEFT: u8 = 3;
