//! Everything in one process, started and stopped in order. Wiring only.

use std::io::Write;
use std::sync::Arc;

use functions::{indexer, sealer, trust};
use relay::clock::{Clock, SystemClock};
use relay::config::Config;
use seams::{EvidenceStore, FileStore, Index, KeyFiles, KeyName, Keys, RedbIndex, Retention};
use tokio::signal::unix::{SignalKind, signal};

use crate::bundles;
use crate::consoling::Consoling;
use crate::error::Error;
use crate::folder::Folder;
use crate::indexing::Indexing;
use crate::issuing::Issuing;
use crate::oidc::now;
use crate::relaying::Relaying;
use crate::sealing::Sealing;
use crate::serving::Serving;
use crate::settings::{Endpoints, Settings};
use crate::watched_store::WatchedStore;

/// Runs everything until SIGTERM or SIGINT, having told `out` how to get in; then stops in order.
///
/// # Errors
/// [`Error`]: something did not start, ended by itself, or did not end as it should.
pub async fn up(folder: &Folder, parts: Parts, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let failed = Error::of("signals");
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    let mut running = Running::start(folder, parts).await?;
    print_invitation(folder, running.endpoints(), out).map_err(Error::of("output"))?;
    let asked = tokio::select! {
        _ = terminate.recv() => true,
        _ = interrupt.recv() => true,
        () = running.ended() => false,
    };
    running.stop().await?;
    if asked { Ok(()) } else { Err(Error::of("relay")("it ended by itself")) }
}

/// What runs beside the issuer and the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// The relay, the indexer and the sealer.
    All,
    /// The relay. What it stores waits for the others.
    RelayAlone,
}

/// A running system.
pub struct Running {
    folder: Folder,
    endpoints: Endpoints,
    issuing: Issuing,
    consoling: Serving,
    relaying: Relaying,
    /// Absent where the relay runs alone.
    indexing: Option<Indexing>,
    sealing: Option<Sealing>,
    index: Arc<dyn Index>,
}

impl Running {
    /// Starts everything in this folder. When it returns, everything serves, and `endpoints.toml` says where.
    ///
    /// # Errors
    /// [`Error`], naming the file, address or part.
    pub async fn start(folder: &Folder, parts: Parts) -> Result<Self, Error> {
        let mut config = Config::read(&folder.relay_config()).map_err(Error::of("relay"))?;
        // Held from here on: only one process at a time serves from a folder.
        let index: Arc<dyn Index> = Arc::new(RedbIndex::open(&folder.index()).map_err(Error::of("index"))?);
        Endpoints::remove(folder)?;
        let issuing = Issuing::start(folder).await?;
        name_issuer(folder, &mut config, &issuing)?;
        let consoling = Consoling::listen(folder).await?;

        let keys: Arc<dyn Keys> = Arc::new(KeyFiles::open(&folder.keys()).map_err(Error::of("keys"))?);
        let root = keys.public_key(KeyName::Certificates).await.map_err(Error::of("keys"))?;
        let approvals = keys.public_key(KeyName::Approvals).await.map_err(Error::of("keys"))?;
        let store: Arc<dyn EvidenceStore> =
            Arc::new(FileStore::open(folder.evidence(), now).map_err(Error::of("evidence store"))?);
        let all = parts == Parts::All;
        let sealing = all.then(|| Sealing::start(sealer_env(&config, store.clone(), keys.clone())));
        let (watched, stored) = WatchedStore::new(store.clone());
        let watched: Arc<dyn EvidenceStore> = Arc::new(watched);
        let reading = indexer::Env { store, index: index.clone(), root, approvals };
        let indexing = all.then(|| Indexing::start(reading, stored));

        let console = consoling.url();
        if let Some(approvals) = &mut config.approvals {
            approvals.console.get_or_insert_with(|| console.clone());
        }
        let bundler = bundles::env_of(folder, &config, watched.clone(), keys.clone()).await?;
        trust::certify(&bundles::signing_env(&bundler)).await.map_err(Error::of("keys"))?;
        let consoling = consoling.serve(issuing.url(), index.clone(), bundler)?;
        let settings = Settings::read(folder)?;
        let relaying = Relaying::start(config, watched, keys, settings.certificate(), settings.health).await?;
        let endpoints = Endpoints {
            relay: relaying.endpoint(),
            issuer: issuing.url().to_owned(),
            console,
            health: relaying.health(),
            ca: folder.ca().display().to_string(),
            pid: std::process::id(),
        };
        endpoints.write(folder)?;
        Ok(Self { folder: folder.clone(), endpoints, issuing, consoling, relaying, indexing, sealing, index })
    }

    /// Where it serves.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The index.
    #[must_use]
    pub fn index(&self) -> &Arc<dyn Index> {
        &self.index
    }

    /// Resolves when the relay has ended by itself; [`Running::stop`] then tells why.
    pub async fn ended(&mut self) {
        self.relaying.ended().await;
    }

    /// Stops in order: no new sessions; those that run may finish; their evidence is sealed and stored, then
    /// indexed and appended to the log.
    ///
    /// # Errors
    /// The first part that did not end as it should; the others are stopped all the same.
    pub async fn stop(self) -> Result<(), Error> {
        let unnamed = Endpoints::remove(&self.folder);
        let drained = self.relaying.stop().await;
        // After the relay, for statements may wait for a decision; before the indexer, for decisions are indexed.
        let consoled = self.consoling.stop().await;
        let indexed = match self.indexing {
            Some(indexing) => indexing.stop().await,
            None => Ok(()),
        };
        let logged = match self.sealing {
            Some(sealing) => sealing.stop().await,
            None => Ok(()),
        };
        let issued = self.issuing.stop().await;
        unnamed.and(drained).and(consoled).and(indexed).and(logged).and(issued)
    }
}

fn sealer_env(config: &Config, store: Arc<dyn EvidenceStore>, keys: Arc<dyn Keys>) -> sealer::Env {
    sealer::Env {
        store,
        keys,
        tenant: config.tenant.clone(),
        environment: config.environment.clone(),
        retention: Retention::days(config.evidence.retain_days),
        batch: sealer::Env::BATCH,
        now_us: Arc::new(|| SystemClock.now_us()),
    }
}

/// Tells how to get in.
///
/// # Errors
/// Those of `out`.
pub fn print_invitation(folder: &Folder, endpoints: &Endpoints, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let (host, port) = endpoints.relay.rsplit_once(':').unwrap_or((endpoints.relay.as_str(), "5432"));
    let data = folder.root().display();
    writeln!(
        out,
        "The relay serves on {relay}. To ask as alice (others: {data}/users.toml):\n\n  \
         PGPASSWORD=\"$(local token alice --data {data})\" \\\n  \
         psql \"host={host} port={port} dbname=clinic user=alice sslmode=verify-full sslrootcert={ca}\"\n\n\
         Approvers decide in the console, {console} (or `relay approvals --console {console}`).\n",
        relay = endpoints.relay,
        ca = endpoints.ca,
        console = endpoints.console,
    )?;
    out.flush()
}

/// The issuer's port may have been free to choose: the relay must know the one it got.
fn name_issuer(folder: &Folder, config: &mut Config, issuing: &Issuing) -> Result<(), Error> {
    let configured = issuing.configured_url();
    let ours = config.issuer.iter_mut().find(|issuer| issuer.issuer == configured).ok_or_else(|| {
        let problem = format!("issuer: none is {configured}, the address in local.toml");
        Error::content(&folder.relay_config(), problem)
    })?;
    issuing.url().clone_into(&mut ours.issuer);
    Ok(())
}
