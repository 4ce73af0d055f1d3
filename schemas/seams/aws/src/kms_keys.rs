//! Keys in KMS, which never leave it: signing keys are `ECC_NIST_P256`, the data key is a symmetric one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{EncryptionAlgorithmSpec, MessageType, SigningAlgorithmSpec};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::digest::Sha256Digest;
use schemas::identifiers::{Name, SessionId};
use schemas::session_key::SessionKey;
use schemas::signature::PublicKey;
use schemas::wrapped_key::WrappedKey;
use seams::{KeyName, Keys, KeysError};
use zeroize::Zeroizing;

use crate::call::{self, CallFailed};
use crate::connection::Connection;

/// [`Keys`] in KMS. Cloning shares its connections.
#[derive(Clone)]
pub struct KmsKeys(Arc<Holder>);

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsSettings {
    /// Whose evidence the data key is for: of this tenant,
    pub tenant: Name,
    /// in this environment. Both are bound into what is wrapped, and stand in the log that AWS keeps of each use.
    pub environment: Name,
    /// Signing keys by id, ARN or alias. A program has those it needs; others are refused.
    pub signing: HashMap<KeyName, String>,
    /// ARN of the key that wraps sessions' keys; none for a program that has nothing to wrap or open. No alias: what is
    /// wrapped names the key, for as long as it is kept.
    pub data: Option<String>,
    /// ARNs of earlier ones, which open what they wrapped.
    pub earlier_data: Vec<String>,
}

struct Holder {
    client: Client,
    settings: KmsSettings,
    public: Mutex<HashMap<KeyName, PublicKey>>,
}

impl KmsKeys {
    /// The keys that `settings` names.
    #[must_use]
    pub fn new(connection: &Connection, settings: KmsSettings) -> Self {
        Self(Arc::new(Holder { client: Client::new(&connection.to_sdk()), settings, public: Mutex::default() }))
    }
}

#[async_trait]
impl Keys for KmsKeys {
    async fn sign(&self, key: KeyName, message: &[u8]) -> Result<Vec<u8>, KeysError> {
        let public = self.public_key(key).await?;
        let sign = self.0.client.sign().key_id(self.0.signing(key)?).message_type(MessageType::Digest);
        let sign = sign.message(Blob::new(Sha256Digest::of(message).as_bytes().as_slice()));
        let answer = sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
        let answer = answer.map_err(|error| failed(key.as_str(), "Sign", &error))?;
        let signature = answer.signature.map(Blob::into_inner).unwrap_or_default();
        // An alias may have been given to another key since the public one was read.
        if public.verify(message, &signature).is_err() {
            self.0.public.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            return Err(unavailable(key.as_str(), CallFailed::new("Sign", "another key's signature")));
        }
        Ok(signature)
    }

    async fn public_key(&self, key: KeyName) -> Result<PublicKey, KeysError> {
        let id = self.0.signing(key)?;
        if let Some(known) = self.0.public.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let answer = self.0.client.get_public_key().key_id(id).send().await;
        let answer = answer.map_err(|error| failed(key.as_str(), GET, &error))?;
        let der = answer.public_key.map(Blob::into_inner).unwrap_or_default();
        let public = PublicKey::from_spki_der(&der)
            .map_err(|_| KeysError::Refused(format!("{}: expected a key of ECC_NIST_P256", key.as_str())))?;
        self.0.public.lock().unwrap_or_else(PoisonError::into_inner).insert(key, public.clone());
        Ok(public)
    }

    async fn wrap(&self, key: &SessionKey, session: &SessionId) -> Result<WrappedKey, KeysError> {
        let data = self.0.settings.data.as_ref().ok_or_else(|| KeysError::Refused(DATA.to_owned()))?;
        // The SDK's copies of the key are not wiped.
        let encrypt = self.0.client.encrypt().key_id(data).plaintext(Blob::new(key.as_bytes().as_slice()));
        let encrypt = encrypt.encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault);
        let answer = encrypt.set_encryption_context(Some(self.0.context(session))).send().await;
        let answer = answer.map_err(|error| failed(DATA, "Encrypt", &error))?;
        let wrapped = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        if answer.key_id.as_ref() != Some(data) || wrapped.is_empty() {
            return Err(KeysError::Refused(format!("{DATA}: expected the ARN of a symmetric key")));
        }
        Ok(WrappedKey { session: session.clone(), key_id: data.clone(), wrapped: STANDARD.encode(wrapped) })
    }

    async fn unwrap(&self, wrapped: &WrappedKey, session: &SessionId) -> Result<SessionKey, KeysError> {
        // It says itself what wrapped it, and whoever stored it may have lied: never a key of somebody else's.
        let mut ours = self.0.settings.data.iter().chain(&self.0.settings.earlier_data);
        let data = ours.find(|data| **data == wrapped.key_id).ok_or(KeysError::NotOurs)?;
        let ciphertext = STANDARD.decode(&wrapped.wrapped).map_err(|_| KeysError::NotOurs)?;
        let decrypt = self.0.client.decrypt().key_id(data).ciphertext_blob(Blob::new(ciphertext));
        let decrypt = decrypt.encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault);
        let answer = decrypt.set_encryption_context(Some(self.0.context(session))).send().await;
        let answer = answer.map_err(|error| match call::code(&error) {
            Some("InvalidCiphertextException" | "IncorrectKeyException" | "ValidationException") => KeysError::NotOurs,
            _ => failed(DATA, "Decrypt", &error),
        })?;
        let key = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        key.as_slice().try_into().map(SessionKey::from_bytes).map_err(|_| KeysError::NotOurs)
    }
}

impl Holder {
    fn signing(&self, key: KeyName) -> Result<&String, KeysError> {
        self.settings.signing.get(&key).ok_or_else(|| KeysError::Refused(key.as_str().to_owned()))
    }

    /// KMS opens a ciphertext only for the context it was made for.
    fn context(&self, session: &SessionId) -> HashMap<String, String> {
        let KmsSettings { tenant, environment, .. } = &self.settings;
        let context = [
            ("purpose", "affidavit/wrapped-key/v1".to_owned()),
            ("tenant", tenant.to_string()),
            ("environment", environment.to_string()),
            ("session", session.to_string()),
        ];
        context.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

impl fmt::Debug for KmsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KmsKeys").field(&self.0.settings).finish()
    }
}

/// What somebody must change is refused; what may pass is unavailable.
fn failed<E: ProvideErrorMetadata>(
    key: &str,
    operation: &'static str,
    error: &SdkError<E, aws_sdk_kms::config::http::HttpResponse>,
) -> KeysError {
    let failed = CallFailed::of(operation, error);
    match call::code(error) {
        Some(code) if REFUSALS.contains(&code) => KeysError::Refused(format!("{key}: {failed}")),
        _ => unavailable(key, failed),
    }
}

fn unavailable(key: &str, error: CallFailed) -> KeysError {
    KeysError::Unavailable(key.to_owned(), Box::new(error))
}

const REFUSALS: [&str; 6] = [
    "AccessDeniedException",
    "DisabledException",
    "InvalidKeyUsageException",
    "KMSInvalidStateException",
    "NotFoundException",
    "UnsupportedOperationException",
];
const DATA: &str = "data";
const GET: &str = "GetPublicKey";
