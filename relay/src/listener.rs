//! Accepting connections. The loop never waits for a peer: every handshake has a task of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::cores::Cores;
use crate::figures::Figures;
use crate::stop::Stop;

/// A bound listener.
pub(crate) struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    places: Arc<Semaphore>,
}

/// A connection that was just accepted; it holds one of the listener's places until it is dropped.
pub(crate) struct Accepted {
    /// The TCP stream.
    pub(crate) stream: TcpStream,
    /// The peer.
    pub(crate) peer: SocketAddr,
    /// TLS to offer; `None` on a plaintext listener.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// The place held; `None` when the listener is full, and the peer must be told so.
    pub(crate) place: Option<OwnedSemaphorePermit>,
    /// What its core counts.
    pub(crate) figures: Arc<Figures>,
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        max_connections: usize,
    ) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self { socket, tls, places: Arc::new(Semaphore::new(max_connections)) })
    }

    /// The address really bound.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until told to stop, giving each connection to `serve` in a task of its own, on the core that has fewest.
    pub(crate) async fn run<F, S>(self, stop: Stop, cores: Arc<Cores>, tasks: TaskTracker, serve: F)
    where
        F: Fn(Accepted) -> S,
        S: Future<Output = ()> + Send + 'static,
    {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.requested() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let place = Arc::clone(&self.places).try_acquire_owned().ok();
                    let core = cores.place();
                    match core.adopt(stream) {
                        Ok(stream) => {
                            let (tls, figures) = (self.tls.clone(), core.figures());
                            let served = serve(Accepted { stream, peer, tls, place, figures });
                            let runtime = core.runtime().clone();
                            tasks.spawn_on(
                                async move {
                                    served.await;
                                    drop(core);
                                },
                                &runtime,
                            );
                        }
                        Err(error) => warn!(%peer, %error, "cannot serve a connection"),
                    }
                }
                Err(error) => {
                    // Usually EMFILE: waiting a little lets sessions end; a tight loop would only burn the core.
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        info!("listener closed");
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
