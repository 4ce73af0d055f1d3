//! What somebody with rights to put and delete lays over evidence is named, and not believed.

use aws::{S3Settings, S3Store};
use seams::{EvidenceStore, Overlay, OverlayKind, PutOutcome, Retention, StoreError};

use crate::emulator;
use crate::harness::{Emulator, now_s, store};

/// A bucket, our store in it, and somebody else with rights on it.
struct Scene {
    settings: S3Settings,
    store: S3Store,
    s3: aws_sdk_s3::Client,
}

impl Scene {
    async fn new(emulator: &Emulator) -> Self {
        let settings = emulator.bucket().await;
        let store = store(&emulator.connection(), &settings).await;
        Self { settings, store, s3: emulator.s3() }
    }

    /// Lays a delete marker.
    async fn hide(&self, key: &str) {
        self.s3.delete_object().bucket(&self.settings.bucket).key(key).send().await.unwrap();
    }

    async fn overwrite(&self, key: &str, bytes: &'static [u8]) {
        let put = self.s3.put_object().bucket(&self.settings.bucket).key(key);
        put.body(bytes.to_vec().into()).send().await.unwrap();
    }

    /// What a plain read gives, as others do it.
    async fn plain(&self, key: &str) -> Option<Vec<u8>> {
        let got = self.s3.get_object().bucket(&self.settings.bucket).key(key).send().await.ok()?;
        Some(got.body.collect().await.unwrap().to_vec())
    }

    async fn kinds(&self, prefix: &str) -> Vec<(String, OverlayKind)> {
        let told = self.store.overlays(prefix, 100).await.unwrap();
        assert!(told.iter().all(|overlay| overlay.at_s.unwrap().abs_diff(now_s()) < 600), "{told:?}");
        told.into_iter().map(|Overlay { key, kind, .. }| (key, kind)).collect()
    }
}

#[tokio::test]
async fn what_was_recorded_is_read_whatever_lies_over_it() {
    let scene = Scene::new(emulator!()).await;
    for key in ["evidence/a", "evidence/b", "evidence/c", "evidence/d"] {
        scene.store.put(key, b"recorded", Retention::days(1)).await.unwrap();
    }
    scene.hide("evidence/b").await;
    scene.overwrite("evidence/c", b"forged").await;
    scene.overwrite("evidence/d", b"forged").await;
    scene.hide("evidence/d").await;
    scene.overwrite("evidence/d", b"forged again").await;
    scene.hide("evidence/d").await;
    assert_eq!(scene.plain("evidence/b").await, None, "to others it is gone");
    assert_eq!(scene.plain("evidence/c").await.as_deref(), Some(b"forged".as_slice()), "others read what was laid");

    let keys = ["evidence/a", "evidence/b", "evidence/c", "evidence/d"];
    assert_eq!(scene.store.list("evidence/").await.unwrap(), keys);
    for limit in 1..4 {
        let (mut found, mut after) = (Vec::new(), String::new());
        while let Some(last) = {
            let page = scene.store.list_after("", &after, limit).await.unwrap();
            let last = page.last().cloned();
            found.extend(page);
            last
        } {
            after = last;
        }
        assert_eq!(found, keys, "in pages of {limit}");
    }
    for key in keys {
        assert_eq!(scene.store.get(key).await.unwrap().as_deref(), Some(b"recorded".as_slice()), "{key}");
        let again = scene.store.put(key, b"recorded", Retention::days(1)).await.unwrap();
        assert_eq!(again, PutOutcome::AlreadyIdentical, "{key}");
        let other = scene.store.put(key, b"forged", Retention::days(1)).await;
        assert!(matches!(other, Err(StoreError::Conflict { .. })), "{key}: {other:?}");
        assert!(matches!(scene.store.delete(key).await, Err(StoreError::Retained { .. })), "{key}");
        assert_eq!(scene.store.get(key).await.unwrap().as_deref(), Some(b"recorded".as_slice()), "{key}");
    }
}

#[tokio::test]
async fn what_lies_over_objects_is_named() {
    let scene = Scene::new(emulator!()).await;
    for key in ["evidence/a", "evidence/b", "evidence/c", "keys/a"] {
        scene.store.put(key, b"recorded", Retention::days(1)).await.unwrap();
    }
    assert_eq!(scene.kinds("").await, []);
    scene.hide("evidence/a").await;
    scene.overwrite("evidence/c", b"forged").await;
    scene.hide("keys/a").await;
    scene.hide("evidence/never-there").await;
    let (hidden, overwritten) = (OverlayKind::Hidden, OverlayKind::Overwritten);
    let evidence = [("evidence/a".to_owned(), hidden), ("evidence/c".to_owned(), overwritten)];
    assert_eq!(scene.kinds("evidence/").await, evidence);
    assert_eq!(scene.kinds("").await.len(), 3);
    assert_eq!(scene.store.overlays("", 2).await.unwrap().len(), 2);
}

/// S3 takes a key under a delete marker for a free one.
#[tokio::test]
async fn a_delete_marker_frees_no_key() {
    let scene = Scene::new(emulator!()).await;
    scene.store.put("evidence/a", b"recorded", Retention::days(1)).await.unwrap();
    scene.hide("evidence/a").await;
    let other = scene.store.put("evidence/a", b"other", Retention::days(1)).await;
    assert!(matches!(other, Err(StoreError::Conflict { .. })), "{other:?}");
    assert_eq!(scene.store.get("evidence/a").await.unwrap().as_deref(), Some(b"recorded".as_slice()));
    scene.hide("evidence/new").await;
    let first = scene.store.put("evidence/new", b"new", Retention::days(1)).await.unwrap();
    assert_eq!(first, PutOutcome::Created, "a marker over nothing hides nothing");
    assert_eq!(scene.store.get("evidence/new").await.unwrap().as_deref(), Some(b"new".as_slice()));
    assert_eq!(scene.kinds("evidence/new").await, []);
}

#[tokio::test]
async fn a_shredded_key_is_gone_whatever_lay_over_it() {
    let scene = Scene::new(emulator!()).await;
    scene.store.put("keys/a", b"wrapped key", Retention::none()).await.unwrap();
    scene.hide("keys/a").await;
    scene.overwrite("keys/a", b"laid over").await;
    scene.store.delete("keys/a").await.unwrap();
    assert_eq!(scene.store.get("keys/a").await.unwrap(), None);
    let versions = async || {
        let listed = scene.s3.list_object_versions().bucket(&scene.settings.bucket).prefix("keys/").send().await;
        let listed = listed.unwrap();
        listed.versions().len() + listed.delete_markers().len()
    };
    assert_eq!(versions().await, 0, "no version of it is left");

    // Somebody's lock on what they laid over it does not keep it.
    scene.store.put("keys/b", b"wrapped key", Retention::none()).await.unwrap();
    let lock = scene.s3.put_object().bucket(&scene.settings.bucket).key("keys/b").body(b"lock".to_vec().into());
    let until = aws_smithy_types::DateTime::from_secs(i64::try_from(now_s() + 86_400).unwrap());
    let lock = lock.object_lock_mode(aws_sdk_s3::types::ObjectLockMode::Compliance);
    lock.object_lock_retain_until_date(until).send().await.unwrap();
    let refused = scene.store.delete("keys/b").await;
    assert!(matches!(refused, Err(StoreError::Retained { .. })), "what is left is told: {refused:?}");
    assert_eq!(scene.store.get("keys/b").await.unwrap().as_deref(), Some(b"lock".as_slice()));
    assert_eq!(versions().await, 1);
}

/// Somebody puts what we will put, without a lock and with another program's checksum.
#[tokio::test]
async fn what_others_put_first_is_kept_as_long_as_ours() {
    let scene = Scene::new(emulator!()).await;
    scene.overwrite("evidence/a", b"recorded").await;
    let put = scene.store.put("evidence/a", b"recorded", Retention::days(2)).await.unwrap();
    assert_eq!(put, PutOutcome::AlreadyIdentical);
    let refused = scene.store.delete("evidence/a").await.unwrap_err();
    let StoreError::Retained { until_s, .. } = refused else { panic!("{refused}") };
    assert!(until_s.abs_diff(now_s() + 2 * 86_400) < 600, "{until_s}");
    scene.overwrite("evidence/b", b"something").await;
    let other = scene.store.put("evidence/b", b"recorded.", Retention::days(2)).await;
    assert!(matches!(other, Err(StoreError::Conflict { .. })), "as long, and not the same: {other:?}");
}

#[tokio::test]
async fn odd_keys_of_others_disturb_no_listing() {
    let scene = Scene::new(emulator!()).await;
    scene.store.put("evidence/m", b"recorded", Retention::days(1)).await.unwrap();
    let odd = ["evidence/ a+b&<c>\"", "evidence/%2F%zz", "evidence/é\u{202e}", "evidence/~"];
    for key in odd {
        scene.overwrite(key, b"odd").await;
    }
    let mut expected: Vec<&str> = odd.into_iter().chain(["evidence/m"]).collect();
    expected.sort_unstable();
    assert_eq!(scene.store.list("evidence/").await.unwrap(), expected);
    assert_eq!(scene.store.list_after("", "evidence/m", 1).await.unwrap(), ["evidence/~"]);
}
