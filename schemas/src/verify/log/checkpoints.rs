//! What a log's checkpoints, and those that were kept from earlier, say of its tree.

use std::collections::BTreeMap;

use super::super::examiner::Examiner;
use super::Log;
use crate::digest::Sha256Digest;
use crate::log::{Checkpoint, NOTE_MAX, Note, SecondKey};
use crate::rule::Rule;

/// Roots at sizes, to be compared while the tree is built.
#[derive(Default)]
pub(super) struct Claims {
    by_size: BTreeMap<u64, Vec<Claim>>,
    /// The newest checkpoint that holds, and its number.
    pub(super) newest: Option<(u64, Checkpoint)>,
    /// Checkpoints from earlier that are this log's.
    kept: u64,
    /// When a witness saw one of them last, seconds since 1970.
    pub(super) witnessed: Option<u64>,
}

/// Somebody signed that the tree of this size has this root.
pub(super) struct Claim {
    /// The checkpoint's key, or the name of a file.
    pub(super) object: String,
    pub(super) root: Sha256Digest,
    /// The rule it breaks when it has another.
    pub(super) rule: Rule,
}

impl Claims {
    pub(super) fn read(examiner: &mut Examiner<'_>, log: &Log<'_>) -> Self {
        let mut claims = Self::default();
        claims.read_stored(examiner, log);
        claims.read_earlier(examiner, log);
        if claims.kept == 0 && !examiner.options.witnesses.is_empty() {
            let message = "witnesses are named, and no checkpoint of this log that they saw is given";
            examiner.find(&log.origin.prefix(), Rule::CheckpointWitness, message);
        }
        claims
    }

    /// What is said of the tree of this size.
    pub(super) fn at(&mut self, size: u64) -> Vec<Claim> {
        self.by_size.remove(&size).unwrap_or_default()
    }

    fn read_stored(&mut self, examiner: &mut Examiner<'_>, log: &Log<'_>) {
        let mut expected = 1u64;
        for number in &log.stored.checkpoints {
            let key = log.origin.checkpoint(*number);
            if *number != expected {
                let message = format!("checkpoints {expected} to {} are missing", number.saturating_sub(1));
                examiner.find(&log.origin.checkpoint(expected), Rule::CheckpointSequence, message);
            }
            expected = number.saturating_add(1);
            let Some(note) = examiner.read(&key, NOTE_MAX as u64) else { continue };
            let Some(checkpoint) = open(examiner, log, &key, &note) else { continue };
            if let Some((before, newest)) = self.newest.as_ref().filter(|(_, newest)| newest.size >= checkpoint.size) {
                let message = format!("has {} entries, checkpoint {before} has {}", checkpoint.size, newest.size);
                examiner.find(&key, Rule::CheckpointSequence, message);
                continue;
            }
            examiner.report.checked.checkpoints += 1;
            self.claim(&checkpoint, key, Rule::LogRoot);
            self.newest = Some((*number, checkpoint));
        }
        if log.stored.checkpoints.is_empty() {
            examiner.find(&log.origin.checkpoint(1), Rule::CheckpointSequence, "a log has at least one checkpoint");
        }
    }

    fn read_earlier(&mut self, examiner: &mut Examiner<'_>, log: &Log<'_>) {
        let size = self.newest.as_ref().map_or(0, |(_, newest)| newest.size);
        for earlier in examiner.options.earlier.clone() {
            let of_this = Checkpoint::read_unverified(&earlier.note).is_ok_and(|read| read.origin == *log.origin);
            if !of_this {
                continue;
            }
            let Some(checkpoint) = open(examiner, log, &earlier.name, &earlier.note) else { continue };
            self.kept += 1;
            self.check_witnesses(examiner, &earlier.name, &earlier.note);
            if checkpoint.size > size {
                let message = format!("the log had {} entries, and has {size} here", checkpoint.size);
                examiner.find(&earlier.name, Rule::CheckpointEarlier, message);
            } else {
                self.claim(&checkpoint, earlier.name, Rule::CheckpointEarlier);
            }
        }
    }

    fn check_witnesses(&mut self, examiner: &mut Examiner<'_>, name: &str, note: &[u8]) {
        if examiner.options.witnesses.is_empty() {
            return;
        }
        let note = Note::from_slice(note).ok();
        let saw =
            note.and_then(|note| examiner.options.witnesses.iter().filter_map(|witness| witness.saw(&note)).max());
        if saw.is_some() {
            examiner.report.checked.signatures += 1;
            self.witnessed = self.witnessed.max(saw);
        } else {
            examiner.find(name, Rule::CheckpointWitness, "bears no cosignature of a witness that was named");
        }
    }

    fn claim(&mut self, checkpoint: &Checkpoint, object: String, rule: Rule) {
        self.by_size.entry(checkpoint.size).or_default().push(Claim { object, root: checkpoint.root, rule });
    }
}

/// The checkpoint, if it is one of this log and one of its keys signed it; where no key is known, its text.
fn open(examiner: &mut Examiner<'_>, log: &Log<'_>, object: &str, note: &[u8]) -> Option<Checkpoint> {
    let read = match Checkpoint::read_unverified(note) {
        Ok(read) if read.origin == *log.origin => read,
        Ok(_) => {
            examiner.find(object, Rule::CheckpointForm, "names another log than the place it stands in");
            return None;
        }
        Err(error) => {
            examiner.find(object, Rule::CheckpointForm, error.to_string());
            return None;
        }
    };
    if log.keys.is_empty() {
        return Some(read);
    }
    let first = log.keys.iter().find_map(|key| Checkpoint::open(note, log.origin, key).ok());
    let opened = first.or_else(|| log.second.iter().find_map(|key| key.open(note).ok()));
    let signed = |key: &SecondKey| Note::from_slice(note).ok().and_then(|note| key.signed(&note));
    let opened = opened.filter(|_| log.second.iter().all(|key| signed(key) != Some(false)));
    if opened.is_some() {
        examiner.report.checked.signatures += 1;
    } else {
        examiner.find(object, Rule::CheckpointSignature, "the signature does not verify under the checkpoints key");
    }
    opened
}
