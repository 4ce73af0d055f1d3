//! The relay: knows who asks, decides, masks, records, and only then lets it happen.

pub mod catalog;
pub mod config;
pub mod issuers;
pub mod policy;
pub mod rewrite;
pub mod statement;
