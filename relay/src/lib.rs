//! The relay: knows who asks, decides, masks, records, and only then lets it happen.

pub mod clock;
pub mod config;
pub mod evidence;
pub mod issuers;
pub mod policy;
pub mod recorder;
mod seal;
mod ship;
mod spool;
