//! What the console remembers of a browser, kept by the browser: sealed, so that nobody reads, changes or makes it.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Settings;

/// The key that cookies are sealed with (AES-256-GCM). Every instance of a console needs the same one.
#[derive(Clone)]
pub struct CookieKey(Arc<RandomizedNonceKey>);

/// One of the console's cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Who is logged in.
    Session,
    /// A login under way.
    Login,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    /// Seconds since 1970.
    until: u64,
    value: T,
}

impl CookieKey {
    /// A fresh key: whoever is logged in must log in again.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn generate() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes)?;
        Self::from_bytes(&bytes)
    }

    /// With this key.
    ///
    /// # Errors
    /// When the cryptographic library refuses it.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, aws_lc_rs::error::Unspecified> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(|key| Self(Arc::new(key)))
    }
}

impl Settings {
    /// A `Set-Cookie` value that holds `value` for so many seconds from `now`; none when it would be too long.
    pub(super) fn seal<T: Serialize>(&self, cookie: Cookie, value: T, now: u64, seconds: u64) -> Option<HeaderValue> {
        let mut bytes = serde_json::to_vec(&Sealed { until: now.saturating_add(seconds), value }).ok()?;
        let aad = Aad::from(cookie.label());
        let nonce = self.cookie_key.0.seal_in_place_append_tag(aad, &mut bytes).ok()?;
        let sealed = URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &bytes].concat());
        let text = format!("{}={sealed}; Max-Age={seconds}{}", self.name(cookie), self.attributes());
        (text.len() <= COOKIE_MAX).then_some(())?;
        HeaderValue::try_from(text).ok()
    }

    /// What the browser's cookie holds, if it is ours and its time is not over.
    pub(super) fn open<T: DeserializeOwned>(&self, cookie: Cookie, headers: &HeaderMap, now: u64) -> Option<T> {
        let name = self.name(cookie);
        let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut all = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, sealed) = all.find(|(known, _)| *known == name)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, ciphertext) = sealed.split_first_chunk::<12>()?;
        let (mut bytes, nonce) = (ciphertext.to_vec(), Nonce::assume_unique_for_key(*nonce));
        let opened = self.cookie_key.0.open_in_place(nonce, Aad::from(cookie.label()), &mut bytes).ok()?;
        let sealed: Sealed<T> = serde_json::from_slice(opened).ok()?;
        (now < sealed.until).then_some(sealed.value)
    }

    /// A `Set-Cookie` value that takes the cookie away.
    pub(super) fn forget(&self, cookie: Cookie) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{}=; Max-Age=0{}", self.name(cookie), self.attributes())).ok()
    }

    /// `__Host-` keeps other hosts of the domain from setting it (RFC 6265bis section 4.1.3.2); it needs TLS.
    fn name(&self, cookie: Cookie) -> String {
        format!("{}{}", if self.is_secure() { "__Host-" } else { "" }, cookie.label())
    }

    /// `Lax`, for the identity provider sends the browser back from another site.
    fn attributes(&self) -> &'static str {
        if self.is_secure() { "; Path=/; HttpOnly; SameSite=Lax; Secure" } else { "; Path=/; HttpOnly; SameSite=Lax" }
    }
}

impl Cookie {
    /// Its name, and what a sealed value is bound to.
    fn label(self) -> &'static str {
        match self {
            Self::Session => "affidavit-session",
            Self::Login => "affidavit-login",
        }
    }
}

impl std::fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieKey(32 bytes)")
    }
}

/// Bytes; what every browser keeps (RFC 6265 section 6.1).
const COOKIE_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Access;

    fn settings(url: &str) -> Settings {
        Settings::new(url, Access::default(), CookieKey::generate().unwrap()).unwrap()
    }

    fn sent_back(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(format!("a=b; {pair}; c=d")).unwrap())])
    }

    #[test]
    fn a_cookie_is_ours_untouched_for_its_purpose_and_its_time_or_nothing() {
        let ours = settings("http://127.0.0.1:1");
        let set = ours.seal(Cookie::Session, "bob", 100, 60).unwrap();
        let headers = sent_back(&set);
        let open =
            |settings: &Settings, headers: &HeaderMap, now| settings.open::<String>(Cookie::Session, headers, now);
        assert_eq!(open(&ours, &headers, 159).as_deref(), Some("bob"));
        assert_eq!(open(&ours, &headers, 160), None, "too late");
        assert_eq!(open(&settings("http://127.0.0.1:1"), &headers, 100), None, "another key");
        assert_eq!(open(&ours, &HeaderMap::new(), 100), None);
        let text = headers["cookie"].to_str().unwrap().to_owned();
        let renamed = text.replace("affidavit-session", "affidavit-login");
        let renamed = HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(renamed).unwrap())]);
        assert_eq!(ours.open::<String>(Cookie::Login, &renamed, 100), None, "another purpose");
        for at in text.find("session=").unwrap() + 8..text.find("; c=d").unwrap() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&bytes).unwrap())]);
            assert_eq!(open(&ours, &changed, 100), None, "changed at {at}");
        }
    }

    #[test]
    fn scripts_and_other_sites_never_have_it_and_with_tls_nobody_else_sets_it() {
        let plain = settings("http://127.0.0.1:1").seal(Cookie::Login, (), 0, 1).unwrap();
        assert!(plain.to_str().unwrap().ends_with("; Max-Age=1; Path=/; HttpOnly; SameSite=Lax"));
        let secure = settings("https://console.example").seal(Cookie::Login, (), 0, 1).unwrap();
        let secure = secure.to_str().unwrap();
        assert!(secure.starts_with("__Host-affidavit-login=") && secure.ends_with("; Secure"), "{secure}");
        assert!(settings("https://console.example").seal(Cookie::Login, "x".repeat(4000), 0, 1).is_none());
    }
}
