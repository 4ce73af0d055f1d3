//! Signing tokens, in the place of a customer's identity provider.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::users::{User, UserKind, Users};

/// The issuer's key (RSA, RS256).
pub struct Mint {
    key: EncodingKey,
    jwk: Jwk,
    kid: String,
}

/// A key or token that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The issuer's key is none.
    #[error("expected an RSA private key in PKCS#8 PEM")]
    Key,
    /// The cryptographic library refused.
    #[error("the token could not be signed")]
    Signing,
    /// The agent's person is not among the users.
    #[error("the person that this agent acts for does not exist")]
    ActsFor,
}

impl Mint {
    /// With the issuer's key in PEM.
    ///
    /// # Errors
    /// [`MintError::Key`].
    pub fn from_pem(pem: &str) -> Result<Self, MintError> {
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| MintError::Key)?;
        let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(|_| MintError::Key)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| MintError::Key)?;
        Ok(Self { key, jwk, kid })
    }

    /// The public key set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Value {
        let mut jwk = json!(self.jwk);
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.kid));
            members.insert("use".to_owned(), json!("sig"));
        }
        json!({ "keys": [jwk] })
    }

    /// A token of `issuer` for `user`, good for `seconds` from `now` (seconds since 1970).
    ///
    /// # Errors
    /// [`MintError`].
    pub fn token(&self, issuer: &str, users: &Users, user: &User, now: u64, seconds: u64) -> Result<String, MintError> {
        let mut claims = json!({
            "iss": issuer,
            "aud": users.audience,
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(seconds),
            "jti": random_id()?,
        });
        let members = claims.as_object_mut().ok_or(MintError::Signing)?;
        match user.kind {
            UserKind::User => members.extend(party(user)),
            UserKind::Service => {
                members.extend(party(user));
                members.insert("client_id".to_owned(), json!(user.name));
            }
            UserKind::Agent => {
                let person = user.acts_for.as_deref().and_then(|name| users.get(name)).ok_or(MintError::ActsFor)?;
                members.extend(party(person));
                members.insert("act".to_owned(), Value::Object(party(user)));
            }
        }
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| MintError::Signing)
    }
}

fn party(user: &User) -> serde_json::Map<String, Value> {
    [("sub", json!(user.name)), ("name", json!(user.full_name)), ("groups", json!(user.groups))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn random_id() -> Result<String, MintError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| MintError::Signing)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
