use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

/// What a program proves itself with, from whoever holds it. It is in no file of ours and in no log.
///
/// Contract: what is given is what holds now, never what an earlier call gave: whoever wants to ask less often remembers
/// it. Every call ends within a time of the adapter's own, which its caller may cut short.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The text of a secret, by its ARN: [`SECRET_BYTES_MAX`] at most, usually JSON.
    async fn get(&self, arn: &str) -> Result<Secret, SecretsError>;

    /// A password for one login at a database of RDS, good for fifteen minutes. It says who logs in where, and is sent to
    /// that place alone, over verified TLS.
    async fn database_token(&self, login: &DatabaseLogin<'_>) -> Result<Secret, SecretsError>;
}

/// A login at a database that takes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseLogin<'a> {
    /// Where the database is, e.g. `eu-central-1`.
    pub region: &'a str,
    /// Host name as RDS gives it; another name of the same host is another login.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// Role.
    pub user: &'a str,
}

/// A text that is erased from memory when it is dropped. `Debug` tells its length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// Why there is no secret. No variant carries any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// There is none of this name, or no right to it.
    #[error("{0}: no such secret, or no right to read it")]
    Refused(String),
    /// It is there, and is none that can be used.
    #[error("{0}: {1}")]
    Unusable(String, &'static str),
    /// Its holder is away; the same call may succeed later.
    #[error("{0}: unavailable: {1}")]
    Unavailable(String, Box<dyn std::error::Error + Send + Sync>),
}

impl Secret {
    /// Takes a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// The most that AWS Secrets Manager keeps in one.
pub const SECRET_BYTES_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_say_itself() {
        assert_eq!(format!("{:?}", Secret::new("correct horse".to_owned())), "Secret(13 bytes)");
    }
}
