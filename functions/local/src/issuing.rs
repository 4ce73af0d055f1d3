//! The small issuer, served.

use std::net::SocketAddr;

use crate::error::Error;
use crate::folder::Folder;
use crate::oidc::Oidc;
use crate::serving::{Bound, Serving};
use crate::settings::Settings;
use crate::tokens::read_mint;
use crate::users::Users;

/// A serving issuer.
pub struct Issuing {
    configured: SocketAddr,
    url: String,
    serving: Serving,
}

impl Issuing {
    /// Serves the issuer of this folder where `local.toml` says.
    ///
    /// # Errors
    /// [`Error`], naming the file or address.
    pub async fn start(folder: &Folder) -> Result<Self, Error> {
        let settings = Settings::read(folder)?;
        let (users, mint) = (Users::read(&folder.users())?, read_mint(folder)?);
        let bound = Bound::listen("issuer", settings.issuer).await?;
        let url = bound.url();
        let serving = bound.serve(Oidc::new(url.clone(), mint, users).router());
        Ok(Self { configured: settings.issuer, url, serving })
    }

    /// Its URL: the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its URL as `local.toml` has it, where the port may be 0.
    #[must_use]
    pub fn configured_url(&self) -> String {
        format!("http://{}", self.configured)
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`Error::Part`] when it had ended by itself.
    pub async fn stop(self) -> Result<(), Error> {
        self.serving.stop().await
    }
}
