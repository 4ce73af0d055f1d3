//! Keys of the files in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::is_absence;
use crate::object_key::is_key;

/// All keys with this prefix below `root`, sorted.
pub(super) fn all(root: &Path, prefix: &str) -> io::Result<Vec<String>> {
    // Start at the deepest whole folder of the prefix, so that one session's listing does not walk all evidence.
    let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    if !folder.is_empty() && !is_key(folder) {
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        list_folder(root, &folder, &mut folders, &mut keys)?;
    }
    keys.retain(|key| key.starts_with(prefix));
    keys.sort_unstable();
    Ok(keys)
}

/// The first `limit` keys with this prefix and after `after`, in the order of keys.
pub(super) fn page(root: &Path, prefix: &str, after: &str, limit: usize) -> io::Result<Vec<String>> {
    let mut page = Page { objects: root, prefix, after, limit, keys: Vec::new() };
    let parent = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
    if parent.is_empty() || is_key(parent) {
        let below = if parent.is_empty() { String::new() } else { format!("{parent}/") };
        page.collect(&below)?;
    }
    Ok(page.keys)
}

/// A page of keys being gathered.
struct Page<'a> {
    objects: &'a Path,
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    keys: Vec<String>,
}

impl Page<'_> {
    /// Gathers from the folder of this key prefix (empty, or with its slash), in the order of keys.
    fn collect(&mut self, below: &str) -> io::Result<()> {
        let entries = match fs::read_dir(self.objects.join(below)) {
            Err(error) if is_absence(&error) => return Ok(()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // With its slash a folder sorts where the keys in it do.
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            names.extend(entry.file_name().to_str().map(|name| format!("{below}{name}{slash}")));
        }
        names.sort_unstable();
        for name in names {
            let name = name.as_str();
            if self.keys.len() >= self.limit {
                break;
            }
            if !name.ends_with('/') {
                if name > self.after && name.starts_with(self.prefix) {
                    self.keys.push(name.to_owned());
                }
            } else if (name > self.after || self.after.starts_with(name))
                && (name.starts_with(self.prefix) || self.prefix.starts_with(name))
            {
                self.collect(name)?;
            }
        }
        Ok(())
    }
}

fn list_folder(objects: &Path, folder: &Path, folders: &mut Vec<PathBuf>, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absence(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        } else if let Some(key) = entry.path().strip_prefix(objects).ok().and_then(Path::to_str) {
            keys.push(key.to_owned());
        }
    }
    Ok(())
}
