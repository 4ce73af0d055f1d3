//! One segment: written record by record, read back as its valid prefix.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use schemas::session_key::SpoolKey;
use tokio::time::Instant;

use super::disk;
use super::folder::Entry;
use super::record::{Cipher, Draft, Header, Record, split, together};
use super::{Folder, Kind, SpoolError};

/// A segment that grows.
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    path: PathBuf,
    file: Arc<File>,
    cipher: Cipher,
    length: u64,
    /// When the first record came that is worth sealing.
    pub(crate) content_since: Option<Instant>,
}

/// A segment as read back: whole records in order, and what follows them. Records are opened where they stand in what was
/// read: a segment is in memory once.
pub(crate) struct Contents {
    pub(crate) header: Header,
    bytes: Vec<u8>,
    /// Opened payloads in `bytes`.
    payloads: Vec<Range<usize>>,
    /// Bytes after the last whole record: a torn write.
    pub(crate) discarded_bytes: u64,
}

impl Segment {
    /// Creates the file with its header, which is there whole or not at all.
    pub(crate) fn create(folder: &Folder, header: &Header, spool_key: &SpoolKey) -> Result<Self, SpoolError> {
        let mut bytes = Vec::new();
        let digest = header.encode(&mut bytes)?;
        let cipher = Cipher::new(spool_key, header.sequence, digest)?;
        let entry = Entry { counter: header.facts.session.counter, sequence: header.sequence, kind: Kind::Spool };
        let path = folder.file(entry);
        let file = disk::open(OpenOptions::new().write(true).create_new(true), &path)
            .map_err(SpoolError::disk("cannot create", &path))?;
        disk::write(&file, &path, &bytes).map_err(SpoolError::disk("cannot write", &path))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        // Counted whatever the limit says: rotation is what lets the spool shrink.
        folder.budget().force(length);
        Ok(Self { sequence: header.sequence, path, file: Arc::new(file), cipher, length, content_since: None })
    }

    /// Seals the drafts into `scratch` and writes it at once. After an error the segment must not be written again:
    /// its record numbers are used up.
    pub(crate) fn append(&mut self, drafts: &[Draft<'_>], scratch: &mut Vec<u8>) -> Result<(), SpoolError> {
        scratch.clear();
        for payload in together(drafts) {
            self.cipher.seal(payload, scratch)?;
        }
        let file = self.file.as_ref();
        if let Err(source) = disk::write(file, &self.path, scratch) {
            // So that no half batch is taken for a torn end; where this fails too, the cipher still tells.
            let _ = file.set_len(self.length);
            return Err(SpoolError::disk("cannot write", &self.path)(source));
        }
        self.length = self.length.saturating_add(u64::try_from(scratch.len()).unwrap_or(u64::MAX));
        self.content_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// From now on the disk refuses.
    #[cfg(test)]
    pub(crate) fn break_file(&mut self) {
        self.file = Arc::new(File::open(&self.path).unwrap());
    }

    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Another descriptor of the file, to read and to flush.
    pub(crate) fn open_again(&self) -> Result<File, SpoolError> {
        File::open(&self.path).map_err(SpoolError::disk("cannot open", &self.path))
    }
}

impl Contents {
    /// The header of a segment; `None` when it is torn, so that nothing in the segment was ever relied on.
    pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
        let (payload, _) = split(bytes)?;
        Header::decode(payload).map(|(header, _)| header)
    }

    /// The valid prefix.
    pub(crate) fn read(mut bytes: Vec<u8>, spool_key: &SpoolKey) -> Result<Option<Self>, SpoolError> {
        let Some((payload, rest)) = split(&bytes) else { return Ok(None) };
        let Some((header, digest)) = Header::decode(payload) else { return Ok(None) };
        let mut at = bytes.len() - rest.len();
        let mut cipher = Cipher::new(spool_key, header.sequence, digest)?;
        let mut payloads = Vec::new();
        while let Some((payload, next)) = bytes.get(at..).and_then(split) {
            let end = bytes.len() - next.len();
            let start = end - payload.len();
            let Some(plain) = bytes.get_mut(start..end).and_then(|payload| cipher.open(payload)) else { break };
            if Record::decode_all(plain).is_none() {
                break;
            }
            payloads.push(start..start + plain.len());
            at = end;
        }
        let discarded_bytes = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
        Ok(Some(Self { header, bytes, payloads, discarded_bytes }))
    }

    /// The records, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let opened = self.payloads.iter().filter_map(|range| self.bytes.get(range.clone()));
        opened.filter_map(Record::decode_all).flatten()
    }
}
