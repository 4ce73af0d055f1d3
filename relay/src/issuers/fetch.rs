//! Discovery (OpenID Connect Discovery 1.0 section 4) and the key set, over HTTP.

use std::net::IpAddr;
use std::time::Duration;

use identity::{Jwks, JwksError};
use reqwest::{Client, Url};
use serde::Deserialize;

/// Where one issuer publishes its keys.
pub(super) struct Endpoint {
    issuer: String,
    discovery: Url,
    client: Client,
    loopback: bool,
}

/// Why keys could not be fetched, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{what}: {source}")]
    Exchange {
        what: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("{what}: the answer has status {status}, expected 200")]
    Status { what: &'static str, status: u16 },
    #[error("{what}: the answer is longer than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("the discovery document is not a JSON object with `issuer` and `jwks_uri`")]
    NotDiscovery,
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
    #[error("the discovery document's `jwks_uri` is not acceptable: {0}")]
    KeysAddress(String),
    #[error("{0}")]
    Keys(#[from] JwksError),
}

impl Endpoint {
    /// `Err` tells what is wrong with the issuer's URL.
    pub(super) fn new(issuer: &str, exchange: Duration) -> Result<Self, String> {
        let url = acceptable(issuer, true)?;
        let loopback = is_loopback(&url);
        // No redirects: an open redirect at the issuer must not choose the keys.
        let mut client = Client::builder().timeout(exchange).redirect(reqwest::redirect::Policy::none());
        if loopback {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| format!("no HTTP client can be made: {error}"))?;
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = Url::parse(&discovery).map_err(|error| format!("{error}"))?;
        Ok(Self { issuer: issuer.to_owned(), discovery, client, loopback })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) async fn keys(&self) -> Result<Jwks, FetchError> {
        let discovery = self.get("discovery", self.discovery.clone(), DISCOVERY_MAX).await?;
        let discovery: Discovery = serde_json::from_slice(&discovery).map_err(|_| FetchError::NotDiscovery)?;
        if discovery.issuer != self.issuer {
            return Err(FetchError::OtherIssuer);
        }
        let address = acceptable(&discovery.jwks_uri, self.loopback).map_err(FetchError::KeysAddress)?;
        let keys = self.get("key set", address, Jwks::BYTES_MAX).await?;
        Ok(Jwks::parse(&keys)?)
    }

    async fn get(&self, what: &'static str, url: Url, limit: usize) -> Result<Vec<u8>, FetchError> {
        let failed = |source| FetchError::Exchange { what, source };
        let mut answer = self.client.get(url).send().await.map_err(failed)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status { what, status: answer.status().as_u16() });
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len().saturating_add(piece.len()) > limit {
                return Err(FetchError::TooLong { what, limit });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// An `https` URL, or where `or_loopback` also an `http` one to this machine; nothing that would be sent beside it.
fn acceptable(url: &str, or_loopback: bool) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("{url} is not a URL: {error}"))?;
    let secure = parsed.scheme() == "https" || (or_loopback && parsed.scheme() == "http" && is_loopback(&parsed));
    if !secure {
        return Err(format!("{url} is not https (http is accepted for a loopback host alone)"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err("expected a URL without user, password and fragment".to_owned());
    }
    Ok(parsed)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Bytes; documents in the wild have 1 to 4 KiB.
const DISCOVERY_MAX: usize = 64 * 1024;
