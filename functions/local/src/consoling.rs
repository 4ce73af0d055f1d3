//! The console, as a part of this process.

use std::sync::Arc;

use functions::console::{self, Access, CookieKey, Env, Provider};
use relay::clock::{Clock, SystemClock};
use seams::{EvidenceStore, Index, KeyName, Keys};

use crate::error::Error;
use crate::folder::Folder;
use crate::oidc::Oidc;
use crate::serving::{Bound, Serving};
use crate::settings::{Console, Settings};

/// The console's address, before it serves: the relay tells it to clients.
pub(crate) struct Consoling {
    bound: Bound,
    settings: Console,
}

impl Consoling {
    /// Listens where `local.toml` says.
    pub(crate) async fn listen(folder: &Folder) -> Result<Self, Error> {
        let settings = Settings::read(folder)?.console;
        Ok(Self { bound: Bound::listen("console", settings.listen).await?, settings })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.bound.url()
    }

    /// Serves. `store` tells the indexer what is put there.
    pub(crate) async fn serve(
        self,
        issuer: &str,
        store: Arc<dyn EvidenceStore>,
        index: Arc<dyn Index>,
        keys: Arc<dyn Keys>,
    ) -> Result<Serving, Error> {
        let failed = Error::of("console");
        let root = keys.public_key(KeyName::Certificates).await.map_err(Error::of("keys"))?;
        let provider = Provider::new(issuer, Oidc::CLIENT, "groups").map_err(Error::of("console"))?;
        let cookie_key = CookieKey::generate().map_err(Error::of("random numbers"))?;
        let access = Access { approvers: self.settings.approvers, reviewers: self.settings.reviewers };
        let settings = console::Settings::new(&self.bound.url(), access, cookie_key).map_err(failed)?;
        let env = Env {
            store,
            index,
            keys,
            root,
            provider: Arc::new(provider),
            settings,
            now_us: Arc::new(|| SystemClock.now_us()),
        };
        Ok(self.bound.serve(console::router(env)))
    }
}

#[cfg(test)]
mod tests;
