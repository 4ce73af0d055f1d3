//! `local revoke`: the key of one life of the relay is trusted no more.

use functions::revoker::{self, Request};
use relay::config::Config;
use schemas::identifiers::Incarnation;
use schemas::revocation::{Revocation, RevocationReason};

use crate::bundles::{env, signing_env};
use crate::error::Error;
use crate::folder::Folder;

pub(crate) async fn revoke(
    folder: &Folder,
    incarnation: Incarnation,
    log_size: Option<u64>,
    withdrawn: bool,
) -> Result<Revocation, Error> {
    let config = Config::read(&folder.relay_config()).map_err(Error::of("relay"))?;
    let env = signing_env(&env(folder).await?);
    let reason = if withdrawn { RevocationReason::Withdrawn } else { RevocationReason::Compromised };
    let request = Request { relay: config.relay, incarnation, log_size, reason };
    revoker::revoke(&env, request).await.map_err(Error::of("revocation"))
}
