//! The relay's TLS certificate, below an authority of its own.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// PEM texts. The authority's key is not among them: it signed once and is gone, so nobody can certify more with it.
pub(crate) struct Certificates {
    pub(crate) ca: String,
    pub(crate) server: String,
    pub(crate) server_key: String,
}

/// An authority, and below it a certificate for `localhost`, `127.0.0.1` and `::1`.
pub(crate) fn generate(now: SystemTime) -> Result<Certificates, rcgen::Error> {
    let mut authority = params(&[], "Affidavit local CA", now)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut server = params(&["localhost", "127.0.0.1", "::1"], "localhost", now)?;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let server_key = KeyPair::generate()?;
    let server = server.signed_by(&server_key, &authority)?;
    Ok(Certificates { ca: authority.pem(), server: server.pem(), server_key: server_key.serialize_pem() })
}

fn params(names: &[&str], common_name: &str, now: SystemTime) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = now.checked_sub(CLOCK_SKEW).unwrap_or(now).into();
    params.not_after = now.checked_add(VALIDITY).unwrap_or(now).into();
    Ok(params)
}

const CLOCK_SKEW: Duration = Duration::from_hours(1);
/// Thirteen months and a little: the longest that all clients accept.
const VALIDITY: Duration = Duration::from_hours(24 * 397);
