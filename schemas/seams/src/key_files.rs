//! Keys in a folder: `certificates.pem`, `checkpoints.pem`, `approvals.pem`, `bundles.pem`, `checkpoints-ed25519.pem` (PKCS #8) and `data.key`
//! (64 hex digits). Whoever reads the folder can sign and decrypt: for one machine and for tests.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use async_trait::async_trait;
use schemas::ed25519::{Ed25519Key, Ed25519PublicKey};
use schemas::entropy::SystemEntropy;
use schemas::identifiers::SessionId;
use schemas::session_key::SessionKey;
use schemas::signature::{P256Key, PublicKey, Signer};
use schemas::wrapped_key::{WrappedKey, WrappingKey};
use zeroize::Zeroizing;

use crate::disk::Disk;
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
    /// Reads the keys from `folder`; makes those that are missing first, readable by their owner only. A key is there
    /// whole or not at all, also when this dies. One process at a time makes keys in a folder.
    ///
    /// # Errors
    /// [`KeysError::Unavailable`] when a file cannot be read or written, [`KeysError::Refused`] when one is no key.
    pub fn open_or_create(folder: &Path) -> Result<Self, KeysError> {
        Self::create_on(&Disk::default(), folder)?;
        Self::open(folder)
    }

    fn create_on(disk: &Disk, folder: &Path) -> Result<(), KeysError> {
        let failed = |error| KeysError::Unavailable(folder.display().to_string(), Box::new(error));
        fs::create_dir_all(folder).map_err(failed)?;
        for name in KeyName::ALL {
            let key = P256Key::generate().and_then(|key| key.to_pkcs8_pem()).map_err(machine)?;
            create(disk, &folder.join(format!("{}.pem", name.as_str())), &key).map_err(failed)?;
        }
        let key = Ed25519Key::generate().and_then(|key| key.to_pkcs8_pem()).map_err(machine)?;
        create(disk, &folder.join(SECOND_KEY_FILE), &key).map_err(failed)?;
        let key = WrappingKey::generate(&SystemEntropy).map_err(machine)?;
        create(disk, &folder.join(DATA_KEY_FILE), &key.to_hex()).map_err(failed)?;
        disk.flush_folder(folder).map_err(failed)
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

/// Writes a new file under another name first; an existing one stays as it is.
fn create(disk: &Disk, path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    remove_if_there(disk, &unfinished)?;
    if path.exists() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, OWNER_ONLY);
    let written = disk.create(&mut options, &unfinished).and_then(|file| fill(disk, &file, &unfinished, text));
    let named = written.and_then(|()| match disk.link(&unfinished, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    // Half a secret is not left lying about, nor a whole one under two names.
    let removed = remove_if_there(disk, &unfinished);
    named.and(removed)
}

fn fill(disk: &Disk, file: &File, path: &Path, text: &str) -> io::Result<()> {
    disk.write(file, path, text.as_bytes())?;
    disk.flush(file, path)
}

fn remove_if_there(disk: &Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
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
/// Of a key that is being written.
const UNFINISHED: &str = "new";
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faults::Fault;

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

    /// The keys that a start after this one finds: all of them, and the same ever after.
    fn started(folder: &Path) -> KeyFiles {
        let keys = KeyFiles::open_or_create(folder).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        let expected = [
            "approvals.pem",
            "bundles.pem",
            "certificates.pem",
            "checkpoints-ed25519.pem",
            "checkpoints.pem",
            "data.key",
        ];
        assert_eq!(names, expected);
        keys
    }

    #[test]
    fn whatever_goes_wrong_while_keys_are_made_the_next_start_has_them_all() {
        let counted = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        KeyFiles::create_on(&disk, counted.path()).unwrap();
        let all = disk.faults.changes();
        assert!(all > 30, "only {all} changes");
        for at in 0..all {
            for fault in Fault::PASSING.into_iter().chain(Fault::DEADLY) {
                for power in [true, false] {
                    let folder = tempfile::tempdir().unwrap();
                    let disk = Disk::default();
                    disk.faults.plan(at, fault);
                    let made = KeyFiles::create_on(&disk, folder.path());
                    let before: Vec<_> = KeyName::ALL.map(|name| fs::read(file(folder.path(), name)).ok()).into();
                    if !power {
                        disk.faults.lose_power();
                    }
                    started(folder.path());
                    if power || made.is_ok() {
                        for (name, before) in KeyName::ALL.into_iter().zip(before) {
                            let kept =
                                before.is_none_or(|before| fs::read(file(folder.path(), name)).unwrap() == before);
                            assert!(kept, "{fault:?} at change {at}, power {power}: {} is another", name.as_str());
                        }
                    }
                }
            }
        }
    }

    fn file(folder: &Path, name: KeyName) -> std::path::PathBuf {
        folder.join(format!("{}.pem", name.as_str()))
    }
}
