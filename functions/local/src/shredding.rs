//! `local shred`: one session's key is destroyed.

use functions::{shredder, trust};
use schemas::identifiers::SessionId;
use schemas::shredding::SessionShredded;

use crate::bundles::{env, signing_env};
use crate::error::Error;
use crate::folder::Folder;

/// Shreds a session that has ended. Works beside a running `local`.
///
/// # Errors
/// [`Error`], naming the part.
pub async fn shred(folder: &Folder, session: &SessionId) -> Result<SessionShredded, Error> {
    let env = signing_env(&env(folder).await?);
    // Whoever verifies the statement takes its key from there.
    trust::certify(&env).await.map_err(Error::of("keys"))?;
    shredder::shred(&env, session).await.map_err(Error::of("shred"))
}
