//! Affidavit on one machine: everything in one process. Wiring, and stand-ins for what a customer brings (a small OIDC
//! issuer); nothing here behaves otherwise than the deployed system.

pub mod bundles;
mod bundling;
mod certificates;
pub mod cli;
mod consoling;
mod error;
mod folder;
mod indexing;
pub mod init;
pub mod issuing;
pub mod mint;
pub mod oidc;
pub mod program;
mod relaying;
mod revoking;
pub mod running;
mod sealing;
mod serving;
pub mod sessions;
pub mod settings;
pub mod shredding;
pub mod tokens;
pub mod users;
mod watched_store;
mod write;

pub use error::Error;
pub use folder::Folder;
pub use relaying::InProcess;

#[cfg(test)]
mod tests;
