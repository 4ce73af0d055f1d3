//! Why a token was refused.

/// Why a token was refused. Every text is safe for the client and the log: none holds any part of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token should be.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not a compact JWS of base64url parts that hold JSON objects.
    #[error("the token is malformed: {problem}")]
    Malformed {
        /// What was expected, in words of ours.
        problem: &'static str,
    },
    /// `alg` is `none`, an HMAC, or another that is not RS256, PS256, ES256 or EdDSA.
    #[error("the token's algorithm is not accepted; expected RS256, PS256, ES256 or EdDSA")]
    Algorithm,
    /// A header that changes the token's meaning: an unknown `typ`, or any `crit` (RFC 7515 section 4.1.11).
    #[error("the token's header `{header}` is not accepted")]
    Header {
        /// The header's name.
        header: &'static str,
    },
    /// The issuer's keys hold none of that `kid`: it may have rotated, so fetch them again.
    #[error("the token is signed by a key its issuer does not publish")]
    UnknownKey,
    /// No `kid`, and the issuer publishes several keys; or several keys share the `kid` and fit.
    #[error("the token does not say by which of its issuer's keys it is signed")]
    AmbiguousKey,
    /// The key of that `kid` is not of the type that `alg` needs, or is reserved for another algorithm.
    #[error("the token's algorithm does not fit its issuer's key")]
    KeyMismatch,
    /// The signature is not by that key.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is absent, or not of the shape or value it must have.
    #[error("the token's claim `{claim}` is not acceptable: expected {expected}")]
    Claim {
        /// The claim's name.
        claim: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// Past its `exp`.
    #[error("the token has expired")]
    Expired,
    /// Before its `nbf` or `iat`, beyond the leeway.
    #[error("the token is not valid yet (clocks may differ)")]
    NotYetValid,
}
