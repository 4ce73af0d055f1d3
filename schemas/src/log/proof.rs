//! Proofs (RFC 9162 section 2.1): that an entry is in a tree, and that a tree only grew.

use super::hash::{self, node};
use super::subtrees::Subtrees;
use crate::digest::Sha256Digest;
use crate::error::Error;

/// That a tree of `size` entries has a certain entry at `index`: the hashes beside its way to the root, from below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The entry's place, from 0.
    pub index: u64,
    /// Entries in the tree.
    pub size: u64,
    /// Sibling hashes, that of the leaf first.
    pub path: Vec<Sha256Digest>,
}

/// That the tree of `size` entries begins with the tree of `earlier` entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// Entries in the earlier tree.
    pub earlier: u64,
    /// Entries in the later tree.
    pub size: u64,
    /// Hashes, as RFC 9162 section 2.1.4.1 orders them.
    pub path: Vec<Sha256Digest>,
}

impl Inclusion {
    /// Makes the proof.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is no such entry; those of `tree`.
    pub fn prove(index: u64, size: u64, tree: &dyn Subtrees) -> Result<Self, Error> {
        if index >= size {
            return Err(OUTSIDE);
        }
        let mut path = Vec::new();
        let (mut first, mut count) = (0, size);
        while count > 1 {
            let left = split(count);
            if index - first < left {
                path.push(range(first + left, count - left, tree)?);
                count = left;
            } else {
                path.push(range(first, left, tree)?);
                first += left;
                count -= left;
            }
        }
        path.reverse();
        Ok(Self { index, size, path })
    }

    /// Checks it (RFC 9162 section 2.1.3.2): the tree with this root has an entry with this hash.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn verify(&self, leaf: &Sha256Digest, root: &Sha256Digest) -> Result<(), Error> {
        if self.index >= self.size {
            return Err(OUTSIDE);
        }
        let (mut position, mut last) = (self.index, self.size - 1);
        let mut hash = *leaf;
        for sibling in &self.path {
            if last == 0 {
                return Err(WRONG);
            }
            if position % 2 == 1 || position == last {
                hash = node(sibling, &hash);
                // Up to where this subtree is a right child: a last entry may stand alone on some levels.
                let alone = if position == 0 { 0 } else { position.trailing_zeros() };
                position >>= alone;
                last >>= alone;
            } else {
                hash = node(&hash, sibling);
            }
            position >>= 1;
            last >>= 1;
        }
        if last == 0 && hash == *root { Ok(()) } else { Err(WRONG) }
    }
}

impl Consistency {
    /// Makes the proof.
    ///
    /// # Errors
    /// [`Error::Malformed`] when `earlier` is larger than `size`; those of `tree`.
    pub fn prove(earlier: u64, size: u64, tree: &dyn Subtrees) -> Result<Self, Error> {
        if earlier > size {
            return Err(OUTSIDE);
        }
        let mut path = Vec::new();
        // Nothing needs to be proved of the empty tree and of the tree itself.
        if earlier > 0 && earlier < size {
            let (mut first, mut count, mut whole) = (0, size, true);
            while earlier - first < count {
                let left = split(count);
                if earlier - first <= left {
                    path.push(range(first + left, count - left, tree)?);
                    count = left;
                } else {
                    path.push(range(first, left, tree)?);
                    first += left;
                    count -= left;
                    whole = false;
                }
            }
            // The verifier knows the earlier tree's root itself.
            if !whole {
                path.push(range(first, count, tree)?);
            }
            path.reverse();
        }
        Ok(Self { earlier, size, path })
    }

    /// Checks it (RFC 9162 section 2.1.4.2): the tree with root `later` begins with the one with root `earlier`.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn verify(&self, earlier: &Sha256Digest, later: &Sha256Digest) -> Result<(), Error> {
        if self.earlier > self.size {
            return Err(OUTSIDE);
        }
        if self.earlier == 0 || self.earlier == self.size {
            let expected = if self.earlier == 0 { hash::empty_root() } else { *later };
            return if self.path.is_empty() && *earlier == expected { Ok(()) } else { Err(WRONG) };
        }
        let (mut position, mut last) = (self.earlier - 1, self.size - 1);
        let alone = position.trailing_ones();
        position = position.checked_shr(alone).unwrap_or(0);
        last = last.checked_shr(alone).unwrap_or(0);
        let mut path = self.path.iter();
        // An earlier tree that is one complete subtree is the first hash itself.
        let start = if self.earlier.is_power_of_two() { *earlier } else { *path.next().ok_or(WRONG)? };
        let (mut first, mut second) = (start, start);
        for sibling in path {
            if last == 0 {
                return Err(WRONG);
            }
            if position % 2 == 1 || position == last {
                first = node(sibling, &first);
                second = node(sibling, &second);
                let alone = if position == 0 { 0 } else { position.trailing_zeros() };
                position >>= alone;
                last >>= alone;
            } else {
                second = node(&second, sibling);
            }
            position >>= 1;
            last >>= 1;
        }
        if last == 0 && first == *earlier && second == *later { Ok(()) } else { Err(WRONG) }
    }
}

/// Root of a tree of `size` entries.
///
/// # Errors
/// Those of `tree`.
pub fn root(size: u64, tree: &dyn Subtrees) -> Result<Sha256Digest, Error> {
    range(0, size, tree)
}

/// Hash over `count` entries from `first` on, where `first` is a multiple of the largest power of two within `count`.
fn range(mut first: u64, mut count: u64, tree: &dyn Subtrees) -> Result<Sha256Digest, Error> {
    let mut peaks = Vec::new();
    while let Some(height) = count.checked_ilog2() {
        peaks.push(tree.subtree(height, first >> height)?);
        first += 1 << height;
        count -= 1 << height;
    }
    Ok(hash::root(&peaks))
}

/// The largest power of two below `count`, for a count above one.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

const OUTSIDE: Error = Error::Malformed { what: "proof", expected: "entries and sizes within the tree" };
const WRONG: Error = Error::Malformed { what: "proof", expected: "hashes that lead to the root" };

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Edge, Tile, Tiles, naive};
    use super::*;
    use proptest::prelude::*;

    /// Every tile of a log, and its entries.
    fn log(count: usize) -> (Vec<Vec<u8>>, BTreeMap<Tile, Vec<u8>>) {
        let (entries, mut edge, mut tiles) = (naive::entries(count), Edge::default(), BTreeMap::new());
        for entry in &entries {
            tiles.extend(edge.push(entry.clone()).unwrap());
        }
        tiles.extend(edge.partial().unwrap());
        (entries, tiles)
    }

    /// As one who fetches exactly what is needed.
    fn with_tiles<T>(
        size: usize,
        tiles: &BTreeMap<Tile, Vec<u8>>,
        work: impl Fn(&dyn Subtrees) -> Result<T, Error>,
    ) -> T {
        let needed = Tiles::needed(size as u64, |tree| work(tree).map(drop));
        let read =
            needed.iter().map(|tile| (*tile, tiles.get(tile).unwrap_or_else(|| &tiles[&tile.full()]).as_slice()));
        work(&Tiles::new(size as u64, read).unwrap()).unwrap()
    }

    #[test]
    fn every_entry_of_every_small_tree_is_proved_as_rfc_6962_says() {
        for size in 1..=40 {
            let (of_size, tiles) = log(size);
            let root = naive::root(&of_size);
            for (index, entry) in of_size.iter().enumerate() {
                let proof = with_tiles(size, &tiles, |tree| Inclusion::prove(index as u64, size as u64, tree));
                assert_eq!(proof.path, naive::inclusion(index, &of_size), "{index} of {size}");
                proof.verify(&hash::leaf(entry), &root).unwrap();
                let next = Inclusion { index: (index + 1) as u64, ..proof.clone() };
                assert!(next.verify(&hash::leaf(entry), &root).is_err());
                assert!(proof.verify(&hash::leaf(b"another"), &root).is_err());
            }
        }
    }

    #[test]
    fn every_growth_of_every_small_tree_is_proved_as_rfc_6962_says() {
        let entries = naive::entries(40);
        for size in 1..=entries.len() {
            let (of_size, tiles) = log(size);
            let root = naive::root(&of_size);
            for earlier in 1..=size {
                let proof = with_tiles(size, &tiles, |tree| Consistency::prove(earlier as u64, size as u64, tree));
                assert_eq!(proof.path, naive::consistency(earlier, &of_size, true), "{earlier} of {size}");
                let before = naive::root(&entries[..earlier]);
                proof.verify(&before, &root).unwrap();
                assert!(proof.verify(&hash::leaf(b"another"), &root).is_err());
                assert!(proof.verify(&before, &hash::leaf(b"another")).is_err());
            }
            let nothing = with_tiles(size, &tiles, |tree| Consistency::prove(0, size as u64, tree));
            nothing.verify(&hash::empty_root(), &root).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn trees_of_several_tiles_are_proved_from_their_tiles(
            size in 1usize..1500, index: prop::sample::Index, earlier: prop::sample::Index,
            longer: bool, spoiled: prop::sample::Index,
        ) {
            let (entries, tiles) = log(size);
            let (root, index, earlier) = (naive::root(&entries), index.index(size), earlier.index(size) + 1);
            let inclusion = with_tiles(size, &tiles, |tree| Inclusion::prove(index as u64, size as u64, tree));
            let leaf = hash::leaf(&entries[index]);
            prop_assert_eq!(&inclusion.path, &naive::inclusion(index, &entries));
            prop_assert!(inclusion.verify(&leaf, &root).is_ok());
            let consistency = with_tiles(size, &tiles, |tree| Consistency::prove(earlier as u64, size as u64, tree));
            let before = naive::root(&entries[..earlier]);
            prop_assert_eq!(&consistency.path, &naive::consistency(earlier, &entries, true));
            prop_assert!(consistency.verify(&before, &root).is_ok());

            // No hash of a proof can be changed, left out or added.
            let spoil = |path: &mut Vec<Sha256Digest>| {
                if longer || path.is_empty() {
                    path.push(leaf);
                } else {
                    let place = spoiled.index(path.len());
                    if size % 2 == 0 { path.remove(place); } else { path[place] = hash::leaf(b"another"); }
                }
            };
            let (mut inclusion, mut consistency) = (inclusion, consistency);
            spoil(&mut inclusion.path);
            spoil(&mut consistency.path);
            prop_assert!(inclusion.verify(&leaf, &root).is_err());
            prop_assert!(consistency.verify(&before, &root).is_err());
        }

        #[test]
        fn a_proof_from_nowhere_is_refused_and_ends(index: u64, size: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..80)) {
            let path: Vec<_> = hashes.into_iter().map(Sha256Digest::from_bytes).collect();
            let (leaf, root) = (hash::leaf(b"a"), hash::leaf(b"b"));
            let inclusion = Inclusion { index, size, path: path.clone() };
            prop_assert!(inclusion.verify(&leaf, &root).is_err());
            let consistency = Consistency { earlier: index, size, path };
            prop_assert!(consistency.verify(&leaf, &root).is_err());
        }
    }
}
