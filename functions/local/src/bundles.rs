//! `local bundle`: evidence of a period as a folder for an auditor.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use functions::bundler::{self, Bundled, Period};
use functions::{signing, trust};
use relay::clock::{Clock, SystemClock};
use relay::config::Config;
use schemas::identifiers::SessionId;
use seams::{EvidenceStore, FileStore, KeyFiles, KeyName, Keys, Retention};

use crate::error::Error;
use crate::folder::Folder;
use crate::oidc::now;

/// Makes the bundle of a period, stores it, and writes it into `out`, which must not be there yet. Works beside a
/// running `local`: what that has stored by now is bundled.
///
/// # Errors
/// [`Error`], naming the part.
pub async fn bundle(folder: &Folder, period: Period, out: &Path) -> Result<Bundled, Error> {
    if out.exists() {
        return Err(Error::Argument { argument: "--out", problem: format!("{} is there already", out.display()) });
    }
    let env = env(folder).await?;
    trust::certify(&signing_env(&env)).await.map_err(Error::of("keys"))?;
    let bundled = bundler::bundle(&env, period).await.map_err(Error::of("bundle"))?;
    bundler::fetch(&env, &bundled.id, out).await.map_err(Error::of("bundle"))?;
    Ok(bundled)
}

/// Writes the replay page of one session, with what the client sent and received if `results`.
///
/// # Errors
/// [`Error`], naming the part.
pub async fn replay(folder: &Folder, session: &SessionId, results: bool, out: &Path) -> Result<(), Error> {
    let env = env(folder).await?;
    let keys = results.then_some(&*env.keys);
    let page = bundler::replay(&env, session, keys).await.map_err(Error::of("replay"))?;
    let readers = if results { crate::write::Readers::Owner } else { crate::write::Readers::All };
    crate::write::create(out, page.html.as_bytes(), readers)
}

/// Tells what was made.
///
/// # Errors
/// Those of `out`.
pub fn print(bundled: &Bundled, path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let count = |table: &str| bundled.merged.counts.get(table).copied().unwrap_or(0);
    let evidence = if bundled.merged.evidence.holds() { "it holds" } else { "IT DOES NOT HOLD" };
    writeln!(
        out,
        "Bundle {}: {} sessions, {} statements, {} approvals, {} not let through.\nEvidence: {} objects, {evidence}.\n{}",
        bundled.id,
        count("sessions"),
        count("statements"),
        count("approvals"),
        count("denials"),
        bundled.merged.evidence.checked.objects,
        path.join("report.html").display(),
    )
}

/// What bundles are made with beside a running `local`.
pub(crate) async fn env(folder: &Folder) -> Result<bundler::Env, Error> {
    let config = Config::read(&folder.relay_config()).map_err(Error::of("relay"))?;
    let keys: Arc<dyn Keys> = Arc::new(KeyFiles::open(&folder.keys()).map_err(Error::of("keys"))?);
    let store: Arc<dyn EvidenceStore> = Arc::new(FileStore::beside(folder.evidence(), now));
    env_of(folder, &config, store, keys).await
}

/// What bundles of this folder are made with.
pub(crate) async fn env_of(
    folder: &Folder,
    config: &Config,
    store: Arc<dyn EvidenceStore>,
    keys: Arc<dyn Keys>,
) -> Result<bundler::Env, Error> {
    let root = keys.public_key(KeyName::Certificates).await.map_err(Error::of("keys"))?;
    Ok(bundler::Env {
        store,
        keys,
        root,
        tenant: config.tenant.clone(),
        environment: config.environment.clone(),
        work: work(folder),
        retention: Retention::days(config.evidence.retain_days),
        now_us: Arc::new(|| SystemClock.now_us()),
    })
}

/// What statements about this folder's environment are signed and stored with.
pub(crate) fn signing_env(env: &bundler::Env) -> signing::Env {
    signing::Env {
        keys: env.keys.clone(),
        store: env.store.clone(),
        tenant: env.tenant.clone(),
        environment: env.environment.clone(),
        retention: env.retention,
        now_us: env.now_us.clone(),
    }
}

fn work(folder: &Folder) -> PathBuf {
    folder.root().join("bundling")
}
