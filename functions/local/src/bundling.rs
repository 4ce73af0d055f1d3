//! Makes a bundle when the console asks, as a task of this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use functions::bundler::{self, Period};
use functions::console::{Begun, BundleMaker, BundleMakerError};
use tokio::sync::Mutex;

/// Makes one bundle at a time.
pub(crate) struct Bundling {
    env: bundler::Env,
    busy: Arc<Mutex<()>>,
}

impl Bundling {
    pub(crate) fn new(env: bundler::Env) -> Self {
        Self { env, busy: Arc::default() }
    }
}

#[async_trait]
impl BundleMaker for Bundling {
    async fn begin(&self, period: Period) -> Result<Begun, BundleMakerError> {
        let busy = self.busy.clone().try_lock_owned().map_err(|_| BundleMakerError::Busy)?;
        let env = self.env.clone();
        // Goes on when nobody waits any more.
        let making = tokio::spawn(async move {
            let made = bundler::bundle(&env, period).await;
            drop(busy);
            if let Err(error) = &made {
                tracing::error!(%error, "no bundle");
            }
            made.map(|bundled| bundled.id).map_err(|error| BundleMakerError::Failed(error.to_string()))
        });
        match tokio::time::timeout(PATIENCE, making).await {
            Ok(Ok(made)) => made.map(Begun::Made),
            Ok(Err(error)) => Err(BundleMakerError::Failed(error.to_string())),
            Err(_) => Ok(Begun::UnderWay),
        }
    }
}

/// Less than the console's own limit for a request.
const PATIENCE: Duration = Duration::from_secs(20);
