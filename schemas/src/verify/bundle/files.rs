//! Every file is named, and every name is a file.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::super::lanes::{self, Lanes};
use super::manifest::Manifest;
use super::{Files, Inspection};
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
    let files = inspection.files;
    let work = |path: &str| digest(files, path);
    lanes::with(&work, |lanes| check_on(lanes, inspection, paths, manifest))
}

/// Digests files while those before them are judged.
fn check_on<'p>(
    mut lanes: Lanes<&'p str, io::Result<(Sha256Digest, u64)>>,
    inspection: &mut Inspection<'_>,
    paths: &'p [String],
    manifest: Option<&Manifest>,
) -> BTreeSet<BundleFile> {
    let files = inspection.files;
    let mut sound = BTreeSet::new();
    let mut named = manifest.map(Manifest::files).unwrap_or_default();
    let is_digested = |path: &&String| {
        named.contains_key(path.as_str()) && BundleFile::parse(path).is_some_and(|file| file != BundleFile::Manifest)
    };
    let digested: Vec<&str> = paths.iter().filter(is_digested).map(String::as_str).collect();
    let mut coming = digested.into_iter();
    for path in paths {
        while lanes.has_room(BUFFER) {
            let Some(next) = coming.next() else { break };
            lanes.give(next, BUFFER);
        }
        let Some(file) = BundleFile::parse(path) else {
            inspection.find(path, Rule::BundleLayout, "expected a path of the layout");
            continue;
        };
        if file == BundleFile::Manifest {
            continue;
        }
        match named.remove(path.as_str()) {
            Some(expected) => {
                let found = lanes.take(|path| digest(files, path)).unwrap_or_else(|| digest(files, path));
                if check_digest(inspection, path, expected, found) && inspection.report.checked.signature {
                    sound.insert(file);
                }
            }
            None if manifest.is_some() => inspection.find(path, Rule::BundleExtra, "the manifest does not name it"),
            None => {}
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

fn check_digest(
    inspection: &mut Inspection<'_>,
    path: &str,
    expected: Sha256Digest,
    found: io::Result<(Sha256Digest, u64)>,
) -> bool {
    let problem = match found {
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

fn digest(files: &dyn Files, path: &str) -> io::Result<(Sha256Digest, u64)> {
    let mut file = files.open(path)?;
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
