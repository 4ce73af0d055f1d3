//! Signing tokens, in the place of a customer's identity provider.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

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
        let mut members = envelope(issuer, &users.audience, now, seconds)?;
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
        self.sign("JWT", &members)
    }

    /// An ID token (OpenID Connect Core 1.0 section 2) of a person for a client, with the claims about the `login`.
    ///
    /// # Errors
    /// [`MintError`].
    pub fn id_token(
        &self,
        issuer: &str,
        client: &str,
        person: &User,
        login: Value,
        now: u64,
        seconds: u64,
    ) -> Result<String, MintError> {
        let Value::Object(login) = login else { return Err(MintError::Signing) };
        let mut members = envelope(issuer, client, now, seconds)?;
        members.extend(party(person));
        members.extend(login);
        self.sign("JWT", &members)
    }

    /// An access token (RFC 9068) of a person for one audience.
    ///
    /// # Errors
    /// [`MintError`].
    pub fn access_token(
        &self,
        issuer: &str,
        audience: &str,
        person: &User,
        now: u64,
        seconds: u64,
    ) -> Result<String, MintError> {
        let mut members = envelope(issuer, audience, now, seconds)?;
        members.extend(party(person));
        self.sign("at+jwt", &members)
    }

    fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, MintError> {
        let header = Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|_| MintError::Signing)
    }

    /// An hour, as identity providers usually give.
    pub const TOKEN_SECONDS: u64 = 3600;
}

/// The claims that every token has.
fn envelope(issuer: &str, audience: &str, now: u64, seconds: u64) -> Result<Map<String, Value>, MintError> {
    let claims = [
        ("iss", json!(issuer)),
        ("aud", json!(audience)),
        ("iat", json!(now)),
        ("nbf", json!(now)),
        ("exp", json!(now.saturating_add(seconds))),
        ("jti", json!(random_id()?)),
    ];
    Ok(claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn party(user: &User) -> Map<String, Value> {
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
