//! Keys in a folder: `certificates.pem`, `checkpoints.pem`, `approvals.pem`, `bundles.pem`, `checkpoints-ed25519.pem` (PKCS #8) and `data.key`
//! (64 hex digits). Whoever reads the folder can sign and decrypt: for one machine and for tests.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use async_trait::async_trait;
use schemas::ed25519::{Ed25519Key, Ed25519PublicKey};
use schemas::entropy::SystemEntropy;
use schemas::identifiers::SessionId;
use schemas::session_key::SessionKey;
use schemas::signature::{P256Key, PublicKey, Signer};
use schemas::wrapped_key::{WrappedKey, WrappingKey};
use zeroize::Zeroizing;

use crate::keys::{KeyName, Keys, KeysError};

/// [`Keys`] read from a folder.
#[derive(Debug)]
pub struct KeyFiles {
    signing: HashMap<KeyName, P256Key>,
    /// Signs checkpoints too; may be missing.
    second: Option<Ed25519Key>,
    data: WrappingKey,
}

impl KeyFiles {
    /// Reads the keys from `folder`; makes those that are missing first, readable by their owner only.
    ///
    /// # Errors
    /// [`KeysError::Unavailable`] when a file cannot be read or written, [`KeysError::Refused`] when one is no key.
    pub fn open_or_create(folder: &Path) -> Result<Self, KeysError> {
        let failed = |error| KeysError::Unavailable(folder.display().to_string(), Box::new(error));
        fs::create_dir_all(folder).map_err(failed)?;
        for name in KeyName::ALL {
            let key = P256Key::generate().and_then(|key| key.to_pkcs8_pem()).map_err(machine)?;
            create(&folder.join(format!("{}.pem", name.as_str())), &key).map_err(failed)?;
        }
        let key = Ed25519Key::generate().and_then(|key| key.to_pkcs8_pem()).map_err(machine)?;
        create(&folder.join(SECOND_KEY_FILE), &key).map_err(failed)?;
        let key = WrappingKey::generate(&SystemEntropy).map_err(machine)?;
        create(&folder.join(DATA_KEY_FILE), &key.to_hex()).map_err(failed)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Self::open(folder)
    }

    /// Reads the keys from `folder`. A signing key that is missing cannot be used; the data key must be there.
    ///
    /// # Errors
    /// Those of [`KeyFiles::open_or_create`].
    pub fn open(folder: &Path) -> Result<Self, KeysError> {
        let mut signing = HashMap::new();
        for name in KeyName::ALL {
            let path = folder.join(format!("{}.pem", name.as_str()));
            if path.exists() {
                let key = P256Key::from_pkcs8_pem(&read(&path)?).map_err(|error| refused(&path, &error))?;
                signing.insert(name, key);
            }
        }
        let path = folder.join(SECOND_KEY_FILE);
        let read_second = || Ed25519Key::from_pkcs8_pem(&read(&path)?).map_err(|error| refused(&path, &error));
        let second = path.exists().then(read_second).transpose()?;
        let path = folder.join(DATA_KEY_FILE);
        let data = WrappingKey::from_hex(&read(&path)?).map_err(|error| refused(&path, &error))?;
        Ok(Self { signing, second, data })
    }

    fn signing(&self, name: KeyName) -> Result<&P256Key, KeysError> {
        self.signing.get(&name).ok_or_else(|| KeysError::Refused(name.as_str().to_owned()))
    }
}

#[async_trait]
impl Keys for KeyFiles {
    async fn sign(&self, key: KeyName, message: &[u8]) -> Result<Vec<u8>, KeysError> {
        self.signing(key)?.sign(message).map_err(machine)
    }

    async fn public_key(&self, key: KeyName) -> Result<PublicKey, KeysError> {
        Ok(self.signing(key)?.public_key().clone())
    }

    async fn second_checkpoints_key(&self) -> Result<Option<Ed25519PublicKey>, KeysError> {
        Ok(self.second.as_ref().map(Ed25519Key::public_key))
    }

    async fn sign_second(&self, message: &[u8]) -> Result<Option<Vec<u8>>, KeysError> {
        Ok(self.second.as_ref().map(|key| key.sign(message)))
    }

    async fn wrap(&self, key: &SessionKey, session: &SessionId) -> Result<WrappedKey, KeysError> {
        self.data.wrap(key, session, &SystemEntropy).map_err(machine)
    }

    async fn unwrap(&self, wrapped: &WrappedKey, session: &SessionId) -> Result<SessionKey, KeysError> {
        if wrapped.key_id != self.data.id() {
            return Err(KeysError::NotOurs);
        }
        self.data.unwrap(wrapped, session).map_err(|_| KeysError::NotOurs)
    }
}

/// Writes a new file; an existing one stays as it is.
fn create(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, OWNER_ONLY);
    match options.open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let text = fs::read_to_string(path);
    text.map(Zeroizing::new).map_err(|error| KeysError::Unavailable(path.display().to_string(), Box::new(error)))
}

fn refused(path: &Path, error: &schemas::Error) -> KeysError {
    KeysError::Refused(format!("{}: {error}", path.display()))
}

fn machine(error: schemas::Error) -> KeysError {
    KeysError::Unavailable("local keys".to_owned(), Box::new(error))
}

const SECOND_KEY_FILE: &str = "checkpoints-ed25519.pem";
const DATA_KEY_FILE: &str = "data.key";
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_of_key_files_keeps_the_contract_of_keys() {
        let folder = tempfile::tempdir().unwrap();
        crate::contract::keys(&KeyFiles::open_or_create(folder.path()).unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn keys_are_made_once_and_read_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let first = KeyFiles::open_or_create(folder.path()).unwrap();
        let again = KeyFiles::open_or_create(folder.path()).unwrap();
        let name = KeyName::Certificates;
        assert_eq!(first.public_key(name).await.unwrap(), again.public_key(name).await.unwrap());
        #[cfg(unix)]
        for file in ["certificates.pem", "data.key"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, OWNER_ONLY, "{file}");
        }
    }

    #[tokio::test]
    async fn a_key_that_is_not_there_is_refused_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        KeyFiles::open_or_create(folder.path()).unwrap();
        fs::remove_file(folder.path().join("bundles.pem")).unwrap();
        let keys = KeyFiles::open(folder.path()).unwrap();
        assert!(matches!(keys.sign(KeyName::Bundles, b"x").await, Err(KeysError::Refused(_))));
        fs::write(folder.path().join("approvals.pem"), "secret").unwrap();
        let error = KeyFiles::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("approvals.pem") && !error.contains("secret"), "{error}");
    }
}
