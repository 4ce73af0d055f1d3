//! The bundler. Whoever may invoke it names a period; nobody waits: the bundle is there when its manifest is stored.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws::Environment;
use functions::bundler::{self, BundlerError, Env, Period};
use lambda_runtime::{Diagnostic, LambdaEvent};
use schemas::identifiers::Name;
use seams::KeyName;
use serde::Serialize;

use crate::clock;
use crate::deployment::{Patience, StartError, deployment, public_key, store};
use crate::metrics::Metrics;
use crate::opened::Opened;

/// The bundler and what it tells.
#[derive(Clone)]
pub struct BundleFunction {
    env: Env,
    metrics: Metrics,
}

/// The bundle that was made.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    id: Name,
    /// Whether the evidence in it holds; a bundle of evidence that does not says so.
    holds: bool,
}

/// There is no bundle.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BundlingError(#[from] BundlerError);

impl BundleFunction {
    /// Reads the environment. The buckets are opened with the first event.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(environment: &Environment) -> Result<Opened<Self>, StartError> {
        let deployment = deployment(environment, Patience::Long)?;
        let names = [KeyName::Certificates, KeyName::Checkpoints, KeyName::Bundles];
        let keys = deployment.keys(environment, &names)?;
        let work = PathBuf::from(environment.text("AFFIDAVIT_WORK")?);
        let metrics = Metrics::read(environment)?;
        let said = (deployment, keys, work, metrics);
        Ok(Opened::by(said, async |(deployment, keys, work, metrics)| {
            let (store, root) = tokio::try_join!(store(&deployment), public_key(&keys, KeyName::Certificates))?;
            let env = Env {
                store: Arc::new(store),
                root,
                keys,
                tenant: deployment.tenant,
                environment: deployment.environment,
                work,
                retention: deployment.retention,
                now_us: Arc::new(clock::now_us),
            };
            Ok(Self { env, metrics })
        }))
    }

    /// Makes the bundle of a period. Asked twice, it makes two.
    ///
    /// # Errors
    /// [`BundlingError`].
    pub async fn handle(&self, event: LambdaEvent<Period>) -> Result<Made, BundlingError> {
        let bundled = bundler::bundle(&self.env, event.payload).await.inspect_err(|error| {
            tracing::error!(%error, "no bundle");
            self.metrics.count(&[("NotBundled", 1)]);
        })?;
        self.metrics.count(&[("Bundled", 1)]);
        Ok(Made { id: bundled.id, holds: bundled.merged.evidence.holds() })
    }
}

impl From<BundlingError> for Diagnostic {
    fn from(error: BundlingError) -> Self {
        Self { error_type: "NotBundled".to_owned(), error_message: error.to_string() }
    }
}

impl fmt::Debug for BundleFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleFunction").field("env", &self.env).finish_non_exhaustive()
    }
}
