//! A bundle's name: when it was planned, and a digest of what it is made of.

use schemas::canonical;
use schemas::digest::Sha256Digest;
use schemas::identifiers::Name;
use schemas::instant::rfc3339;
use schemas::period::Period;
use serde::Serialize;

use super::{BundlerError, Env, Part};

#[derive(Serialize)]
struct Named<'a> {
    tenant: &'a Name,
    environment: &'a Name,
    period: Period,
    made_us: u64,
    parts: &'a [Part],
}

/// `20261120t100304z-0123456789abcdef`
pub(super) fn of(env: &Env, period: Period, made_us: u64, parts: &[Part]) -> Result<Name, BundlerError> {
    let named = Named { tenant: &env.tenant, environment: &env.environment, period, made_us, parts };
    let digest = Sha256Digest::of(&canonical::to_vec(&named)?).to_string();
    let time: String = rfc3339(made_us).chars().take(SECONDS_LENGTH).filter(char::is_ascii_alphanumeric).collect();
    let digits: String = digest.chars().take(DIGEST_DIGITS).collect();
    let name = format!("{}z-{digits}", time.to_ascii_lowercase());
    name.parse().map_err(|_| schemas::Error::Bug("a bundle's name").into())
}

/// `2026-11-20T10:03:04`
const SECONDS_LENGTH: usize = 19;
/// 64 bits keep two bundles of the same second apart.
const DIGEST_DIGITS: usize = 16;
