//! The relay: knows who asks, decides, masks, records, and only then lets it happen.

pub mod access;
mod approval;
pub mod background;
mod cancel;
pub mod catalog;
mod channel;
pub mod clock;
pub mod command;
pub mod config;
mod cores;
mod counted_store;
mod detectors;
pub mod evidence;
mod figures;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
pub mod issuers;
mod listener;
mod peers;
pub mod policy;
mod proposal;
pub mod recorder;
mod renewal;
pub mod rewrite;
mod safe_harbor;
mod seal;
pub mod serve;
mod session;
mod ship;
mod spool;
pub mod statement;
mod stop;
pub mod tls;
pub mod upstream;
mod validity;
