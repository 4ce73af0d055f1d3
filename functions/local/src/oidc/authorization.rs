//! Authorization requests (OpenID Connect Core 1.0 section 3.1.2.1): what is acceptable, and how a refusal is told.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::Oidc;
use super::pkce::Challenge;

/// The parameters, as they came.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Parameters {
    pub(super) response_type: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) redirect_uri: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: Option<String>,
    pub(super) code_challenge_method: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) login_hint: Option<String>,
}

/// A request that may be answered with a code.
#[derive(Clone)]
pub(super) struct Authorization {
    pub(super) redirect: Url,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) challenge: Challenge,
}

/// Why there is no login.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is not known where an answer may go: the person is told, and nothing is sent anywhere (RFC 6749
    /// section 4.1.2.1; else this were an open redirect).
    Here(&'static str),
    /// The client is told, with an error code of RFC 6749 section 4.1.2.1 or OpenID Connect Core 1.0 section 3.1.2.6.
    Client { redirect: Box<Url>, state: Option<String>, error: &'static str, description: &'static str },
}

impl Parameters {
    pub(super) fn check(&self) -> Result<Authorization, Refusal> {
        if self.client_id.as_deref() != Some(Oidc::CLIENT) {
            return Err(Refusal::Here("client_id: expected affidavit-console"));
        }
        let redirect = self.redirect_uri.as_deref().and_then(loopback_callback);
        let redirect = redirect.ok_or(Refusal::Here(
            "redirect_uri: expected http://127.0.0.1:PORT/callback, the same with [::1] or localhost",
        ))?;
        let state = self.state.clone().filter(|state| (1..=STATE_MAX).contains(&state.len()));
        let refuse = |error, description| Refusal::Client {
            redirect: Box::new(redirect.clone()),
            state: state.clone(),
            error,
            description,
        };
        let invalid = |description| refuse("invalid_request", description);
        if self.response_type.as_deref() != Some("code") {
            return Err(refuse("unsupported_response_type", "response_type: expected code"));
        }
        if !self.scope.as_deref().unwrap_or_default().split(' ').any(|scope| scope == "openid") {
            return Err(refuse("invalid_scope", "scope: expected openid"));
        }
        if self.code_challenge_method.as_deref() != Some("S256") {
            return Err(invalid("code_challenge_method: expected S256"));
        }
        let challenge = self.code_challenge.as_deref().and_then(Challenge::parse);
        let challenge = challenge.ok_or(invalid("code_challenge: expected a SHA-256 in base64url"))?;
        let nonce = self.nonce.clone().filter(|nonce| (1..=NONCE_MAX).contains(&nonce.len()));
        let nonce = nonce.ok_or(invalid("nonce: expected 1 to 255 bytes"))?;
        if self.prompt.as_deref() == Some("none") {
            return Err(refuse("login_required", "nobody stays logged in here"));
        }
        let state = state.clone().ok_or(invalid("state: expected 1 to 512 bytes"))?;
        Ok(Authorization { redirect, state, nonce, challenge })
    }
}

/// RFC 8252 section 7.3: a program on this machine, at whatever port it could get.
fn loopback_callback(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok()?;
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    // Equal to what was given: a URL that needs to be normalised is one that somebody else may read otherwise.
    (url.scheme() == "http" && is_loopback && url.path() == "/callback" && url.as_str() == uri).then_some(())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    bare.then_some(url)
}

/// Bytes; a random one has 43.
const STATE_MAX: usize = 512;
/// Bytes; a random one has 43, a commitment 64.
const NONCE_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_to_a_callback_on_this_machine_alone() {
        for good in ["http://127.0.0.1:7001/callback", "http://[::1]:7001/callback", "http://localhost:1/callback"] {
            assert!(loopback_callback(good).is_some(), "{good}");
        }
        for bad in [
            "https://evil.example/callback",
            "http://evil.example/callback",
            "http://127.0.0.1@evil.example/callback",
            "http://user@127.0.0.1:1/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://localhost.evil.example/callback",
            "http://127.0.0.1:1/callback?next=//evil.example",
            "http://127.0.0.1:1/callback#fragment",
            "http://127.0.0.1:1/callback/../other",
            "http://127.0.0.1:1/other",
            "http:\\\\127.0.0.1:1/callback",
            "http://127.1:1/callback",
            "http://0.0.0.0:1/callback",
            "http://127.0.0.1:1/call\tback",
            "javascript:alert(1)",
            "//127.0.0.1/callback",
            "",
        ] {
            assert!(loopback_callback(bad).is_none(), "{bad}");
        }
    }
}
