//! The golden evidence tree, for tests: two lives of a relay, one that died and was recovered, a voided counter, an
//! approval; and the keys that made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::layout::Scope;
use schemas::signature::P256Key;
use seams::KeyFiles;

/// Its objects, by key.
pub(crate) fn objects() -> BTreeMap<String, Vec<u8>> {
    let tree = vectors().join("tree");
    let object = |file: PathBuf| {
        let key = file.strip_prefix(&tree).unwrap().to_str().unwrap().to_owned();
        (key, fs::read(file).unwrap())
    };
    files_below(&tree).into_iter().map(object).collect()
}

/// The keys that it was made with, in this folder.
pub(crate) fn keys(folder: &Path) -> KeyFiles {
    fs::create_dir_all(folder).unwrap();
    for (from, to) in [("root.pem", "certificates.pem"), ("approvals.pem", "approvals.pem"), ("data.key", "data.key")] {
        fs::copy(test_key(from), folder.join(to)).unwrap();
    }
    KeyFiles::open_or_create(folder).unwrap()
}

/// The key of a life: 1 died, 2 recovered it.
pub(crate) fn life_key(number: u8) -> P256Key {
    P256Key::from_pkcs8_pem(&fs::read_to_string(test_key(&format!("incarnation-{number}.pem"))).unwrap()).unwrap()
}

/// Where it stands.
pub(crate) fn scope() -> Scope {
    let name = |text: &str| text.parse().unwrap();
    Scope { tenant: name("clinic"), environment: name("test"), relay: name("relay-1") }
}

pub(crate) fn files_below(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files
}

fn test_key(name: &str) -> PathBuf {
    vectors().join(format!("test-keys/TEST-KEY-{name}"))
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors")
}
