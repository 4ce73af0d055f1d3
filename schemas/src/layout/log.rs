//! Object keys of logs.
//!
//! ```text
//! log/<origin>/checkpoint/<number, 10 digits>                 signed notes, numbered from 1
//!              tile/<level>/<index>[.p/<width>]               as c2sp.org/tlog-tiles
//!              tile/entries/<index>[.p/<width>]
//!              staging/<number, 10 digits>-<root, 64 digits>  tiles of a checkpoint that is being made
//!              state/<number, 10 digits>                      what the sealer remembers
//! ```
//! A checkpoint stands under its number and not under its size: two sealers that append to the same checkpoint then
//! write the same key, and the store lets one of them.

use crate::digest::Sha256Digest;
use crate::log::{LogOrigin, Tile};

/// What a key of a log names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogObject {
    /// Which log.
    pub origin: LogOrigin,
    /// Which of its objects.
    pub kind: LogObjectKind,
}

/// One of a log's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogObjectKind {
    /// A [`crate::log::Checkpoint`] and its number, from 1 without gaps.
    Checkpoint(u64),
    /// A tile of hashes or a bundle of entries.
    Tile(Tile),
    /// [`crate::log::Staged`] tiles of the checkpoint with this number, should it get this root; deletable.
    Staged(u64, Sha256Digest),
    /// What the sealer remembers with this checkpoint; deletable.
    State(u64),
}

impl LogOrigin {
    /// Prefix of everything of this log, with the slash.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{LOG_PREFIX}{self}/")
    }

    /// `log/<origin>/checkpoint/<number>`
    #[must_use]
    pub fn checkpoint(&self, number: u64) -> String {
        format!("{}{number:010}", self.checkpoints())
    }

    /// Prefix of all checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> String {
        format!("{}checkpoint/", self.prefix())
    }

    /// `log/<origin>/tile/…`
    #[must_use]
    pub fn tile(&self, tile: &Tile) -> String {
        format!("{}{tile}", self.prefix())
    }

    /// Prefix of the partial tiles that were in this tile's place before it was full.
    #[must_use]
    pub fn partial_tiles(&self, tile: &Tile) -> String {
        format!("{}{}.p/", self.prefix(), tile.full())
    }

    /// `log/<origin>/staging/<number>-<root>`
    #[must_use]
    pub fn staged(&self, number: u64, root: &Sha256Digest) -> String {
        format!("{}{number:010}-{root}", self.staging())
    }

    /// Prefix of all that is staged.
    #[must_use]
    pub fn staging(&self) -> String {
        format!("{}staging/", self.prefix())
    }

    /// `log/<origin>/state/<number>`
    #[must_use]
    pub fn state(&self, number: u64) -> String {
        format!("{}{number:010}", self.states())
    }

    /// Prefix of all states.
    #[must_use]
    pub fn states(&self) -> String {
        format!("{}state/", self.prefix())
    }
}

impl LogObject {
    /// The object's key.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.kind {
            LogObjectKind::Checkpoint(number) => self.origin.checkpoint(*number),
            LogObjectKind::Tile(tile) => self.origin.tile(tile),
            LogObjectKind::Staged(number, root) => self.origin.staged(*number, root),
            LogObjectKind::State(number) => self.origin.state(*number),
        }
    }
}

/// What a key of a log names; nothing for a key that this layout does not write.
#[must_use]
pub fn parse_log(key: &str) -> Option<LogObject> {
    let path = key.strip_prefix(LOG_PREFIX)?;
    let (origin, kind) = tile(path).or_else(|| numbered(path))?;
    let object = LogObject { origin: origin.parse().ok()?, kind };
    // One spelling an object: number 0 and other digits are no keys of ours.
    let numbered = !matches!(object.kind, LogObjectKind::Checkpoint(0) | LogObjectKind::State(0));
    (numbered && object.key() == key).then_some(object)
}

fn tile(path: &str) -> Option<(&str, LogObjectKind)> {
    let (origin, tile) = path.split_at_checked(path.rfind("/tile/")?)?;
    Some((origin, LogObjectKind::Tile(tile.strip_prefix('/')?.parse().ok()?)))
}

fn numbered(path: &str) -> Option<(&str, LogObjectKind)> {
    let (rest, name) = path.rsplit_once('/')?;
    let (origin, folder) = rest.rsplit_once('/')?;
    let kind = match folder {
        "checkpoint" => LogObjectKind::Checkpoint(name.parse().ok()?),
        "state" => LogObjectKind::State(name.parse().ok()?),
        "staging" => {
            let (number, root) = name.split_once('-')?;
            LogObjectKind::Staged(number.parse().ok()?, root.parse().ok()?)
        }
        _ => return None,
    };
    Some((origin, kind))
}

/// Prefix of all logs.
pub const LOG_PREFIX: &str = "log/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_of_a_log_is_found_again_from_its_key() {
        for origin in ["log.test/clinic", "affidavit/tile/state", "affidavit/checkpoint/staging"] {
            for kind in [
                LogObjectKind::Checkpoint(42),
                LogObjectKind::Tile(Tile::entries(1234)),
                LogObjectKind::Tile(Tile { width: 7, ..Tile::hashes(1, 0) }),
                LogObjectKind::Staged(43, Sha256Digest::of(b"root")),
                LogObjectKind::State(42),
            ] {
                let object = LogObject { origin: origin.parse().unwrap(), kind };
                assert_eq!(parse_log(&object.key()), Some(object.clone()), "{}", object.key());
            }
        }
    }

    #[test]
    fn any_other_key_is_nothing() {
        for bad in [
            "",
            "log/",
            "log/checkpoint/0000000001",
            "log/a/checkpoint/1",
            "log/a/checkpoint/0000000000",
            "log/a/checkpoint/+000000001",
            "log/a/checkpoint/0000000001/x",
            "log/a/tile/0/000.p/256",
            "log/a/staging/0000000001",
            "log/a/other/0000000001",
            "log//checkpoint/0000000001",
            "logs/a/checkpoint/0000000001",
        ] {
            assert_eq!(parse_log(bad), None, "{bad}");
        }
    }
}
