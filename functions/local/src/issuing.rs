//! The small issuer, served.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::folder::Folder;
use crate::oidc::Oidc;
use crate::settings::Settings;
use crate::tokens::read_mint;
use crate::users::Users;

/// A serving issuer.
pub struct Issuing {
    configured: SocketAddr,
    url: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Issuing {
    /// Serves the issuer of this folder where `local.toml` says.
    ///
    /// # Errors
    /// [`Error`], naming the file or address.
    pub async fn start(folder: &Folder) -> Result<Self, Error> {
        let settings = Settings::read(folder)?;
        let (users, mint) = (Users::read(&folder.users())?, read_mint(folder)?);
        let (listener, address) = bind(settings.issuer).await?;
        let url = format!("http://{address}");
        let router = Oidc::new(url.clone(), mint, users).router();
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
            // A dropped sender is as good as a message.
            let _ = stopped.await;
        });
        let served = tokio::spawn(serving.into_future());
        Ok(Self { configured: settings.issuer, url, stop, served })
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
        // A receiver that is gone means that it ended by itself, which `served` tells.
        let _ = self.stop.send(());
        self.served.await.map_err(Error::of("issuer"))?.map_err(Error::of("issuer"))
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { what: "issuer", address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
