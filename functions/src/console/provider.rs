//! The identity provider that people log in at: its discovery document, its keys, its token endpoint.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use identity::{Jwks, Login, Principal, TokenError, Verifier};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// One OpenID Connect provider, and the console as its public client.
pub struct Provider {
    issuer: String,
    client: String,
    verifier: Verifier,
    discovery: Url,
    loopback: bool,
    /// Made when somebody first logs in, for it reads all of the system's certificate authorities: milliseconds of a start.
    http: OnceLock<Client>,
    known: Mutex<Attempts>,
}

/// A provider that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's URL: {0}")]
pub struct ProviderError(String);

/// Why a login or token did not count. Safe to show: no text holds a part of a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    /// The token itself.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The provider did not take the code.
    #[error("the identity provider did not accept the login; begin it again")]
    Code,
    /// The provider cannot be asked; the log tells why.
    #[error("the identity provider cannot be reached; try again later")]
    Unavailable,
}

/// What discovery and the key set told.
struct Document {
    authorization: Url,
    token: Url,
    keys: Jwks,
    fetched: Instant,
}

#[derive(Default)]
struct Attempts {
    document: Option<Arc<Document>>,
    last: Option<Instant>,
}

impl Provider {
    /// The provider `issuer`, where the console is the client `client`; groups are read from the claim `groups_claim`.
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`ProviderError`] when the issuer is no `https` URL (`http` is accepted for a loopback host).
    pub fn new(issuer: &str, client: &str, groups_claim: &str) -> Result<Self, ProviderError> {
        let url = acceptable(issuer, true).map_err(ProviderError)?;
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = Url::parse(&discovery).map_err(|error| ProviderError(error.to_string()))?;
        Ok(Self {
            issuer: issuer.to_owned(),
            client: client.to_owned(),
            verifier: Verifier::new(issuer, client, groups_claim),
            discovery,
            loopback: is_loopback(&url),
            http: OnceLock::new(),
            known: Mutex::default(),
        })
    }

    fn http(&self) -> Result<&Client, LoginError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        // No redirects: an open redirect at the provider must not choose keys or receive codes.
        let mut http = Client::builder().timeout(EXCHANGE).redirect(reqwest::redirect::Policy::none());
        if self.loopback {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| unavailable("HTTP client", &error.to_string()))?;
        // Two at once make one each; the first stays.
        Ok(self.http.get_or_init(|| http))
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn client(&self) -> &str {
        &self.client
    }

    /// Whose bearer token this is.
    pub(super) async fn authenticate(&self, token: &str, now: u64) -> Result<Principal, LoginError> {
        self.verified(|keys| self.verifier.verify(token, keys, now)).await
    }

    /// Who made this login, for this purpose.
    pub(super) async fn verify_login(&self, token: &str, now: u64, login: &Login<'_>) -> Result<Principal, LoginError> {
        self.verified(|keys| self.verifier.verify_login(token, keys, now, login)).await
    }

    /// The authorization endpoint, to which a browser is sent with these parameters.
    pub(super) async fn authorization(&self, parameters: &[(&str, &str)]) -> Result<Url, LoginError> {
        let mut url = self.document().await?.authorization.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(url)
    }

    /// Redeems a code for an ID token (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
    pub(super) async fn redeem(&self, code: &str, verifier: &str, callback: &str) -> Result<String, LoginError> {
        let endpoint = self.document().await?.token.clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client.as_str()),
            ("redirect_uri", callback),
            ("code", code),
            ("code_verifier", verifier),
        ];
        let (status, body) = self.ask("token endpoint", self.http()?.post(endpoint).form(&form)).await?;
        if status.is_client_error() {
            tracing::info!(%status, "a code was not accepted");
            return Err(LoginError::Code);
        }
        let answer: Option<TokenAnswer> = serde_json::from_slice(&body).ok().filter(|_| status == StatusCode::OK);
        answer
            .map(|answer| answer.id_token)
            .ok_or_else(|| unavailable("token endpoint", "no answer with an `id_token`"))
    }

    /// A provider rotates its keys: a token by an unknown one is worth one more look.
    async fn verified(&self, verify: impl Fn(&Jwks) -> Result<Principal, TokenError>) -> Result<Principal, LoginError> {
        let document = self.document().await?;
        match verify(&document.keys) {
            Err(TokenError::UnknownKey) => match self.newer_than(&document).await {
                Some(newer) => Ok(verify(&newer.keys)?),
                None => Err(TokenError::UnknownKey.into()),
            },
            verified => Ok(verified?),
        }
    }

    async fn document(&self) -> Result<Arc<Document>, LoginError> {
        let mut known = self.known.lock().await;
        if let Some(document) = known.younger_than(FRESH) {
            return Ok(document);
        }
        self.fetch(&mut known).await;
        // Keys that cannot be refreshed cannot be withdrawn either, so they serve on for a while and no longer.
        known.younger_than(SERVE_STALE).ok_or(LoginError::Unavailable)
    }

    async fn newer_than(&self, seen: &Document) -> Option<Arc<Document>> {
        let mut known = self.known.lock().await;
        let newer = |document: &Arc<Document>| document.fetched > seen.fetched;
        if let Some(document) = known.document.clone().filter(newer) {
            return Some(document);
        }
        self.fetch(&mut known).await;
        known.document.clone().filter(newer)
    }

    /// One attempt, unless the last one was only just. What is known stays when it fails.
    async fn fetch(&self, known: &mut Attempts) {
        if known.last.is_some_and(|last| last.elapsed() < BETWEEN_FETCHES) {
            return;
        }
        known.last = Some(Instant::now());
        if let Ok(document) = self.fetch_document().await {
            known.document = Some(Arc::new(document));
        }
    }

    async fn fetch_document(&self) -> Result<Document, LoginError> {
        let document = self.get("discovery", self.discovery.clone()).await?;
        let document: Discovery = serde_json::from_slice(&document)
            .map_err(|_| unavailable("discovery", "no JSON object with the endpoints of a login"))?;
        if document.issuer != self.issuer {
            return Err(unavailable("discovery", "the document is of another issuer"));
        }
        let endpoint = |url: &str| acceptable(url, self.loopback).map_err(|problem| unavailable("discovery", &problem));
        let keys = self.get("key set", endpoint(&document.jwks_uri)?).await?;
        Ok(Document {
            authorization: endpoint(&document.authorization_endpoint)?,
            token: endpoint(&document.token_endpoint)?,
            keys: Jwks::parse(&keys).map_err(|error| unavailable("key set", &error.to_string()))?,
            fetched: Instant::now(),
        })
    }

    async fn get(&self, what: &'static str, url: Url) -> Result<Vec<u8>, LoginError> {
        match self.ask(what, self.http()?.get(url)).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(unavailable(what, status.as_str())),
        }
    }

    async fn ask(&self, what: &'static str, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), LoginError> {
        let failed = |error: reqwest::Error| unavailable(what, &error.without_url().to_string());
        let mut answer = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len().saturating_add(piece.len()) > Jwks::BYTES_MAX {
                return Err(unavailable(what, "the answer is too long"));
            }
            body.extend_from_slice(&piece);
        }
        Ok((answer.status(), body))
    }
}

impl Attempts {
    fn younger_than(&self, age: Duration) -> Option<Arc<Document>> {
        self.document.clone().filter(|document| document.fetched.elapsed() < age)
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.issuer).field("client", &self.client).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

/// An `https` URL, or where `or_loopback` also an `http` one to this machine; nothing that would be sent beside it.
pub(super) fn acceptable(url: &str, or_loopback: bool) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("{url} is no URL: {error}"))?;
    if parsed.scheme() != "https" && !(or_loopback && parsed.scheme() == "http" && is_loopback(&parsed)) {
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

fn unavailable(what: &'static str, problem: &str) -> LoginError {
    tracing::warn!(what, problem, "cannot ask the identity provider");
    LoginError::Unavailable
}

/// For one HTTP exchange.
const EXCHANGE: Duration = Duration::from_secs(5);
/// What is younger is used without asking.
const FRESH: Duration = Duration::from_mins(10);
/// What is younger is used when the provider does not answer.
const SERVE_STALE: Duration = Duration::from_hours(6);
/// Between two attempts, so that tokens with invented keys cause no flood.
const BETWEEN_FETCHES: Duration = Duration::from_secs(5);
