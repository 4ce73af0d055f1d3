//! A relay in this process, for what `local` does not give to one: secrets of AWS.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use functions::certifier;
use local::InProcess;
use relay::clock::{Clock, SystemClock};
use relay::config::Config;
use relay::evidence::EvidenceError;
use relay::serve::{Dependencies, StartError};
use seams::{EvidenceStore, FileStore, KeyFiles, Keys, Secrets};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Relay, now_s};

/// It ends with this value.
pub(crate) struct Beside {
    port: u16,
    health: String,
    ca: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), EvidenceError>>,
    _folder: TempDir,
}

impl Beside {
    /// Starts one with the issuer, policies and keys of another one, and its configuration as `change` changes it.
    pub(crate) async fn like(
        other: &Relay,
        secrets: Option<Arc<dyn Secrets>>,
        change: impl FnOnce(&mut toml::Table),
    ) -> Result<Self, StartError> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let folder = tempfile::tempdir().unwrap();
        let mut config: toml::Table = std::fs::read_to_string(other.config()).unwrap().parse().unwrap();
        config["listener"][0]["bind"] = "127.0.0.1:0".into();
        config["issuer"][0]["issuer"] = other.endpoint("issuer").into();
        config["evidence"]["spool"] = folder.path().join("spool").to_str().unwrap().into();
        change(&mut config);
        // Beside the other one's, for its paths are relative.
        let name = format!("served-{}.toml", STARTED.fetch_add(1, Ordering::Relaxed));
        let path = other.config().with_file_name(name);
        std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
        let config = Config::read(&path)?;

        let store: Arc<dyn EvidenceStore> = Arc::new(FileStore::open(folder.path().join("evidence"), now_s).unwrap());
        let keys: Arc<dyn Keys> = Arc::new(KeyFiles::open(&other.keys()).unwrap());
        let relays = vec![config.relay.clone()];
        let certifier = InProcess(certifier::Env {
            keys: keys.clone(),
            store: store.clone(),
            policy: certifier::Policy::new(config.tenant.clone(), config.environment.clone(), relays),
            now_us: Arc::new(|| SystemClock.now_us()),
        });
        let dependencies = Dependencies {
            store,
            keys,
            certifier: Arc::new(certifier),
            clock: Arc::new(SystemClock),
            secrets,
            health: Some(([127, 0, 0, 1], 0).into()),
        };
        let relay = relay::serve::Relay::start(config, dependencies).await?;
        let (port, health) = (relay.addresses()[0].port(), format!("http://{}", relay.health_address().unwrap()));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(relay.run(async {
            let _ = stopped.await;
        }));
        Ok(Self { port, health, ca: other.ca(), stop: Some(stop), served, _folder: folder })
    }

    /// A libpq connection string with a password.
    pub(crate) fn connection(&self, name: &str, password: &str) -> String {
        let (port, ca) = (self.port, self.ca.display());
        let login = format!("dbname=clinic user={name} password={password}");
        format!("host=localhost port={port} {login} sslmode=verify-full sslrootcert={ca} connect_timeout=15")
    }

    /// URL of its health.
    pub(crate) fn health(&self) -> &str {
        &self.health
    }

    /// Tells it to stop, as SIGTERM does.
    pub(crate) fn ask_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until it has ended and all its evidence is stored.
    pub(crate) async fn end(mut self) {
        if self.stop.is_some() {
            self.ask_to_stop();
        }
        self.served.await.unwrap().unwrap();
    }
}
