//! Keys in KMS.

use std::process::Command;

use aws::{KmsKeys, KmsSettings};
use schemas::entropy::SystemEntropy;
use schemas::session_key::SessionKey;
use seams::{KeyName, Keys, KeysError};

use super::{faults_of_reading, proxy, tells_nothing, times};
use crate::emulator;
use crate::harness::{Emulator, Fault, Said};

#[tokio::test]
async fn a_key_service_keeps_the_contract_of_keys() {
    let emulator = emulator!();
    seams::contract::keys(&KmsKeys::new(&emulator.connection(), emulator.keys().await)).await.unwrap();
}

#[tokio::test]
async fn openssl_verifies_what_it_signs() {
    let emulator = emulator!();
    let keys = KmsKeys::new(&emulator.connection(), emulator.keys().await);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let signature = file("signature", &keys.sign(KeyName::Bundles, b"message").await.unwrap());
    let public = file("public.pem", keys.public_key(KeyName::Bundles).await.unwrap().to_pem().as_bytes());
    let message = file("message", b"message");
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify"]).arg(public).arg("-signature").arg(signature).arg(message);
    assert!(Said::by(&mut openssl).ok().contains("Verified OK"));
}

#[tokio::test]
async fn every_call_bears_every_fault() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.keys().await, proxy(emulator));
    let throttled = (Fault::Status(400, "ThrottlingException"), false);
    let session = seams::contract::sample_session(1).unwrap().session;
    let key = SessionKey::generate(&SystemEntropy).unwrap();
    for (fault, persists) in faults_of_reading().chain([throttled]) {
        for call in [".getpublickey", ".sign", ".encrypt", ".decrypt"] {
            for &times in times(fault) {
                let case = format!("{call} {fault:?} {persists} {times}");
                let keys = KmsKeys::new(&Emulator::connection_to(proxy.address()), settings.clone());
                let all = async || {
                    let signature = keys.sign(KeyName::Checkpoints, b"message of it").await?;
                    let public = keys.public_key(KeyName::Checkpoints).await?;
                    assert!(public.verify(b"message of it", &signature).is_ok(), "{case}");
                    let opened = keys.unwrap(&keys.wrap(&key, &session).await?, &session).await?;
                    assert_eq!(opened.as_bytes(), key.as_bytes(), "{case}");
                    Ok::<_, KeysError>(())
                };
                proxy.fail(call, fault, persists, times);
                let first = all().await;
                assert_eq!(proxy.heal(), 0, "{case}: it came to that");
                if times == 1 {
                    first.unwrap();
                } else {
                    let error = first.unwrap_err();
                    assert!(matches!(error, KeysError::Unavailable(..)), "{case}: {error}");
                    tells_nothing(&error, &["message of it"]);
                    all().await.unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_named() {
    let emulator = emulator!();
    let mut settings = emulator.keys().await;
    let symmetric = settings.data.clone().unwrap();
    settings.signing.insert(KeyName::Bundles, symmetric);
    settings.signing.insert(KeyName::Approvals, "alias/not-there".to_owned());
    settings.signing.remove(&KeyName::Checkpoints);
    let keys = KmsKeys::new(&emulator.connection(), settings);
    for name in [KeyName::Bundles, KeyName::Approvals, KeyName::Checkpoints] {
        let error = keys.sign(name, b"message").await.unwrap_err();
        assert!(matches!(error, KeysError::Refused(ref what) if what.starts_with(name.as_str())), "{error}");
    }
}

/// What an earlier key wrapped opens; what names a key of others does not, whoever could open it.
#[tokio::test]
async fn wrapped_keys_open_under_ours_alone() {
    let emulator = emulator!();
    let session = seams::contract::sample_session(1).unwrap().session;
    let key = SessionKey::generate(&SystemEntropy).unwrap();
    let (first, second) = (emulator.keys().await, emulator.keys().await);
    let wrapped = KmsKeys::new(&emulator.connection(), first.clone()).wrap(&key, &session).await.unwrap();
    let rotated = KmsSettings { earlier_data: first.data.iter().cloned().collect(), ..second.clone() };
    let opened = KmsKeys::new(&emulator.connection(), rotated).unwrap(&wrapped, &session).await.unwrap();
    assert_eq!(opened.as_bytes(), key.as_bytes());
    let others = KmsKeys::new(&emulator.connection(), second).unwrap(&wrapped, &session).await;
    assert!(matches!(others, Err(KeysError::NotOurs)));
    let other_tenant = KmsSettings { tenant: "hospital".parse().unwrap(), ..first };
    let others = KmsKeys::new(&emulator.connection(), other_tenant).unwrap(&wrapped, &session).await;
    assert!(matches!(others, Err(KeysError::NotOurs)), "the context binds the tenant");
}

/// Somebody gave the alias to another key: what it signs would not verify under the key that is known.
#[tokio::test]
async fn an_alias_that_moves_to_another_key_signs_nothing() {
    let emulator = emulator!();
    let kms = aws_sdk_kms::Client::new(&emulator.sdk());
    let mut settings = emulator.keys().await;
    let (old, new) = (settings.signing[&KeyName::Checkpoints].clone(), settings.signing[&KeyName::Bundles].clone());
    kms.create_alias().alias_name("alias/moving").target_key_id(old).send().await.unwrap();
    settings.signing.insert(KeyName::Checkpoints, "alias/moving".to_owned());
    let keys = KmsKeys::new(&emulator.connection(), settings);
    keys.sign(KeyName::Checkpoints, b"message").await.unwrap();
    kms.update_alias().alias_name("alias/moving").target_key_id(new).send().await.unwrap();
    let error = keys.sign(KeyName::Checkpoints, b"message").await.unwrap_err();
    assert!(matches!(error, KeysError::Unavailable(..)), "{error}");
}
