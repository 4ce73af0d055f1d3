//! The relay: knows who asks, decides, masks, records, and only then lets it happen.

pub mod config;
pub mod issuers;
