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
pub(super) fn of(env: &Env, period: Period, made_us: u64, parts: &[Part]) -> Result<String, BundlerError> {
    let named = Named { tenant: &env.tenant, environment: &env.environment, period, made_us, parts };
    let digest = Sha256Digest::of(&canonical::to_vec(&named)?).to_string();
    let (seconds, _) = rfc3339(made_us).split_at_checked(SECONDS_LENGTH).map(|(s, f)| (s.to_owned(), f.to_owned())).unwrap_or_default();
    let time: String = seconds.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
    let digits: String = digest.chars().take(DIGEST_DIGITS).collect();
    Ok(format!("{time}z-{digits}"))
}

/// `2026-11-20T10:03:04`
const SECONDS_LENGTH: usize = 19;
/// 64 bits keep two bundles of the same second apart.
const DIGEST_DIGITS: usize = 16;
