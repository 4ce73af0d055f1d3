//! TLS on both sides, by rustls over aws-lc-rs: the relay's own certificate, and checking the target's.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::BytesMut;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::postgres::Startup;
use zeroize::Zeroizing;

use crate::config::TargetTls;

/// What is wrong with a certificate or key, for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct TlsError {
    path: String,
    problem: String,
}

/// The certificate that a listener shows to who comes now.
#[derive(Debug)]
pub(crate) struct ShownCertificate(RwLock<Arc<CertifiedKey>>);

impl ShownCertificate {
    /// From PEM files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read(certificate)?;
        let key = read(key).and_then(|pem| PrivateKeyDer::from_pem_slice(&pem).map_err(|e| problem(key, &e)))?;
        Ok(Self(RwLock::new(certified(certificate, &chain, key)?)))
    }

    /// From PEM texts of the place that `of` names.
    ///
    /// # Errors
    /// [`TlsError`] naming that.
    pub(crate) fn new(of: &str, certificate: &str, key: &str) -> Result<Self, TlsError> {
        let of = Path::new(of);
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| problem(of, &e))?;
        Ok(Self(RwLock::new(certified(of, certificate.as_bytes(), key)?)))
    }

    /// Who comes from now on is shown what `other` shows; who is here stays.
    pub(crate) fn replace(&self, other: &Self) {
        let other = other.now();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// When it ends, seconds since 1970; nothing where that cannot be read.
    pub(crate) fn ends_at(&self) -> Option<u64> {
        crate::validity::ends_at(self.now().cert.first()?)
    }

    fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for ShownCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

/// The listener's side.
///
/// # Errors
/// [`TlsError`].
pub(crate) fn server_config(shown: Arc<ShownCertificate>) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| problem(Path::new("listener"), &e))?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    Ok(Arc::new(config))
}

/// The target's side; `None` where the connection says that it speaks plaintext on loopback.
///
/// # Errors
/// [`TlsError`] naming the file.
pub(crate) fn client_config(tls: &TargetTls) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let path = match tls {
        TargetTls::Disable => return Ok(None),
        TargetTls::VerifyFull => Path::new(SYSTEM_ROOTS),
        TargetTls::VerifyFullWith { ca } => ca.as_path(),
    };
    authorities(path).map(Some)
}

/// The side of who verifies a peer against the CA certificates of this file, and its name.
///
/// # Errors
/// [`TlsError`] naming the file.
pub(crate) fn authorities(path: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    verifying(path, &read(path)?)
}

/// The same with a PEM text of the place that `of` names.
///
/// # Errors
/// [`TlsError`] naming that.
pub(crate) fn authorities_of(of: &str, pem: &str) -> Result<Arc<ClientConfig>, TlsError> {
    verifying(Path::new(of), pem.as_bytes())
}

fn verifying(path: &Path, pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path, pem)?);
    if added == 0 {
        return Err(problem(path, &"expected at least one CA certificate in PEM"));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| problem(path, &e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Asks for TLS on a fresh connection, and says whether it is offered (PostgreSQL, "SSL Session Encryption").
///
/// # Errors
/// The stream's.
pub(crate) async fn request(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut request = BytesMut::new();
    Startup::Ssl.encode(&mut request).map_err(std::io::Error::other)?;
    stream.write_all(&request).await?;
    // Exactly one byte is read before TLS: anything more could have been put there by somebody between.
    Ok(stream.read_u8().await? == b'S')
}

/// How a TLS connection is told in evidence, e.g. `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
pub(crate) fn describe(connection: &rustls::CommonState) -> String {
    let version = connection.protocol_version().and_then(|v| v.as_str().map(str::to_owned));
    let suite = connection.negotiated_cipher_suite().and_then(|s| s.suite().as_str().map(str::to_owned));
    format!("{} {}", version.unwrap_or_default().replace('_', "."), suite.unwrap_or_default())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A key that does not fit the certificate is refused here, and not when somebody comes.
fn certified(path: &Path, chain: &[u8], key: PrivateKeyDer<'static>) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(path, chain)?;
    CertifiedKey::from_der(chain, key, &provider()).map(Arc::new).map_err(|e| problem(path, &e))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|e| problem(path, &e))?;
    if chain.is_empty() {
        return Err(problem(path, &"expected at least one certificate in PEM"));
    }
    Ok(chain)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    std::fs::read(path).map(Zeroizing::new).map_err(|e| problem(path, &e))
}

fn problem(path: &Path, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError { path: path.display().to_string(), problem: problem.to_string() }
}

/// Where Debian, Ubuntu and the relay's image keep the system's roots.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
