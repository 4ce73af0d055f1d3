//! TLS on both sides, by rustls over aws-lc-rs: the relay's own certificate, and checking the target's.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::postgres::Startup;

use crate::config::{ListenerTls, TargetTls};

/// What is wrong with a certificate or key, for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct TlsError {
    path: String,
    problem: String,
}

impl TlsError {
    /// Nothing to verify a peer against.
    pub(crate) fn without_ca(path: &Path) -> Self {
        problem(path, &"expected CA certificates")
    }
}

/// The listener's side.
///
/// # Errors
/// [`TlsError`] naming the file.
pub(crate) fn server_config(tls: &ListenerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| problem(&tls.key, &e))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| problem(&tls.certificate, &e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| problem(&tls.certificate, &e))?;
    Ok(Arc::new(config))
}

/// The target's side; `None` where the connection says that it speaks plaintext on loopback.
///
/// # Errors
/// [`TlsError`] naming the file.
pub(crate) fn client_config(tls: &TargetTls) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let (path, ca) = match tls {
        TargetTls::Disable => return Ok(None),
        TargetTls::VerifyFull => (Path::new(SYSTEM_ROOTS), certificates(Path::new(SYSTEM_ROOTS))?),
        TargetTls::VerifyFullWith { ca } => (ca.as_path(), certificates(ca)?),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(ca);
    if added == 0 {
        return Err(problem(path, &"expected at least one CA certificate in PEM"));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| problem(path, &e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
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

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = File::open(path).map_err(|e| problem(path, &e))?;
    let chain: Vec<_> = CertificateDer::pem_reader_iter(BufReader::new(file))
        .collect::<Result<_, _>>()
        .map_err(|e| problem(path, &e))?;
    if chain.is_empty() {
        return Err(problem(path, &"expected at least one certificate in PEM"));
    }
    Ok(chain)
}

fn problem(path: &Path, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError { path: path.display().to_string(), problem: problem.to_string() }
}

/// Where Debian, Ubuntu and the relay's image keep the system's roots.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
