//! Hashes of the Merkle tree (RFC 6962 section 2.1): leaves and nodes are told apart by their first byte.

use crate::digest::{Hasher, Sha256Digest};

/// Hash of an entry.
#[must_use]
pub fn leaf(entry: &[u8]) -> Sha256Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish()
}

/// Hash of the node over two subtrees.
#[must_use]
pub fn node(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

/// Root of the tree without entries.
#[must_use]
pub fn empty_root() -> Sha256Digest {
    Sha256Digest::of(&[])
}

/// Hash of the complete subtree over these hashes, of which there are a power of two; nothing for another number.
#[must_use]
pub fn complete(hashes: &[Sha256Digest]) -> Option<Sha256Digest> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        let (pairs, _) = level.as_chunks::<2>();
        level = pairs.iter().map(|[left, right]| node(left, right)).collect();
    }
    level.first().copied()
}

/// Root over complete subtrees from left to right, each smaller than the one before; [`empty_root`] over none.
#[must_use]
pub fn root(peaks: &[Sha256Digest]) -> Sha256Digest {
    let rightmost_first = peaks.iter().rev().copied();
    rightmost_first.reduce(|right, left| node(&left, &right)).unwrap_or_else(empty_root)
}
