//! A bundle from the beginning to the end, and bundles in the store.

use std::path::Path;

use schemas::bundle::layout::BundleFile;
use schemas::identifiers::Name;
use schemas::layout;
use schemas::period::Period;

use super::merge::{Merged, merge};
use super::{BundlerError, Env, WorkFolder, part, plan};

/// A bundle in the store.
#[derive(Debug, Clone)]
pub struct Bundled {
    /// Its name.
    pub id: Name,
    /// What it says of itself.
    pub merged: Merged,
}

/// Makes the bundle of a period and stores it under `bundles/`, its manifest last: without one there is no bundle, and
/// what a run that failed left behind is none.
///
/// # Errors
/// [`BundlerError`].
pub async fn bundle(env: &Env, period: Period) -> Result<Bundled, BundlerError> {
    let plan = plan(env, period).await?;
    let folder = WorkFolder::create(env.work.join(plan.id.as_str()))?;
    let made = make(env, &plan, &folder).await;
    let removed = folder.remove();
    let bundled = made?;
    removed?;
    Ok(bundled)
}

async fn make(env: &Env, plan: &super::Plan, folder: &WorkFolder) -> Result<Bundled, BundlerError> {
    for planned in &plan.parts {
        part(env, plan, planned, folder).await?;
    }
    let merged = merge(env, plan, folder).await?;
    let manifest = BundleFile::Manifest.path();
    let files = folder.files().map_err(|error| BundlerError::folder(folder.root(), error))?;
    let (last, files): (Vec<String>, Vec<String>) = files.into_iter().partition(|path| *path == manifest);
    for path in files.into_iter().chain(last) {
        let bytes = std::fs::read(folder.root().join(&path));
        let bytes = bytes.map_err(|error| BundlerError::folder(&folder.root().join(&path), error))?;
        let key = format!("{}{path}", layout::bundle_prefix(&env.tenant, &env.environment, &plan.id));
        env.store.put(&key, &bytes, env.retention).await?;
    }
    tracing::info!(bundle = %plan.id, holds = merged.evidence.holds(), "bundled");
    Ok(Bundled { id: plan.id.clone(), merged })
}

/// Writes a stored bundle into a folder that must not be there yet; gives the number of files.
///
/// # Errors
/// [`BundlerError::NoBundle`], [`BundlerError::Store`], [`BundlerError::Folder`].
pub async fn fetch(env: &Env, bundle: &Name, out: &Path) -> Result<u64, BundlerError> {
    let manifest = layout::bundle_file(&env.tenant, &env.environment, bundle, &BundleFile::Manifest);
    if env.store.get(&manifest).await?.is_none() {
        return Err(BundlerError::NoBundle(bundle.to_string()));
    }
    let folder = WorkFolder::create(out.to_owned())?;
    let prefix = layout::bundle_prefix(&env.tenant, &env.environment, bundle);
    let mut files = 0_u64;
    for key in env.store.list(&prefix).await? {
        let path = key.strip_prefix(&prefix).filter(|path| BundleFile::parse(path).is_some());
        if let (Some(path), Some(bytes)) = (path, env.store.get(&key).await?) {
            folder.write(path, &bytes)?;
            files = files.saturating_add(1);
        }
    }
    Ok(files)
}
