//! The right edge of a log's tree: all that is needed to append to it, and to tell its root.

use std::collections::BTreeMap;
use std::mem;

use super::entry_bundle;
use super::hash;
use super::tile::{FULL_WIDTH, Tile, TileKind};
use crate::digest::Sha256Digest;
use crate::error::Error;

/// The entries of a bundle, and tiles with their bytes.
type Filled = (Option<Vec<Vec<u8>>>, Vec<(Tile, Vec<u8>)>);

/// A tree of any size, of which only the partial tiles are held: at most 255 hashes a level and 255 entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Partial tile of each level, from the leaves up.
    levels: Vec<Vec<Sha256Digest>>,
    /// Entries of the partial bundle.
    entries: Vec<Vec<u8>>,
}

impl Edge {
    /// The edge of a tree of `size` entries from its [partial tiles](Tile::partial). A tile may hold more than its
    /// width: it may have grown since.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a tile is missing, too short, or the entries are not those of the hashes.
    pub fn restore(size: u64, tiles: &BTreeMap<Tile, Vec<u8>>) -> Result<Self, Error> {
        let mut edge = Self { size, ..Self::default() };
        for tile in Tile::partial(size) {
            let bytes = tiles.get(&tile).ok_or(NO_EDGE)?;
            match tile.kind {
                TileKind::Entries => edge.entries = entry_bundle::decode(bytes, tile.width)?,
                TileKind::Hashes(level) => {
                    edge.levels.resize(usize::from(level), Vec::new());
                    edge.levels.push(decode_hashes(bytes, tile.width)?);
                }
            }
        }
        let leaves = edge.levels.first().map_or(&[][..], Vec::as_slice);
        if edge.entries.iter().map(|entry| hash::leaf(entry)).eq(leaves.iter().copied()) {
            Ok(edge)
        } else {
            Err(NO_EDGE)
        }
    }

    /// Appends an entry; gives the tiles that it filled, which are as they will ever be.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for an entry longer than 65,535 bytes.
    pub fn push(&mut self, entry: Vec<u8>) -> Result<Vec<(Tile, Vec<u8>)>, Error> {
        let hash = hash::leaf(&entry);
        let (bundle, mut filled) = self.push_hashed(entry, hash)?;
        if let Some(entries) = bundle {
            let index = (self.size >> 8).saturating_sub(1);
            filled.insert(0, (Tile::entries(index), entry_bundle::encode(&entries)?));
        }
        Ok(filled)
    }

    /// Appends an entry whose hash is known; gives the entries of the bundle that it filled, and the tiles of hashes.
    ///
    /// # Errors
    /// Those of [`Edge::push`].
    pub(crate) fn push_hashed(&mut self, entry: Vec<u8>, hash: Sha256Digest) -> Result<Filled, Error> {
        if entry.len() > usize::from(u16::MAX) {
            return Err(Error::TooLarge { what: "log entry", limit: u64::from(u16::MAX) });
        }
        let size = self.size.checked_add(1).ok_or(Error::Bug("a log of 2^64 entries"))?;
        let (mut bundle, mut filled) = (None, Vec::new());
        let mut carried = Some(hash);
        self.entries.push(entry);
        if self.entries.len() == usize::from(FULL_WIDTH) {
            bundle = Some(mem::take(&mut self.entries));
        }
        let mut level = 0u8;
        while let Some(hash) = carried.take() {
            let position = usize::from(level);
            if self.levels.len() <= position {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(position) else { break };
            hashes.push(hash);
            if hashes.len() == usize::from(FULL_WIDTH) {
                carried = hash::complete(hashes);
                let index = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0).saturating_sub(1);
                filled.push((Tile::hashes(level, index), encode_hashes(hashes)));
                hashes.clear();
            }
            level = level.saturating_add(1);
        }
        self.size = size;
        Ok((bundle, filled))
    }

    /// The [partial tiles](Tile::partial) with their bytes.
    ///
    /// # Errors
    /// None for an edge that was pushed or restored.
    pub fn partial(&self) -> Result<Vec<(Tile, Vec<u8>)>, Error> {
        let bytes = |tile: &Tile| match tile.kind {
            TileKind::Entries => entry_bundle::encode(&self.entries),
            TileKind::Hashes(level) => {
                let hashes = self.levels.get(usize::from(level));
                hashes.map(|hashes| encode_hashes(hashes)).ok_or(Error::Bug("an edge without its level"))
            }
        };
        Tile::partial(self.size).into_iter().map(|tile| Ok((tile, bytes(&tile)?))).collect()
    }

    /// Entries in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        let peaks: Vec<_> = self.levels.iter().rev().flat_map(|hashes| peaks(hashes)).collect();
        hash::root(&peaks)
    }
}

/// Complete subtrees over these hashes, from left to right, the largest first.
fn peaks(mut hashes: &[Sha256Digest]) -> Vec<Sha256Digest> {
    let mut peaks = Vec::new();
    while let Some(largest) = hashes.len().checked_ilog2() {
        let Some((left, rest)) = hashes.split_at_checked(1 << largest) else { break };
        peaks.extend(hash::complete(left));
        hashes = rest;
    }
    peaks
}

/// The hashes one after another.
pub(super) fn encode_hashes(hashes: &[Sha256Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The first `width` hashes of a tile that holds at least so many and at most [`FULL_WIDTH`].
pub(super) fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Sha256Digest>, Error> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() > usize::from(FULL_WIDTH) {
        return Err(NO_TILE);
    }
    let hashes = hashes.get(..usize::from(width)).ok_or(NO_TILE)?;
    Ok(hashes.iter().copied().map(Sha256Digest::from_bytes).collect())
}

const NO_EDGE: Error =
    Error::Malformed { what: "edge of a log", expected: "its partial tiles, and entries that they are the hashes of" };
const NO_TILE: Error = Error::Malformed { what: "tile", expected: "as many hashes as its path says" };

#[cfg(test)]
mod tests {
    use super::super::naive;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_root_is_that_of_rfc_6962_at_every_size() {
        let entries = naive::entries(700);
        let mut edge = Edge::default();
        assert_eq!(edge.root(), naive::root(&[]));
        for (index, entry) in entries.iter().enumerate() {
            edge.push(entry.clone()).unwrap();
            if index < 300 || index % 37 == 0 || index > 690 {
                assert_eq!(edge.root(), naive::root(&entries[..=index]), "size {}", index + 1);
            }
        }
    }

    #[test]
    fn full_tiles_come_out_once_and_hash_to_the_level_above() {
        let mut edge = Edge::default();
        let mut tiles = BTreeMap::new();
        for entry in naive::entries(70_000) {
            for (tile, bytes) in edge.push(entry).unwrap() {
                assert!(tiles.insert(tile, bytes).is_none(), "{tile}");
            }
        }
        let of = |kind| tiles.keys().filter(|tile| tile.kind == kind).count();
        assert_eq!([of(TileKind::Entries), of(TileKind::Hashes(0)), of(TileKind::Hashes(1))], [273, 273, 1]);
        let leaves = decode_hashes(&tiles[&Tile::hashes(0, 3)], 256).unwrap();
        let above = decode_hashes(&tiles[&Tile::hashes(1, 0)], 256).unwrap();
        assert_eq!(hash::complete(&leaves), Some(above[3]));
        assert_eq!(edge.partial().unwrap().iter().map(|(tile, _)| *tile).collect::<Vec<_>>(), Tile::partial(70_000));
    }

    #[test]
    fn an_edge_whose_tiles_were_changed_is_none() {
        let mut edge = Edge::default();
        for entry in naive::entries(260) {
            edge.push(entry).unwrap();
        }
        let tiles: BTreeMap<_, _> = edge.partial().unwrap().into_iter().collect();
        assert_eq!(Edge::restore(260, &tiles).unwrap(), edge);
        for tile in tiles.keys().filter(|tile| tile.kind != TileKind::Hashes(1)) {
            let mut changed = tiles.clone();
            *changed.get_mut(tile).unwrap().last_mut().unwrap() ^= 1;
            assert!(Edge::restore(260, &changed).is_err(), "{tile}");
            changed.remove(tile);
            assert!(Edge::restore(260, &changed).is_err(), "{tile}");
        }
        assert!(Edge::restore(261, &tiles).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        // A tree that grows over many checkpoints is the tree that grows at once, also from tiles that grew further.
        #[test]
        fn an_edge_can_be_put_down_and_taken_up_anywhere(first in 0usize..600, more in 0usize..600) {
            let entries = naive::entries(first + more);
            let mut edge = Edge::default();
            for entry in &entries[..first] {
                edge.push(entry.clone()).unwrap();
            }
            let tiles: BTreeMap<_, _> = edge.partial().unwrap().into_iter().collect();
            let mut taken_up = Edge::restore(first as u64, &tiles).unwrap();
            for entry in &entries[first..] {
                prop_assert_eq!(edge.push(entry.clone()).unwrap(), taken_up.push(entry.clone()).unwrap());
            }
            prop_assert_eq!(&edge, &taken_up);
            prop_assert_eq!(edge.root(), naive::root(&entries));
        }
    }
}
