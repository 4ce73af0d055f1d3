//! Plain HTTP on loopback: what in the cloud API Gateway does.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::Error;

/// An address that is ours, before anything is served there.
pub(crate) struct Bound {
    part: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

/// A serving router.
pub(crate) struct Serving {
    part: &'static str,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Bound {
    /// Listens there; port 0 takes a free one.
    pub(crate) async fn listen(part: &'static str, address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { what: part, address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { part, listener, address })
    }

    /// `http://` and the address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn serve(self, router: Router) -> Serving {
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(self.listener, router).with_graceful_shutdown(async move {
            // A dropped sender is as good as a message.
            let _ = stopped.await;
        });
        Serving { part: self.part, stop, served: tokio::spawn(serving.into_future()) }
    }
}

impl Serving {
    /// Lets requests finish, and stops.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        // A receiver that is gone means that it ended by itself, which `served` tells.
        let _ = self.stop.send(());
        let abort = self.served.abort_handle();
        match tokio::time::timeout(LAST_REQUESTS, self.served).await {
            Ok(served) => served.map_err(Error::of(self.part))?.map_err(Error::of(self.part)),
            Err(_) => {
                // Browsers keep connections open that they never use.
                abort.abort();
                Ok(())
            }
        }
    }
}

/// Requests take milliseconds; who has not finished by then is not asking.
const LAST_REQUESTS: Duration = Duration::from_secs(3);
