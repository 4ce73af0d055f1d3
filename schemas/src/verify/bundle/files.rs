//! Every file is named, and every name is a file.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::Inspection;
use super::manifest::Manifest;
use crate::bundle::layout::BundleFile;
use crate::digest::{Hasher, Sha256Digest};
use crate::rule::Rule;

/// Checks all files and gives those whose digest is signed: nothing else is worth being taken apart. Where the signature
/// does not hold that is none of them: anybody could have made them, for those who take them apart.
pub(super) fn check(
    inspection: &mut Inspection<'_>,
    paths: &[String],
    manifest: Option<&Manifest>,
) -> BTreeSet<BundleFile> {
    let mut sound = BTreeSet::new();
    let mut named = manifest.map(Manifest::files).unwrap_or_default();
    for path in paths {
        let Some(file) = BundleFile::parse(path) else {
            inspection.find(path, Rule::BundleLayout, "expected a path of the layout");
            continue;
        };
        if file == BundleFile::Manifest {
            continue;
        }
        let digest = named.remove(path.as_str());
        match digest {
            Some(digest) if check_digest(inspection, path, digest) && inspection.report.checked.signature => {
                sound.insert(file);
            }
            None if manifest.is_some() => inspection.find(path, Rule::BundleExtra, "the manifest does not name it"),
            _ => {}
        }
    }
    for path in named.into_keys() {
        inspection.find(path, Rule::BundleMissing, "the manifest names it, and it is not there");
    }
    let present: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    for path in BundleFile::required().map(|file| file.path()).filter(|path| !present.contains(path.as_str())) {
        inspection.find(&path, Rule::BundleMissing, "every bundle has it");
    }
    sound
}

fn check_digest(inspection: &mut Inspection<'_>, path: &str, expected: Sha256Digest) -> bool {
    let problem = match digest(inspection, path) {
        Ok((found, bytes)) => {
            inspection.report.checked.files += 1;
            inspection.report.checked.bytes += bytes;
            (found != expected).then(|| format!("has digest {found}, expected {expected}"))
        }
        Err(error) => Some(format!("cannot be read: {error}")),
    };
    let sound = problem.is_none();
    if let Some(problem) = problem {
        inspection.find(path, Rule::BundleDigest, problem);
    }
    sound
}

fn digest(inspection: &Inspection<'_>, path: &str) -> io::Result<(Sha256Digest, u64)> {
    let mut file = inspection.files.open(path)?;
    let (mut hasher, mut length) = (Hasher::new(), 0u64);
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hasher.finish(), length));
        }
        hasher.update(buffer.get(..read).unwrap_or(&buffer));
        length = length.saturating_add(read as u64);
    }
}

/// Large enough that reading is not what takes time.
const BUFFER: usize = 64 * 1024;
