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
        F: Fn(Accepted) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let serve = Arc::new(serve);
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.requested() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let place = Arc::clone(&self.places).try_acquire_owned().ok();
                    let (Some(core), Ok(stream)) = (cores.place(), stream.into_std()) else {
                        warn!(%peer, "cannot give a connection to the thread that would serve it");
                        continue;
                    };
                    let runtime = core.runtime().clone();
                    let (tls, serve) = (self.tls.clone(), Arc::clone(&serve));
                    let served = async move {
                        let _core = core;
                        // Its readiness is told to the runtime that it is served on.
                        match TcpStream::from_std(stream) {
                            Ok(stream) => serve(Accepted { stream, peer, tls, place }).await,
                            Err(error) => warn!(%peer, %error, "cannot serve a connection"),
                        }
                    };
                    tasks.spawn_on(served, &runtime);
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
