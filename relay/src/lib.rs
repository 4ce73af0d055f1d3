//! The relay: knows who asks, decides, masks, records, and only then lets it happen.

pub mod catalog;
pub mod clock;
pub mod config;
pub mod evidence;
pub mod issuers;
pub mod policy;
pub mod recorder;
pub mod rewrite;
mod seal;
mod ship;
mod spool;
pub mod statement;
