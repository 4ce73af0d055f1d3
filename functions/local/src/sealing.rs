//! Runs the sealer every few seconds, as a schedule does in the cloud, and once at the end.

use std::time::Duration;

use functions::sealer::{self, Env, SealerError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Error;

/// A running sealer.
pub(crate) struct Sealing {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), SealerError>>,
}

impl Sealing {
    /// Appends to the log what is stored already, then what comes.
    pub(crate) fn start(env: Env) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(run(env, stopped)) }
    }

    /// Ends when everything that is stored is in the log.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        // A receiver that is gone means that the task ended, which `task` tells.
        let _ = self.stop.send(());
        self.task.await.map_err(Error::of("sealer"))?.map_err(Error::of("sealer"))
    }
}

async fn run(env: Env, mut stopped: oneshot::Receiver<()>) -> Result<(), SealerError> {
    let mut due = interval(PERIOD);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => if let Err(error) = seal(&env).await {
                tracing::error!(%error, "not sealed; what waits is tried again");
            },
            _ = &mut stopped => return seal(&env).await,
        }
    }
}

/// What it rejects, the sealer's own log names.
async fn seal(env: &Env) -> Result<(), SealerError> {
    let sealed = sealer::seal(env).await?;
    sealer::remember_named(env, &sealed.rejected).await
}

/// How long a statement may wait for the log.
const PERIOD: Duration = Duration::from_secs(3);
