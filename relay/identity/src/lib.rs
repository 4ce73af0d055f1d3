//! Who is asking: tokens of OpenID Connect issuers, verified, become principals.
//!
//! No I/O: keys come in as a [`Jwks`], time as an argument. Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT),
//! RFC 8693 section 4.1 (`act`), RFC 8725 (best practice: algorithms are bound to keys, types of tokens are told
//! apart, input is limited). A token never appears in an error or a `Debug` text.

mod claims;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod jwks;
mod login;
mod members;
mod principal;
mod token;
mod verifier;

pub use error::TokenError;
pub use jwks::{Jwks, JwksError};
pub use login::Login;
pub use principal::{Kind, Principal};
pub use token::unverified_issuer;
pub use verifier::Verifier;

#[cfg(test)]
mod tests;
