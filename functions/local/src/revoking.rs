//! `local revoke`: the key of one life of the relay is trusted no more.

use std::sync::Arc;

use functions::revoker::{self, Request};
use relay::clock::{Clock, SystemClock};
use relay::config::Config;
use schemas::identifiers::Incarnation;
use schemas::revocation::{Revocation, RevocationReason};
use seams::{FileStore, KeyFiles, Retention};

use crate::error::Error;
use crate::folder::Folder;
use crate::oidc::now;

pub(crate) async fn revoke(
    folder: &Folder,
    incarnation: Incarnation,
    log_size: Option<u64>,
    withdrawn: bool,
) -> Result<Revocation, Error> {
    let config = Config::read(&folder.relay_config()).map_err(Error::of("relay"))?;
    let env = revoker::Env {
        keys: Arc::new(KeyFiles::open(&folder.keys()).map_err(Error::of("keys"))?),
        store: Arc::new(FileStore::open(folder.evidence(), now).map_err(Error::of("evidence store"))?),
        tenant: config.tenant,
        environment: config.environment,
        retention: Retention::days(config.evidence.retain_days),
        now_us: Arc::new(|| SystemClock.now_us()),
    };
    let reason = if withdrawn { RevocationReason::Withdrawn } else { RevocationReason::Compromised };
    let request = Request { relay: config.relay, incarnation, log_size, reason };
    revoker::revoke(&env, request).await.map_err(Error::of("revocation"))
}
