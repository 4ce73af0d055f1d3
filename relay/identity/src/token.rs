//! The compact form of a signed token (RFC 7515 section 7.1), before anything in it is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::TokenError;
use crate::members::Members;

/// A token cut into its parts; the claims stay undecoded until the signature holds.
pub(crate) struct CompactToken<'a> {
    pub(crate) header: Header,
    /// What is signed: `header.payload`.
    pub(crate) signed: &'a str,
    pub(crate) signature: &'a str,
    payload: &'a str,
}

/// What of the header is used.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// The token says of itself that it is an access token (RFC 9068).
    pub(crate) is_access_token: bool,
}

/// The algorithms a token may be signed with. `none` and every HMAC have no value here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

/// The `iss` of a token whose signature nobody has checked: good for choosing the issuer to check it against,
/// and for nothing else.
///
/// # Errors
/// [`TokenError`] when the token is too long or malformed.
pub fn unverified_issuer(token: &str) -> Result<String, TokenError> {
    let claims = CompactToken::parse(token)?.claims()?;
    match claims.get("iss") {
        Some(Value::String(issuer)) => Ok(issuer.clone()),
        _ => Err(TokenError::Claim { claim: "iss", expected: "a string" }),
    }
}

impl<'a> CompactToken<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_MAX {
            return Err(TokenError::TooLong { limit: TOKEN_MAX });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
        let (header, payload) = signed.split_once('.').ok_or(NOT_THREE_PARTS)?;
        if payload.contains('.') {
            return Err(NOT_THREE_PARTS);
        }
        Ok(Self { header: Header::read(&object(header)?)?, signed, signature, payload })
    }

    pub(crate) fn claims(&self) -> Result<Members, TokenError> {
        object(self.payload)
    }
}

impl Header {
    fn read(header: &Members) -> Result<Self, TokenError> {
        if header.get("crit").is_some() {
            return Err(TokenError::Header { header: "crit" });
        }
        let is_access_token = match header.get("typ") {
            None => false,
            Some(Value::String(typ)) if typ.eq_ignore_ascii_case("JWT") => false,
            Some(Value::String(typ)) if ACCESS_TYPES.iter().any(|known| typ.eq_ignore_ascii_case(known)) => true,
            Some(_) => return Err(TokenError::Header { header: "typ" }),
        };
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenError::Header { header: "kid" }),
        };
        Ok(Self { algorithm: algorithm.ok_or(TokenError::Algorithm)?, kid, is_access_token })
    }
}

impl Algorithm {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

fn object(part: &str) -> Result<Members, TokenError> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed { problem: "a part is not base64url without padding" })?;
    serde_json::from_slice(&json)
        .map_err(|_| TokenError::Malformed { problem: "a part is not a JSON object with distinct member names" })
}

const NOT_THREE_PARTS: TokenError = TokenError::Malformed { problem: "expected three parts separated by dots" };

/// Bytes. Tokens with two hundred groups take about 8 KiB; the password message that carries one is limited too.
const TOKEN_MAX: usize = 16 * 1024;

/// Access tokens (RFC 9068); ID tokens have no type or `JWT`. Others, such as logout and proof tokens, are by the same
/// issuers under the same keys and mean something else (RFC 8725 section 3.11).
const ACCESS_TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
