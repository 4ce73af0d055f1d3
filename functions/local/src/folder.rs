//! The data folder: every path in it is named here and nowhere else.

use std::path::{Path, PathBuf};

/// The folder that `local init` fills and `local up` runs in.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The data folder at this path, made absolute; it need not exist yet.
    ///
    /// # Errors
    /// When the path is empty or the current folder is gone.
    pub fn new(root: &Path) -> std::io::Result<Self> {
        Ok(Self { root: std::path::absolute(root)? })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The relay's configuration.
    #[must_use]
    pub fn relay_config(&self) -> PathBuf {
        self.root.join("relay.toml")
    }

    /// What stands in for what a customer brings.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.root.join("local.toml")
    }

    /// Who exists; holds the secrets of services.
    #[must_use]
    pub fn users(&self) -> PathBuf {
        self.root.join("users.toml")
    }

    /// Folder of the Cedar policies.
    #[must_use]
    pub fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// Which columns are protected.
    #[must_use]
    pub fn classification(&self) -> PathBuf {
        self.root.join("classification.toml")
    }

    /// Certificate that clients check the relay's against.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.root.join("tls/ca.pem")
    }

    /// The relay's certificate.
    #[must_use]
    pub fn server_certificate(&self) -> PathBuf {
        self.root.join("tls/server.pem")
    }

    /// The relay's TLS key.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.root.join("tls/server.key")
    }

    /// The issuer's signing key.
    #[must_use]
    pub fn issuer_key(&self) -> PathBuf {
        self.root.join("issuer.key")
    }

    /// Folder of the `Keys` seam.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Public half of the key that certifies relays: what an auditor trusts.
    #[must_use]
    pub fn certificates_root(&self) -> PathBuf {
        self.root.join("keys/certificates.pub.pem")
    }

    /// Root of the stored objects.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// The index over them.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.root.join("index.redb")
    }

    /// Written when everything serves, removed when it ends.
    #[must_use]
    pub fn endpoints(&self) -> PathBuf {
        self.root.join("endpoints.toml")
    }
}
