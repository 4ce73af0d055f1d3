//! The console, as a part of this process.

use std::sync::Arc;

use functions::bundler;
use functions::console::{self, Access, CookieKey, Env, Provider};
use seams::Index;

use crate::bundling::Bundling;
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

    /// Serves, over the store and keys that bundles are made with. The store tells the indexer what is put there.
    pub(crate) fn serve(self, issuer: &str, index: Arc<dyn Index>, bundler: bundler::Env) -> Result<Serving, Error> {
        let provider = Provider::new(issuer, Oidc::CLIENT, "groups").map_err(Error::of("console"))?;
        let cookie_key = CookieKey::generate().map_err(Error::of("random numbers"))?;
        let access = Access { approvers: self.settings.approvers, reviewers: self.settings.reviewers };
        let settings = console::Settings::new(&self.bound.url(), access, cookie_key).map_err(Error::of("console"))?;
        let env = Env {
            store: bundler.store.clone(),
            index,
            keys: bundler.keys.clone(),
            root: bundler.root.clone(),
            tenant: bundler.tenant.clone(),
            environment: bundler.environment.clone(),
            now_us: bundler.now_us.clone(),
            bundles: Arc::new(Bundling::new(bundler)),
            links: None,
            provider: Arc::new(provider),
            settings,
        };
        Ok(self.bound.serve(console::router(env)))
    }
}

#[cfg(test)]
mod tests;
