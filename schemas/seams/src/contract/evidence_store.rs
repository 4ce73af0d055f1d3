use super::{Breach, clause, failed};
use crate::evidence_store::{EvidenceStore, PutOutcome, Retention, StoreError};

/// The contract of [`EvidenceStore`]. `store` must be empty.
///
/// # Errors
/// The first clause that is broken.
pub async fn evidence_store(store: &dyn EvidenceStore) -> Result<(), Breach> {
    written_once(store).await?;
    listed_by_prefix(store).await?;
    listed_in_pages(store).await?;
    deleted_only_without_retention(store).await?;
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
    clause(store.list("").await.map_err(failed)?.len() == 6, "the empty prefix lists all")
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

async fn deleted_only_without_retention(store: &dyn EvidenceStore) -> Result<(), Breach> {
    let refused = store.delete("evidence/a/one.json").await;
    clause(matches!(refused, Err(StoreError::Retained { .. })), "what is under retention is not deleted")?;
    let kept = store.get("evidence/a/one.json").await.map_err(failed)?;
    clause(kept.is_some(), "a refused deletion changes nothing")?;
    store.delete("keys/b/1").await.map_err(failed)?;
    clause(store.get("keys/b/1").await.map_err(failed)?.is_none(), "what is under no retention is deleted")?;
    store.delete("keys/b/1").await.map_err(failed)
}

async fn strange_keys(store: &dyn EvidenceStore) -> Result<(), Breach> {
    for key in ["", "/", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "a/./b", "a\\b", "a\0b", "evidence/.hidden"] {
        let refused = store.put(key, b"x", Retention::none()).await;
        clause(matches!(refused, Err(StoreError::InvalidKey { .. })), "a key outside the layout's letters is refused")?;
    }
    Ok(())
}
