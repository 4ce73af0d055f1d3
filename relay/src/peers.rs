//! Cancel requests that reached another relay than the one they are for.
//!
//! A `CancelRequest` is a connection of its own, so behind a load balancer it reaches any of the relays. What is for none
//! of a relay's own sessions it passes on to all its peers, over TLS with their names verified. The secret is marked as
//! passed on, and a relay never passes on what is: so a request makes one step, however the peers are wired.
//!
//! Without a session's secret nobody can do anything with this but make work: one connection to each peer for each
//! request, so many at a time, for so long, and no more. What is beyond that is dropped, as PostgreSQL itself promises
//! nothing of cancel requests. Peers answer nothing, as a server does.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use wire::postgres::Startup;

use crate::channel::tune;
use crate::config::Peer;
use crate::tls;

/// The other relays, with their TLS made ready.
pub(crate) struct Peers {
    peers: Vec<Peer>,
    tls: Arc<PeersTls>,
    places: Semaphore,
}

/// What peers are verified against; it may be replaced while they are.
pub(crate) struct PeersTls(RwLock<Arc<ClientConfig>>);

/// The secret of a request as it came, without the mark, and whether it had the mark: then it is not passed on.
pub(crate) fn received(secret: &[u8]) -> (&[u8], bool) {
    match secret.strip_suffix(PASSED_ON) {
        Some(secret) => (secret, true),
        None => (secret, false),
    }
}

impl Peers {
    /// Peers that are verified by this.
    pub(crate) fn new(peers: Vec<Peer>, tls: Arc<PeersTls>) -> Self {
        Self { peers, tls, places: Semaphore::new(REQUESTS_MAX) }
    }

    /// Passes a request on to every peer; returns when all have taken it or time is up.
    pub(crate) async fn pass_on(&self, process_id: i32, secret: &[u8]) {
        // No relay gives out others.
        if !SECRET_LENGTHS.contains(&secret.len()) {
            return;
        }
        let Ok(_place) = self.places.try_acquire() else {
            return tracing::warn!("a cancel request is dropped: {REQUESTS_MAX} are being passed on already");
        };
        let mut packet = BytesMut::new();
        let secret = Bytes::from([secret, PASSED_ON].concat());
        if (Startup::Cancel { process_id, secret }).encode(&mut packet).is_err() {
            return;
        }
        let packet = packet.freeze();
        // What is still under way when it is dropped ends.
        let mut sending = JoinSet::new();
        let all = async {
            for (name, address) in self.addresses().await {
                sending.spawn(send(self.tls.now(), name, address, packet.clone()));
            }
            while let Some(sent) = sending.join_next().await {
                if let Ok(Err(error)) = sent {
                    tracing::warn!(%error, "cannot pass a cancel request on to a peer");
                }
            }
        };
        if tokio::time::timeout(LIMIT, all).await.is_err() {
            tracing::warn!("passing a cancel request on to all peers took too long");
        }
    }

    /// Every address of every peer.
    async fn addresses(&self) -> Vec<(ServerName<'static>, SocketAddr)> {
        let mut found = Vec::new();
        for Peer { host, port } in &self.peers {
            let Ok(name) = ServerName::try_from(host.clone()) else { continue };
            match tokio::net::lookup_host((host.as_str(), *port)).await {
                Ok(addresses) => found.extend(addresses.map(|address| (name.clone(), address))),
                Err(error) => tracing::warn!(%error, peer = %host, "a peer has no address"),
            }
        }
        found.truncate(ADDRESSES_MAX);
        found
    }
}

impl PeersTls {
    pub(crate) fn new(tls: Arc<ClientConfig>) -> Self {
        Self(RwLock::new(tls))
    }

    pub(crate) fn replace(&self, tls: Arc<ClientConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tls;
    }

    fn now(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn send(tls: Arc<ClientConfig>, name: ServerName<'static>, address: SocketAddr, packet: Bytes) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    tune(&stream)?;
    if !tls::request(&mut stream).await? {
        return Err(io::Error::other("the peer does not offer TLS"));
    }
    let mut stream = TlsConnector::from(tls).connect(name, stream).await?;
    stream.write_all(&packet).await?;
    stream.flush().await?;
    // It closes once it has passed the wish on to the session.
    let _ = stream.read(&mut [0; 1]).await;
    Ok(())
}

/// Ends the secret of a request that a relay passes on. Protocol 3.2 allows secrets of 256 bytes.
const PASSED_ON: &[u8] = b"/passed-on-by-affidavit";
/// Of the secrets that relays give out, by protocol version.
const SECRET_LENGTHS: [usize; 2] = [crate::cancel::SECRET_BYTES_3_0, crate::cancel::SECRET_BYTES_3_2];
/// Requests that are passed on at a time.
const REQUESTS_MAX: usize = 16;
/// Of all peers together.
const ADDRESSES_MAX: usize = 64;
/// A client that asked to cancel waits for this.
const LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn what_was_passed_on_is_recognised_and_its_secret_is_the_session_s() {
        assert_eq!(received(b"four"), (b"four" as &[u8], false));
        assert_eq!(received(&[b"four", PASSED_ON].concat()), (b"four" as &[u8], true));
        assert!(SECRET_LENGTHS.iter().all(|length| length + PASSED_ON.len() <= 256));
    }

    #[tokio::test]
    async fn as_many_go_on_at_a_time_as_there_are_places_and_only_with_secrets_that_relays_give() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&ca, authority.self_signed(&key).unwrap().pem()).unwrap();
        let host = "127.0.0.1".to_owned();
        let tls = Arc::new(PeersTls::new(tls::authorities(&ca).unwrap()));
        let peers = Peers::new(vec![Peer { host, port }], tls);
        peers.pass_on(7, b"no secret of ours").await;
        let asking = (0..2 * REQUESTS_MAX).map(|_| peers.pass_on(7, b"four"));
        let mut asking: Vec<_> = asking.map(Box::pin).collect();
        // Nobody answers: all that have a place wait.
        let _ = tokio::time::timeout(
            Duration::from_millis(300),
            std::future::poll_fn(|cx| {
                asking.retain_mut(|one| one.as_mut().poll(cx).is_pending());
                std::task::Poll::<()>::Pending
            }),
        )
        .await;
        assert_eq!(asking.len(), REQUESTS_MAX, "the others were dropped");
        let mut came = 0;
        while tokio::time::timeout(Duration::from_millis(100), listener.accept()).await.is_ok() {
            came += 1;
        }
        assert_eq!(came, REQUESTS_MAX);
    }
}
