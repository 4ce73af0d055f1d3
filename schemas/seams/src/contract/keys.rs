use schemas::entropy::SystemEntropy;
use schemas::identifiers::SessionId;
use schemas::session_key::SessionKey;
use schemas::wrapped_key::WrappedKey;

use super::{Breach, clause, failed};
use crate::keys::{KeyName, Keys};

/// The contract of [`Keys`], with all signing keys present.
///
/// # Errors
/// The first clause that is broken.
pub async fn keys(keys: &dyn Keys) -> Result<(), Breach> {
    signatures(keys).await?;
    wrapping(keys).await
}

async fn signatures(keys: &dyn Keys) -> Result<(), Breach> {
    let mut seen = Vec::new();
    for name in KeyName::ALL {
        let public = keys.public_key(name).await.map_err(failed)?;
        let signature = keys.sign(name, b"message").await.map_err(failed)?;
        clause(public.verify(b"message", &signature).is_ok(), "a signature verifies under the name's key")?;
        clause(public.verify(b"another", &signature).is_err(), "a signature holds for one message")?;
        for message in [Vec::new(), vec![7; LONG_MESSAGE]] {
            let signature = keys.sign(name, &message).await.map_err(failed)?;
            clause(public.verify(&message, &signature).is_ok(), "a message of any length is signed")?;
        }
        clause(keys.public_key(name).await.map_err(failed)? == public, "a name's key stays the same")?;
        clause(!seen.contains(&public), "each name has a key of its own")?;
        seen.push(public);
    }
    Ok(())
}

async fn wrapping(keys: &dyn Keys) -> Result<(), Breach> {
    let session = |counter: u32| format!("{}-{counter:010}", "0123456789abcdef".repeat(2)).parse::<SessionId>();
    let (first, second) = (session(1).map_err(failed)?, session(2).map_err(failed)?);
    let key = SessionKey::generate(&SystemEntropy).map_err(failed)?;
    let wrapped = keys.wrap(&key, &first).await.map_err(failed)?;
    let stored = wrapped.to_vec().map_err(failed)?;
    let wrapped = WrappedKey::from_slice(&stored).map_err(failed)?;
    clause(
        wrapped.session == first && !wrapped.key_id.is_empty(),
        "a wrapped key names its session and its wrapping key",
    )?;
    let opened = keys.unwrap(&wrapped, &first).await.map_err(failed)?;
    clause(opened.as_bytes() == key.as_bytes(), "a wrapped key opens to what was wrapped")?;
    clause(keys.unwrap(&wrapped, &second).await.is_err(), "a wrapped key opens for no other session")?;
    let renamed = WrappedKey { key_id: format!("{}0", wrapped.key_id), ..wrapped.clone() };
    clause(keys.unwrap(&renamed, &first).await.is_err(), "a wrapped key opens under the key that it names")?;
    let emptied = WrappedKey { wrapped: String::new(), ..wrapped.clone() };
    clause(keys.unwrap(&emptied, &first).await.is_err(), "nothing is no wrapped key")?;
    let moved = WrappedKey { session: second.clone(), ..wrapped };
    clause(keys.unwrap(&moved, &second).await.is_err(), "renaming a wrapped key does not move it")
}

/// More than a key service takes: KMS signs messages of 4,096 bytes, and digests.
const LONG_MESSAGE: usize = 100_000;
