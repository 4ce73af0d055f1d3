//! The verifier over the golden tree, changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::layout::EVIDENCE_PREFIX;
use crate::signature::PublicKey;
use crate::verify::{Options, verify};

/// Changes some of the golden evidence: eight bytes a change say what, where and to what. Whatever is changed, the
/// verifier comes to its end; evidence of which one byte differs does not hold.
pub fn tree(bytes: &[u8]) {
    let Some(golden) = GOLDEN.as_ref() else { return };
    let mut tree = golden.tree.clone();
    for change in bytes.chunks_exact(CHANGE).take(CHANGES_MAX) {
        apply(change, &golden.keys, &mut tree);
    }
    let Ok(report) = verify(&tree, &golden.root, &Options::default()) else { return };
    assert!(!report.holds() || tree == golden.tree, "changed evidence holds");
}

struct Golden {
    tree: BTreeMap<String, Vec<u8>>,
    /// Of what verification covers.
    keys: Vec<String>,
    root: PublicKey,
}

static GOLDEN: LazyLock<Option<Golden>> = LazyLock::new(|| {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let root = PublicKey::from_pem(&std::fs::read_to_string(vectors.join("root.pub.pem")).ok()?).ok()?;
    let mut tree = BTreeMap::new();
    collect(&vectors.join("tree"), "", &mut tree)?;
    let keys = tree.keys().filter(|key| key.starts_with(EVIDENCE_PREFIX)).cloned().collect();
    Some(Golden { tree, keys, root })
});

fn collect(folder: &Path, prefix: &str, tree: &mut BTreeMap<String, Vec<u8>>) -> Option<()> {
    for entry in std::fs::read_dir(folder).ok()? {
        let path: PathBuf = entry.ok()?.path();
        let key = format!("{prefix}{}", path.file_name()?.to_str()?);
        if path.is_dir() {
            collect(&path, &format!("{key}/"), tree)?;
        } else {
            tree.insert(key, std::fs::read(&path).ok()?);
        }
    }
    Some(())
}

fn apply(change: &[u8], keys: &[String], tree: &mut BTreeMap<String, Vec<u8>>) {
    let [kind, object, high, middle, low, value, other, _] = change else { return };
    let pick = |byte: &u8| keys.get(usize::from(*byte) % keys.len().max(1));
    let (Some(key), Some(other)) = (pick(object), pick(other)) else { return };
    let at = (usize::from(*high) << 16) | (usize::from(*middle) << 8) | usize::from(*low);
    match kind % 5 {
        0 => edit(tree, key, |bytes, at| bytes.get_mut(at).into_iter().for_each(|byte| *byte = *value), at),
        1 => edit(tree, key, |bytes, at| bytes.insert(at, *value), at),
        2 => edit(tree, key, |bytes, at| drop(bytes.drain(at..=at)), at),
        3 => edit(tree, key, |bytes, at| bytes.truncate(at), at),
        _ => {
            let copied = tree.get(other).cloned().unwrap_or_default();
            tree.insert(key.clone(), copied);
        }
    }
}

fn edit(tree: &mut BTreeMap<String, Vec<u8>>, key: &str, change: impl FnOnce(&mut Vec<u8>, usize), at: usize) {
    if let Some(bytes) = tree.get_mut(key).filter(|bytes| !bytes.is_empty()) {
        let at = at % bytes.len();
        change(bytes, at);
    }
}

const CHANGE: usize = 8;
const CHANGES_MAX: usize = 8;
