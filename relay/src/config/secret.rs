//! What a secret of AWS Secrets Manager holds instead of a file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The ARN of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretArn(String);

/// Where CA certificates come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected the path of a PEM file, or { secret = \"arn:…\" } with the member `ca`"
)]
pub enum Authorities {
    /// A PEM file.
    File(PathBuf),
    /// The member `ca` of a secret's JSON.
    Secret {
        /// The secret.
        secret: SecretArn,
    },
}

impl SecretArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SecretArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SecretArn {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_one =
            text.starts_with("arn:") && text.len() <= ARN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(Self(text)) } else { Err("expected the ARN of a secret, arn:aws:secretsmanager:…") }
    }
}

impl Authorities {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            super::rebase(folder, path);
        }
    }
}

/// Secrets Manager's own limit.
const ARN_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::super::{Connection, Listener, ListenerTls, PasswordSource, Peers};
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:clinic-AbCdEf";

    fn arn() -> SecretArn {
        SecretArn::try_from(ARN.to_owned()).unwrap()
    }

    fn listener(tls: &str) -> Result<Option<ListenerTls>, String> {
        let text = format!("bind = \"0.0.0.0:5432\"\ntls = {tls}");
        toml::from_str::<Listener>(&text).map(|listener| listener.tls).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_is_two_files_or_a_secret_and_nothing_between() {
        assert_eq!(
            listener(&format!("{{ secret = \"{ARN}\" }}")).unwrap(),
            Some(ListenerTls::Secret { secret: arn() })
        );
        let (certificate, key) = ("server.pem".into(), "server.key".into());
        let files = listener(r#"{ certificate = "server.pem", key = "server.key" }"#).unwrap();
        assert_eq!(files, Some(ListenerTls::Files { certificate, key }));
        for bad in [
            r#"{ certificate = "server.pem" }"#.to_owned(),
            r#"{ secret = "clinic" }"#.to_owned(),
            format!("{{ secret = \"{ARN}\", key = \"server.key\" }}"),
            format!("{{ secret = \"{ARN} \" }}"),
        ] {
            let error = listener(&bad).unwrap_err();
            assert!(error.contains("expected { certificate = ") && error.contains("secret = "), "{bad}: {error}");
        }
    }

    #[test]
    fn authorities_are_a_file_or_a_secret() {
        let of = |ca: &str| toml::from_str::<Peers>(&format!("addresses = [\"relay:5432\"]\nca = {ca}"));
        assert_eq!(of("\"ca.pem\"").unwrap().ca, Authorities::File("ca.pem".into()));
        assert_eq!(of(&format!("{{ secret = \"{ARN}\" }}")).unwrap().ca, Authorities::Secret { secret: arn() });
        let error = of("{ file = \"ca.pem\" }").unwrap_err().to_string();
        assert!(error.contains("expected the path of a PEM file"), "{error}");
    }

    fn connection(password: &str, tls: &str) -> Result<Connection, String> {
        let text = format!(
            "name = \"clinic\"\nhost = \"127.0.0.1\"\ndatabase = \"clinic\"\nuser = \"relay\"\nclassification = \"c.toml\"\n\
             password = {password}\ntls = {{ mode = \"{tls}\" }}"
        );
        let connection: Connection = toml::from_str(&text).map_err(|error| error.to_string())?;
        connection.check().map(|()| connection)
    }

    #[test]
    fn a_token_goes_over_verified_tls_alone() {
        let token = r#"{ rds-iam = "eu-central-1" }"#;
        let password = connection(token, "verify-full").unwrap().password;
        assert!(matches!(password, PasswordSource::RdsIam(region) if region == "eu-central-1"));
        let error = connection(token, "disable").unwrap_err();
        assert!(error.contains("rds-iam") && error.contains("disable"), "{error}");
        assert!(connection(r#"{ rds-iam = "eu-central-1/x" }"#, "verify-full").unwrap_err().contains("a region"));
        let secret = connection(&format!("{{ secret = \"{ARN}\" }}"), "disable").unwrap().password;
        assert!(matches!(secret, PasswordSource::Secret(secret) if secret == arn()));
    }
}
