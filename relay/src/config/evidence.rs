//! How evidence is kept until it is stored remotely.

use std::path::PathBuf;
use std::time::Duration;

use schemas::event::Durability;
use schemas::heartbeat::INTERVAL_MAX_SECONDS;
use serde::Deserialize;

/// The spool and what leaves it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Folder of the spool; locked exclusively by one relay process.
    pub spool: PathBuf,
    /// Before a record's effect: `process` = `write(2)` done, `disk` = `fdatasync(2)` done.
    #[serde(default = "default_durability")]
    pub durability: Durability,
    /// A segment is sealed when it holds this many bytes …
    #[serde(default = "default_segment_bytes")]
    pub segment_bytes: u64,
    /// … or is this old, in seconds.
    #[serde(default = "default_segment_seconds")]
    pub segment_seconds: u64,
    /// Bytes the whole spool may hold; beyond it nothing is served, for nothing is served unrecorded.
    #[serde(default = "default_spool_bytes")]
    pub spool_bytes: u64,
    /// What sessions do then.
    #[serde(default)]
    pub when_full: WhenFull,
    /// With `hold`: seconds that a session waits for room before it ends, 1 to 3,600.
    #[serde(default = "default_hold_seconds")]
    pub hold_seconds: u64,
    /// Seconds between heartbeats, which tell until when the evidence is complete; each is an object and a log entry.
    #[serde(default = "default_heartbeat_seconds")]
    pub heartbeat_seconds: u64,
    /// Days that stored evidence cannot be deleted; source of the default: 45 CFR 164.316(b)(2)(i), six years.
    #[serde(default = "default_retain_days")]
    pub retain_days: u32,
}

/// What sessions do when the spool is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// They end.
    #[default]
    Stop,
    /// Those with something to record wait, from when an eighth of it is left; they end when that takes too long.
    Hold,
}

impl Evidence {
    /// How long a session holds for room; nothing where it ends at once.
    #[must_use]
    pub fn hold(&self) -> Option<Duration> {
        (self.when_full == WhenFull::Hold).then(|| Duration::from_secs(self.hold_seconds))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(SEGMENT_MIN..=SEGMENT_MAX).contains(&self.segment_bytes) {
            return Err(format!("segment_bytes is {}, expected {SEGMENT_MIN} to {SEGMENT_MAX}", self.segment_bytes));
        }
        if self.segment_seconds == 0 {
            return Err("segment_seconds is 0, expected at least 1".to_owned());
        }
        if !(1..=INTERVAL_MAX_SECONDS).contains(&self.heartbeat_seconds) {
            let (given, most) = (self.heartbeat_seconds, INTERVAL_MAX_SECONDS);
            return Err(format!("heartbeat_seconds is {given}, expected 1 to {most}"));
        }
        if self.spool_bytes < self.segment_bytes {
            return Err(format!("spool_bytes is {}, expected at least segment_bytes", self.spool_bytes));
        }
        if !(1..=HOLD_SECONDS_MAX).contains(&self.hold_seconds) {
            return Err(format!("hold_seconds is {}, expected 1 to {HOLD_SECONDS_MAX}", self.hold_seconds));
        }
        if self.when_full == WhenFull::Hold && self.spool_bytes / HELD_SEGMENTS < self.segment_bytes {
            // Otherwise segments that still grow could be all there is, and nothing would ever make room.
            return Err(format!("when_full is `hold`: expected spool_bytes of at least {HELD_SEGMENTS} segment_bytes"));
        }
        Ok(())
    }
}

/// An hour: longer, and the client is better told.
const HOLD_SECONDS_MAX: u64 = 3600;
const HELD_SEGMENTS: u64 = 4;

/// Below it a chunk's signature and request outweigh its content.
const SEGMENT_MIN: u64 = 64 * 1024;
/// A segment is sealed in memory.
const SEGMENT_MAX: u64 = 64 * 1024 * 1024;

fn default_durability() -> Durability {
    Durability::Process
}

/// Sealing, storing, indexing and logging hold a chunk each at the same time, some of them twice, and the allocator keeps
/// as much for each thread that did: with this a busy session costs the whole process less than 64 MiB.
fn default_segment_bytes() -> u64 {
    3 * 1024 * 1024
}

fn default_segment_seconds() -> u64 {
    60
}

fn default_spool_bytes() -> u64 {
    4 * 1024 * 1024 * 1024
}

fn default_heartbeat_seconds() -> u64 {
    60
}

/// An interruption of a store that hardly anybody notices.
fn default_hold_seconds() -> u64 {
    120
}

fn default_retain_days() -> u32 {
    2192
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Evidence, String> {
        let evidence: Evidence = toml::from_str(&format!("spool = \"/spool\"\n{more}")).map_err(|e| e.to_string())?;
        evidence.check().map(|()| evidence)
    }

    #[test]
    fn sessions_hold_only_where_told_to_and_for_a_while() {
        assert_eq!(read("").unwrap().hold(), None);
        assert_eq!(read("when_full = \"stop\"\nhold_seconds = 5").unwrap().hold(), None);
        assert_eq!(read("when_full = \"hold\"").unwrap().hold(), Some(Duration::from_secs(120)));
        assert_eq!(read("when_full = \"hold\"\nhold_seconds = 5").unwrap().hold(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_would_hold_for_ever_or_not_at_all_is_refused() {
        for (text, field) in [
            ("when_full = \"hold\"\nhold_seconds = 0", "hold_seconds"),
            ("when_full = \"hold\"\nhold_seconds = 3601", "hold_seconds"),
            ("when_full = \"hold\"\nsegment_bytes = 65536\nspool_bytes = 262143", "spool_bytes"),
            ("when_full = \"wait\"", "when_full"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(field), "{text}: {problem}");
        }
    }
}
