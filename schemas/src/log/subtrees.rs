//! Complete subtrees of a log's tree, and how tiles give them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::edge::decode_hashes;
use super::hash;
use super::tile::{FULL_WIDTH, Tile, TileKind};
use crate::digest::Sha256Digest;
use crate::error::Error;

/// Gives the hash of any complete subtree of a log.
pub trait Subtrees {
    /// Hash of the subtree over the entries from `index * 2^height` on, `2^height` of them.
    ///
    /// # Errors
    /// Whatever keeps it from being known.
    fn subtree(&self, height: u32, index: u64) -> Result<Sha256Digest, Error>;
}

/// Subtrees from tiles that were read before. [`Tiles::needed`] tells which.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    size: u64,
    tiles: BTreeMap<Tile, Vec<Sha256Digest>>,
}

/// Gives no hash that means anything; remembers what was asked for.
struct Asked {
    size: u64,
    tiles: RefCell<BTreeSet<Tile>>,
}

impl Tiles {
    /// Tiles of a tree of `size` entries, with the bytes that stand under their paths. A tile may hold more than its
    /// width: it may have grown since.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn new<'a>(size: u64, tiles: impl IntoIterator<Item = (Tile, &'a [u8])>) -> Result<Self, Error> {
        let read = |(tile, bytes): (Tile, &[u8])| Ok((tile, decode_hashes(bytes, tile.width)?));
        Ok(Self { size, tiles: tiles.into_iter().map(read).collect::<Result<_, Error>>()? })
    }

    /// The tiles that `work` reads of a tree of `size` entries; its result means nothing here and is dropped.
    pub fn needed<T>(size: u64, work: impl FnOnce(&dyn Subtrees) -> T) -> BTreeSet<Tile> {
        let asked = Asked { size, tiles: RefCell::default() };
        work(&asked);
        asked.tiles.into_inner()
    }
}

impl Subtrees for Tiles {
    fn subtree(&self, height: u32, index: u64) -> Result<Sha256Digest, Error> {
        let (tile, first, count) = place(self.size, height, index).ok_or(OUTSIDE)?;
        let hashes = self.tiles.get(&tile).and_then(|hashes| hashes.get(first..)?.get(..count));
        hashes.and_then(hash::complete).ok_or(Error::Bug("a proof asks for a tile that was not needed"))
    }
}

impl Subtrees for Asked {
    fn subtree(&self, height: u32, index: u64) -> Result<Sha256Digest, Error> {
        let (tile, ..) = place(self.size, height, index).ok_or(OUTSIDE)?;
        self.tiles.borrow_mut().insert(tile);
        Ok(hash::empty_root())
    }
}

/// The tile of a tree of `size` entries that holds a subtree's hashes, the first of them in it and their number.
fn place(size: u64, height: u32, index: u64) -> Option<(Tile, usize, usize)> {
    let level = height / 8;
    let count = 1u64 << (height % 8);
    let start = index.checked_mul(count)?;
    let complete = size.checked_shr(8 * level)?;
    if start.checked_add(count)? > complete {
        return None;
    }
    let tile_index = start / u64::from(FULL_WIDTH);
    let width = complete.saturating_sub(tile_index.checked_mul(u64::from(FULL_WIDTH))?).min(u64::from(FULL_WIDTH));
    let tile = Tile {
        kind: TileKind::Hashes(u8::try_from(level).ok()?),
        index: tile_index,
        width: u16::try_from(width).ok()?,
    };
    let first = usize::try_from(start % u64::from(FULL_WIDTH)).ok()?;
    Some((tile, first, usize::try_from(count).ok()?))
}

const OUTSIDE: Error = Error::Malformed { what: "proof", expected: "entries and sizes within the tree" };
