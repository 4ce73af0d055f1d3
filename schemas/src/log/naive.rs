//! RFC 6962 section 2.1 word by word, slow: what the other code is compared with.

use super::hash::{leaf, node};
use crate::digest::Sha256Digest;

pub(super) fn root(entries: &[Vec<u8>]) -> Sha256Digest {
    match entries {
        [] => Sha256Digest::of(&[]),
        [entry] => leaf(entry),
        _ => {
            let (left, right) = entries.split_at(split(entries.len()));
            node(&root(left), &root(right))
        }
    }
}

/// PATH(m, D[n]).
pub(super) fn inclusion(index: usize, entries: &[Vec<u8>]) -> Vec<Sha256Digest> {
    if entries.len() <= 1 {
        return Vec::new();
    }
    let split = split(entries.len());
    let (left, right) = entries.split_at(split);
    let (mut path, sibling) = if index < split {
        (inclusion(index, left), root(right))
    } else {
        (inclusion(index - split, right), root(left))
    };
    path.push(sibling);
    path
}

/// SUBPROOF(m, D[n], b).
pub(super) fn consistency(earlier: usize, entries: &[Vec<u8>], whole: bool) -> Vec<Sha256Digest> {
    if earlier == entries.len() {
        return if whole { Vec::new() } else { vec![root(entries)] };
    }
    let split = split(entries.len());
    let (left, right) = entries.split_at(split);
    let (mut path, sibling) = if earlier <= split {
        (consistency(earlier, left, whole), root(right))
    } else {
        (consistency(earlier - split, right, false), root(left))
    };
    path.push(sibling);
    path
}

pub(super) fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| format!("entry {index}").into_bytes()).collect()
}

/// The largest power of two below `count`.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}
