//! Entry points for fuzzing: each takes any bytes and fails (panics) only if a promise of this crate is broken. The
//! fuzz targets call them, and so do the property tests, so that both hold the same promises.

use crate::{Jwks, Verifier, unverified_issuer};

/// Any bytes are refused as a token, for nobody signed them; any bytes are a set of keys or none.
pub fn token(bytes: &[u8]) {
    let _ = Jwks::parse(bytes);
    let (Ok(token), Ok(keys)) = (std::str::from_utf8(bytes), Jwks::parse(KEYS.as_bytes())) else { return };
    let _ = unverified_issuer(token);
    let verifier = Verifier::new("https://id.example", "affidavit", "groups");
    assert!(verifier.verify(token, &keys, NOW).is_err(), "a token that nobody signed was accepted");
    // What would be looked at after the signature.
    if let Ok(parsed) = crate::token::CompactToken::parse(token)
        && let Ok(claims) = parsed.claims()
    {
        let _ = crate::claims::principal(&claims, "https://id.example", "groups", NOW);
    }
}

/// The point of RFC 7515, appendix A.3.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
const NOW: u64 = 1_795_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds of the fuzz target, each with every single byte changed.
    #[test]
    fn a_damaged_token_is_refused() {
        for seed in [
            include_bytes!("../../../tests/fuzz/seeds/token/id.jwt").as_slice(),
            include_bytes!("../../../tests/fuzz/seeds/token/access.jwt"),
            include_bytes!("../../../tests/fuzz/seeds/token/keys.json"),
        ] {
            token(seed);
            for place in 0..seed.len() {
                let mut bytes = seed.to_vec();
                for value in [b'.', b'"', 0xff, bytes[place] ^ 1] {
                    bytes[place] = value;
                    token(&bytes);
                }
                token(&seed[..place]);
            }
        }
    }
}
