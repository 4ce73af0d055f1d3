//! Keys and their versions, as `ListObjectVersions` tells of them: a page at a time, whatever their number.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::EncodingType;
use seams::{Overlay, OverlayKind, StoreError};

use super::version::Version;
use super::{Bucket, CallFailed, encoded_key, failed};

/// A key, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    /// The oldest version; none where delete markers stand alone.
    pub(super) first: Option<String>,
    newest: Option<Newest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Newest {
    id: String,
    is_marker: bool,
    at_s: u64,
}

/// Walks through the objects with a prefix, by key.
pub(super) struct Objects<'a> {
    bucket: &'a Bucket,
    prefix: String,
    after: String,
    page: i32,
    next: Next,
    /// The last key of a page: its other versions may be on the next one.
    unfinished: Option<Object>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    From { key: String, version: Option<String> },
    End,
}

impl<'a> Objects<'a> {
    /// Objects whose keys are greater than `after`; about `limit` of them are wanted.
    pub(super) fn after(bucket: &'a Bucket, prefix: &str, after: &str, limit: usize) -> Self {
        // One more: a page's last key is known whole when another one follows.
        let page = i32::try_from(limit.saturating_add(1)).unwrap_or(PAGE_MAX).clamp(2, PAGE_MAX);
        Self {
            bucket,
            prefix: prefix.to_owned(),
            after: after.to_owned(),
            page,
            next: Next::From { key: after.to_owned(), version: None },
            unfinished: None,
        }
    }

    /// The object with this key, which comes first of those that begin with it.
    pub(super) fn of_key(bucket: &'a Bucket, key: &str) -> Self {
        Self::after(bucket, key, "", 1)
    }

    pub(super) async fn object(mut self, key: &str) -> Result<Option<Object>, StoreError> {
        let page = self.next().await?.unwrap_or_default();
        Ok(page.into_iter().next().filter(|object| object.key == key))
    }

    /// All versions of this key, newest first, and its delete markers.
    pub(super) async fn all_of(mut self, key: &str) -> Result<(Vec<Version>, Vec<Version>), StoreError> {
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        self.page = PAGE_MAX;
        while let Some(answer) = self.fetch().await? {
            let own = |entry: &Entry| entry.key == key;
            let (before, entries) = (versions.len() + markers.len(), answer.len());
            for entry in answer.into_iter().filter(own) {
                let list = if entry.is_marker { &mut markers } else { &mut versions };
                list.push(Version { key: entry.key, id: entry.id });
            }
            let found = versions.len() + markers.len();
            if found > VERSIONS_MAX {
                return Err(failed(key, CallFailed::new(LIST, "more versions than anybody needs")));
            }
            // Another key has begun.
            if found - before < entries {
                break;
            }
        }
        Ok((versions, markers))
    }

    /// The next objects, at least one; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Object>>, StoreError> {
        while let Some(entries) = self.fetch().await? {
            let mut objects: BTreeMap<String, Object> = BTreeMap::new();
            objects.extend(self.unfinished.take().map(|object| (object.key.clone(), object)));
            for entry in entries {
                // S3 says that its markers exclude, and documents them as if they did not.
                if entry.key > self.after && entry.key.starts_with(&self.prefix) {
                    objects.entry(entry.key.clone()).or_insert_with(|| Object::new(&entry.key)).add(entry);
                }
            }
            if self.next != Next::End {
                self.unfinished = objects.pop_last().map(|(_, object)| object);
            }
            if !objects.is_empty() {
                return Ok(Some(objects.into_values().collect()));
            }
            // One key has more versions than were asked for.
            self.page = PAGE_MAX;
        }
        Ok(self.unfinished.take().map(|object| vec![object]))
    }

    /// A page; versions of a key newest first. Nothing at the end.
    async fn fetch(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        let Next::From { key, version } = self.next.clone() else { return Ok(None) };
        let mut list = self.bucket.client.list_object_versions().bucket(&self.bucket.settings.bucket);
        list = list.encoding_type(EncodingType::Url).prefix(&self.prefix).max_keys(self.page);
        if !key.is_empty() {
            list = list.key_marker(&key).set_version_id_marker(version.clone());
        }
        let answer = list.set_expected_bucket_owner(self.bucket.settings.owner.clone()).send().await;
        let answer = answer.map_err(|error| failed(&self.prefix, CallFailed::of(LIST, &error)))?;
        let unreadable = || failed(&self.prefix, CallFailed::new(LIST, "an answer that cannot be read"));
        let next = next(&answer).ok_or_else(unreadable)?;
        if next == (Next::From { key, version }) {
            return Err(failed(&self.prefix, CallFailed::new(LIST, "pages without an end")));
        }
        let entries = entries(&answer).ok_or_else(unreadable)?;
        self.next = next;
        Ok(Some(entries))
    }
}

impl Object {
    fn new(key: &str) -> Self {
        Self { key: key.to_owned(), first: None, newest: None }
    }

    /// Adds a version that is older than those before.
    fn add(&mut self, entry: Entry) {
        if entry.is_latest {
            self.newest = Some(Newest { id: entry.id.clone(), is_marker: entry.is_marker, at_s: entry.at_s });
        }
        if !entry.is_marker {
            self.first = Some(entry.id);
        }
    }

    /// What lies over the first version, if anything.
    pub(super) fn into_overlay(self) -> Option<Overlay> {
        let (first, newest) = (self.first?, self.newest?);
        let kind = if newest.is_marker { OverlayKind::Hidden } else { OverlayKind::Overwritten };
        (first != newest.id).then_some(Overlay { key: self.key, kind, at_s: Some(newest.at_s) })
    }
}

struct Entry {
    key: String,
    id: String,
    is_marker: bool,
    is_latest: bool,
    at_s: u64,
}

fn next(answer: &ListObjectVersionsOutput) -> Option<Next> {
    if answer.is_truncated != Some(true) {
        return Some(Next::End);
    }
    let key = decoded(answer, answer.next_key_marker.as_deref()?)?;
    Some(Next::From { key, version: answer.next_version_id_marker.clone() })
}

fn entries(answer: &ListObjectVersionsOutput) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for version in answer.versions() {
        entries.push(Entry {
            key: decoded(answer, version.key()?)?,
            id: version.version_id()?.to_owned(),
            is_marker: false,
            is_latest: version.is_latest()?,
            at_s: seconds(version.last_modified()),
        });
    }
    for marker in answer.delete_markers() {
        entries.push(Entry {
            key: decoded(answer, marker.key()?)?,
            id: marker.version_id()?.to_owned(),
            is_marker: true,
            is_latest: marker.is_latest()?,
            at_s: seconds(marker.last_modified()),
        });
    }
    Some(entries)
}

/// Encoded only where the answer says so.
fn decoded(answer: &ListObjectVersionsOutput, key: &str) -> Option<String> {
    match &answer.encoding_type {
        Some(EncodingType::Url) => encoded_key::decode(key),
        _ => Some(key.to_owned()),
    }
}

fn seconds(time: Option<&aws_smithy_types::DateTime>) -> u64 {
    time.and_then(|time| u64::try_from(time.secs()).ok()).unwrap_or(0)
}

const LIST: &str = "ListObjectVersions";
/// S3's own limit.
const PAGE_MAX: i32 = 1000;
/// More of one key than any accident leaves.
const VERSIONS_MAX: usize = 10_000;
