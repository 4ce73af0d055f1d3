//! Coordinates of tiles and entry bundles (C2SP tlog-tiles), and their paths below a log's prefix.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A tile of hashes or a bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its position in its level, from 0.
    pub index: u64,
    /// How many hashes or entries: 1 to [`FULL_WIDTH`]; fewer than that only at the right edge of a tree.
    pub width: u16,
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of a level, 0 to 7: each over 256^level entries. Eight levels hold 2^64 entries.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

impl Tile {
    /// A full tile of hashes.
    #[must_use]
    pub fn hashes(level: u8, index: u64) -> Self {
        Self { kind: TileKind::Hashes(level), index, width: FULL_WIDTH }
    }

    /// A full bundle of entries.
    #[must_use]
    pub fn entries(index: u64) -> Self {
        Self { kind: TileKind::Entries, index, width: FULL_WIDTH }
    }

    /// The bundle of entries at `index` of a tree of `size` entries; nothing where there is none.
    pub(crate) fn entries_of(size: u64, index: u64) -> Option<Self> {
        let first = index.checked_mul(FULL_WIDTH.into())?;
        let width = size.checked_sub(first).filter(|width| *width > 0)?.min(FULL_WIDTH.into());
        Some(Self { width: u16::try_from(width).ok()?, ..Self::entries(index) })
    }

    /// Whether it holds all it ever will.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// The full tile in its place.
    #[must_use]
    pub fn full(&self) -> Self {
        Self { width: FULL_WIDTH, ..*self }
    }

    /// The tiles at the right edge of a tree of `size` entries: every partial one, entries included.
    #[must_use]
    pub fn partial(size: u64) -> Vec<Self> {
        let at = |kind, level: u32| {
            let complete = size.checked_shr(8 * level).unwrap_or(0);
            let width = u16::from(complete.to_le_bytes()[0]);
            (width > 0).then_some(Self { kind, index: complete >> 8, width })
        };
        let levels = (0..LEVELS).filter_map(|level| at(TileKind::Hashes(level), u32::from(level)));
        at(TileKind::Entries, 0).into_iter().chain(levels).collect()
    }

    /// The path of the tile of this kind and place without a width: where the full tile stands, and what the partial
    /// ones' paths begin with.
    #[must_use]
    pub fn full_path(&self) -> String {
        self.full().to_string()
    }
}

/// `tile/<level or "entries">/<index>[.p/<width>]`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = Vec::new();
        let mut rest = self.index;
        while rest >= 1000 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        groups.push(rest);
        let (last, before) = groups.split_first().unwrap_or((&0, &[]));
        for group in before.iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{last:03}")?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = parse(text).filter(|tile| tile.to_string() == text);
        parsed.ok_or(Error::Malformed { what: "tile path", expected: "a path of c2sp.org/tlog-tiles" })
    }
}

/// Lenient: what it accepts and the tile would not be written as, its caller refuses.
fn parse(text: &str) -> Option<Tile> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(level.parse().ok().filter(|level| *level < LEVELS)?),
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| (1..FULL_WIDTH).contains(width))?),
        None => (rest, FULL_WIDTH),
    };
    let mut number = 0u64;
    for group in index.split('/') {
        let group: u64 = group.trim_start_matches('x').parse().ok()?;
        number = number.checked_mul(1000)?.checked_add(group)?;
    }
    Some(Tile { kind, index: number, width })
}

/// Hashes or entries in a full tile.
pub const FULL_WIDTH: u16 = 256;
/// 256^8 entries are all that a size can count.
const LEVELS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (tile, path) in [
            (Tile::hashes(0, 1_234_067), "tile/0/x001/x234/067"),
            (Tile { width: 8, ..Tile::entries(0) }, "tile/entries/000.p/8"),
            (Tile { width: 255, ..Tile::hashes(3, 1000) }, "tile/3/x001/000.p/255"),
        ] {
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse::<Tile>().unwrap(), tile);
        }
    }

    #[test]
    fn no_tile_has_a_second_spelling() {
        for bad in [
            "tile/0/1",
            "tile/0/0001",
            "tile/00/001",
            "tile/8/001",
            "tile/data/001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/08",
            "tile/0/001.p",
            "tile/0/001/002",
            "tile/0/x000/002",
            "tile/0/xx01/002",
            "tile/0/+01",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/",
            "/tile/0/001",
        ] {
            assert!(bad.parse::<Tile>().is_err(), "{bad}");
        }
    }

    // The example of c2sp.org/tlog-tiles, section "Partial Tiles".
    #[test]
    fn a_tree_of_70000_entries_has_the_partial_tiles_of_the_specification() {
        let partial = |kind, index, width| Tile { kind, index, width };
        let expected = [
            partial(TileKind::Entries, 273, 112),
            partial(TileKind::Hashes(0), 273, 112),
            partial(TileKind::Hashes(1), 1, 17),
            partial(TileKind::Hashes(2), 0, 1),
        ];
        assert_eq!(Tile::partial(70_000), expected);
        assert_eq!(Tile::partial(256), [partial(TileKind::Hashes(1), 0, 1)]);
        assert!(Tile::partial(0).is_empty());
    }

    proptest! {
        #[test]
        fn every_tile_is_found_again_from_its_path(level in 0u8..9, index: u64, width in 1u16..=256) {
            let kind = if level == 8 { TileKind::Entries } else { TileKind::Hashes(level) };
            let tile = Tile { kind, index, width };
            prop_assert_eq!(tile.to_string().parse::<Tile>().unwrap(), tile);
        }
    }
}
