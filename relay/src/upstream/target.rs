//! Reaching a target: TCP, then TLS with the name checked, within a time.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::channel::{Channel, tune};
use crate::config::Connection;
use crate::tls;
use crate::upstream::UpstreamError;

/// A target as configured, with its TLS made ready.
#[derive(Clone)]
pub struct Target {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    limit: Duration,
}

/// A connection to a target, before any login.
pub(super) struct Reached {
    /// The stream, nothing read from it yet.
    pub(super) channel: Channel,
    /// How it is protected, as told in evidence.
    pub(super) tls: String,
}

impl Target {
    /// Prepares a configured connection.
    ///
    /// # Errors
    /// When the CA file cannot be used.
    pub(crate) fn new(connection: &Connection) -> Result<Self, tls::TlsError> {
        Ok(Self {
            host: connection.host.clone(),
            port: connection.port,
            tls: tls::client_config(&connection.tls)?,
            limit: Duration::from_secs(connection.connect_seconds),
        })
    }

    /// The time that connecting and logging in may take together.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether what is sent is read by nobody but the host of this name.
    pub(super) fn is_verified(&self) -> bool {
        self.tls.is_some()
    }

    /// Connects and, where configured, negotiates TLS (PostgreSQL, "SSL Session Encryption").
    ///
    /// # Errors
    /// [`UpstreamError`]; the target not offering TLS is an error, never a fall-back.
    pub(super) async fn reach(&self) -> Result<Reached, UpstreamError> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tune(&stream)?;
        let Some(config) = &self.tls else {
            return Ok(Reached { channel: Channel::new(Box::new(stream)), tls: "none".to_owned() });
        };
        if !tls::request(&mut stream).await? {
            return Err(UpstreamError::Tls("the target does not offer TLS".to_owned()));
        }
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| UpstreamError::Tls("the target's host is no valid server name".to_owned()))?;
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|error| UpstreamError::Tls(error.to_string()))?;
        let tls = tls::describe(stream.get_ref().1);
        Ok(Reached { channel: Channel::new(Box::new(stream)), tls })
    }
}
