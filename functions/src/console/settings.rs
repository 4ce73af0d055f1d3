//! Where the console is, and who may do what there.

use reqwest::Url;

use super::CookieKey;
use super::provider;

/// Where the console is, and who may do what there.
#[derive(Debug, Clone)]
pub struct Settings {
    origin: String,
    secure: bool,
    pub(super) access: Access,
    pub(super) cookie_key: CookieKey,
}

/// Who may do what, by the groups that tokens claim. It keeps people away from what they need not see; whether a
/// decision counts is for the relay's policy to say.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// May see requests for approval and decide on them.
    pub approvers: Vec<String>,
    /// May see requests, sessions and bundles.
    pub reviewers: Vec<String>,
}

/// Settings that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The console's address.
    #[error("the console's URL: {0}")]
    Url(String),
}

impl Settings {
    /// The console under `url`, as browsers reach it: `https`, or `http` on a loopback host; without a path.
    ///
    /// # Errors
    /// [`SettingsError::Url`].
    pub fn new(url: &str, access: Access, cookie_key: CookieKey) -> Result<Self, SettingsError> {
        let parsed = provider::acceptable(url, true).map_err(SettingsError::Url)?;
        if parsed.path() != "/" || parsed.query().is_some() {
            return Err(SettingsError::Url(format!("{url} has a path or a query; expected none")));
        }
        let origin = Url::origin(&parsed).ascii_serialization();
        Ok(Self { origin, secure: parsed.scheme() == "https", access, cookie_key })
    }

    /// Scheme, host and port, as a browser's `Origin` header has them.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Where the identity provider sends people back to.
    pub(super) fn callback(&self) -> String {
        format!("{}/callback", self.origin)
    }

    /// Whether it is reached by TLS; else only from this machine.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }
}
