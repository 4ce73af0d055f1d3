use super::{Breach, clause, failed};
use crate::evidence_store::{EvidenceStore, PutOutcome, Retention, StoreError};

/// The contract of [`EvidenceStore`]. `store` must be empty.
///
/// # Errors
/// The first clause that is broken.
pub async fn evidence_store(store: &dyn EvidenceStore) -> Result<(), Breach> {
    written_once(store).await?;
    written_by_one_of_several(store).await?;
    kept_as_long_as_anyone_asked(store).await?;
    listed_by_prefix(store).await?;
    listed_in_pages(store).await?;
    listed_by_folder(store).await?;
    deleted_only_without_retention(store).await?;
    used_again_after_deletion(store).await?;
    let overlays = store.overlays("", 100).await.map_err(failed)?;
    clause(overlays.is_empty(), "ordinary use lays nothing over an object")?;
    strange_keys(store).await
}

async fn written_once(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let key = "evidence/a/one.json";
    clause(store.get(key).await.map_err(failed)?.is_none(), "get of nothing is nothing")?;
    let put = |bytes: &'static [u8], retention| store.put(key, bytes, retention);
    let first = put(b"first", Retention::days(1)).await.map_err(failed)?;
    clause(first == PutOutcome::Created, "the first put creates")?;
    clause(store.get(key).await.map_err(failed)?.as_deref() == Some(b"first".as_slice()), "get gives what was put")?;
    let again = put(b"first", Retention::days(1)).await.map_err(failed)?;
    clause(again == PutOutcome::AlreadyIdentical, "the same put again is success")?;
    for other in [b"other".as_slice(), b"", b"first "] {
        let refused = store.put(key, other, Retention::days(1)).await;
        clause(matches!(refused, Err(StoreError::Conflict { .. })), "a put of other bytes is a conflict")?;
    }
    clause(
        store.get(key).await.map_err(failed)?.as_deref() == Some(b"first".as_slice()),
        "a conflict changes nothing",
    )?;
    store.put("evidence/a/empty", b"", Retention::days(1)).await.map_err(failed)?;
    let empty = store.get("evidence/a/empty").await.map_err(failed)?;
    clause(empty.as_deref() == Some(b"".as_slice()), "an empty object is an object")
}

/// At once, in the same task or not.
async fn written_by_one_of_several(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let put = |key: &'static str, bytes: &'static [u8]| store.put(key, bytes, Retention::none());
    let key = "several/different";
    let (a, b, c, d) = tokio::join!(put(key, b"a"), put(key, b"b"), put(key, b"c"), put(key, b"d"));
    let mut winner = None;
    for (result, bytes) in [(a, b"a"), (b, b"b"), (c, b"c"), (d, b"d")] {
        match result {
            Ok(PutOutcome::Created) if winner.is_none() => winner = Some(bytes.to_vec()),
            Err(StoreError::Conflict { .. }) => {}
            _ => return clause(false, "of several puts of different bytes one creates, the others are conflicts"),
        }
    }
    clause(store.get(key).await.map_err(failed)? == winner, "what the one that created put is there")?;
    let key = "several/equal";
    let (a, b, c, d) = tokio::join!(put(key, b"e"), put(key, b"e"), put(key, b"e"), put(key, b"e"));
    let mut created = 0;
    for result in [a, b, c, d] {
        created += usize::from(result.map_err(failed)? == PutOutcome::Created);
    }
    clause(created == 1, "of several puts of equal bytes one creates, and all succeed")?;
    store.delete("several/different").await.map_err(failed)?;
    store.delete("several/equal").await.map_err(failed)
}

/// Whoever knows what will be put could put it first, to delete it later.
async fn kept_as_long_as_anyone_asked(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let key = "kept/one";
    store.put(key, b"kept", Retention::none()).await.map_err(failed)?;
    let again = store.put(key, b"kept", Retention::days(1)).await.map_err(failed)?;
    clause(again == PutOutcome::AlreadyIdentical, "a put with a longer retention is the same put")?;
    store.put(key, b"kept", Retention::none()).await.map_err(failed)?;
    let refused = store.delete(key).await;
    clause(matches!(refused, Err(StoreError::Retained { .. })), "an object is kept as long as any put of it asked")
}

async fn listed_by_prefix(store: &dyn EvidenceStore) -> Result<(), Breach> {
    for key in ["evidence/b/2", "evidence/b/1", "evidence/ba/1", "keys/b/1"] {
        store.put(key, key.as_bytes(), Retention::none()).await.map_err(failed)?;
    }
    for (prefix, expected) in [
        ("evidence/b/", vec!["evidence/b/1", "evidence/b/2"]),
        ("evidence/b", vec!["evidence/b/1", "evidence/b/2", "evidence/ba/1"]),
        ("evidence/b/1", vec!["evidence/b/1"]),
        ("keys/", vec!["keys/b/1"]),
        ("nothing/", vec![]),
    ] {
        let found = store.list(prefix).await.map_err(failed)?;
        clause(found == expected, "list gives the keys with the prefix, sorted")?;
    }
    clause(store.list("").await.map_err(failed)?.len() == 7, "the empty prefix lists all")
}

/// `-` and `.` come before `/`: the order of keys is not that of folders.
async fn listed_in_pages(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let keys = ["p/a-b/1", "p/a.b", "p/a/1", "p/a/2/1", "p/a/2/2", "p/a/3", "p/ab", "p/b/1"];
    for key in keys {
        store.put(key, key.as_bytes(), Retention::none()).await.map_err(failed)?;
    }
    for limit in [1, 3, 100] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = store.list_after("p/", &after, limit).await.map_err(failed)?;
            clause(page.len() <= limit, "a page has no more keys than asked for")?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            found.extend(page);
        }
        clause(found == keys, "pages give the keys with the prefix, sorted, each once")?;
    }
    clause(store.list_after("p/", "", 0).await.map_err(failed)?.is_empty(), "a page of none is empty")?;
    for (prefix, after, expected) in [
        ("p/", "p/a/~", Some("p/ab")),
        ("p/", "p/a/2/~", Some("p/a/3")),
        ("p/a/2", "", Some("p/a/2/1")),
        ("p/a/2", "p/a/2/2", None),
        ("p/a", "p/a.", Some("p/a.b")),
    ] {
        let page = store.list_after(prefix, after, 1).await.map_err(failed)?;
        clause(page.first().map(String::as_str) == expected, "a page begins after what it was told")?;
    }
    for key in keys {
        store.delete(key).await.map_err(failed)?;
    }
    Ok(())
}

async fn listed_by_folder(store: &dyn EvidenceStore) -> Result<(), Breach> {
    for key in ["folders/b/1/x", "folders/b/2", "folders/b-b/1", "folders/a", "folders/c/1"] {
        store.put(key, b"f", Retention::none()).await.map_err(failed)?;
    }
    let folders = async |after, limit| store.folders_after("folders/", after, limit).await.map_err(failed);
    let all = ["folders/b-b/", "folders/b/", "folders/c/"];
    clause(folders("", 100).await? == all, "folders are those right below, once each, sorted")?;
    clause(folders("", 1).await? == all[..1], "no more than asked for")?;
    clause(folders("folders/b-b/", 100).await? == all[1..], "those after one, which is not among them")?;
    clause(folders("folders/c/", 100).await?.is_empty(), "nothing comes after the last")?;
    clause(store.folders_after("nothing/", "", 100).await.map_err(failed)?.is_empty(), "nothing has no folders")?;
    for key in ["folders/b/1/x", "folders/b/2", "folders/b-b/1", "folders/a", "folders/c/1"] {
        store.delete(key).await.map_err(failed)?;
    }
    Ok(())
}

async fn deleted_only_without_retention(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let refused = store.delete("evidence/a/one.json").await;
    clause(matches!(refused, Err(StoreError::Retained { .. })), "what is under retention is not deleted")?;
    let kept = store.get("evidence/a/one.json").await.map_err(failed)?;
    clause(kept.is_some(), "a refused deletion changes nothing")?;
    store.delete("keys/b/1").await.map_err(failed)?;
    clause(store.get("keys/b/1").await.map_err(failed)?.is_none(), "what is under no retention is deleted")?;
    store.delete("keys/b/1").await.map_err(failed)
}

/// What was deleted is not there in any way: not listed, and in nobody's way.
async fn used_again_after_deletion(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let key = "again/one";
    for bytes in [b"first".as_slice(), b"second"] {
        let put = store.put(key, bytes, Retention::none()).await.map_err(failed)?;
        clause(put == PutOutcome::Created, "after a deletion nothing stands there")?;
        clause(store.get(key).await.map_err(failed)?.as_deref() == Some(bytes), "and what is put then is there")?;
        store.delete(key).await.map_err(failed)?;
        clause(store.list("again/").await.map_err(failed)?.is_empty(), "what was deleted is not listed")?;
    }
    Ok(())
}

async fn strange_keys(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let long_segment = format!("a/{}", "b".repeat(256));
    let longest = vec!["k".repeat(204); 5].join("/");
    let too_long = format!("{longest}k");
    let strange = ["", "/", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "a/./b", "a\\b", "a\0b", "evidence/.hidden"];
    let odd = ["a b", "a\tb", "a+b", "a%2Fb", "é", "a/\u{1f512}", "a\u{202e}b", "a?b", "a#b", "a&b", "a:b", "a*b", "~"];
    for key in strange.into_iter().chain(odd).chain([long_segment.as_str(), too_long.as_str()]) {
        let is_refused = |refused: &StoreError| matches!(refused, StoreError::InvalidKey { .. });
        let put = store.put(key, b"x", Retention::none()).await;
        clause(put.as_ref().is_err_and(is_refused), "a key outside the layout's letters is refused")?;
        let got = store.get(key).await;
        clause(got.as_ref().is_err_and(is_refused), "and is not read")?;
        clause(store.delete(key).await.as_ref().is_err_and(is_refused), "nor deleted")?;
    }
    store.put(&longest, b"x", Retention::none()).await.map_err(failed)?;
    store.delete(&longest).await.map_err(failed)
}
