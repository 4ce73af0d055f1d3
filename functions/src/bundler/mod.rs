//! The bundler: makes of a period's evidence a folder that an auditor verifies and reads offline.
//!
//! Three steps, which a workflow may run apart: [`plan`] names the objects, [`part`] brings those of one incarnation
//! and draws the replay pages of its sessions, [`merge`] derives tables, exports, safeguards and report from all of it
//! and signs. [`bundle`] runs them one after the other and stores the folder.

mod figures;
mod folder;
mod id;
mod log;
mod merge;
mod names;
mod notes;
mod part;
mod plan;
mod readable;
mod replay;
mod report;
mod stored;
#[cfg(test)]
mod tests;
mod verify_by_hand;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemas::identifiers::Name;
use schemas::signature::PublicKey;
use seams::{EvidenceStore, Keys, KeysError, Retention, StoreError};

pub use folder::WorkFolder;
pub use log::LogHead;
pub use merge::{Merged, merge};
pub use part::part;
pub use plan::{Part, Plan, plan};
pub use replay::{ReplayPage, replay};
pub use schemas::period::Period;
pub use stored::{Bundled, bundle, fetch};

/// What the bundler works with.
#[derive(Clone)]
pub struct Env {
    /// Evidence is read from it, and bundles are stored in it.
    pub store: Arc<dyn EvidenceStore>,
    /// Holds the bundles key.
    pub keys: Arc<dyn Keys>,
    /// The certificates root.
    pub root: PublicKey,
    /// Whose evidence.
    pub tenant: Name,
    /// Of which environment.
    pub environment: Name,
    /// A folder for bundles in the making.
    pub work: PathBuf,
    /// How long stored bundles cannot be deleted.
    pub retention: Retention,
    /// Tells the microseconds since 1970.
    pub now_us: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundlerError {
    /// The period ends before it begins.
    #[error("period: expected an end after its beginning")]
    Period,
    /// There is no such bundle of this environment.
    #[error("{0}: no such bundle")]
    NoBundle(String),
    /// There is no such session in this environment.
    #[error("{0}: no such session")]
    NoSession(String),
    /// An object of the plan is gone, or cannot be what it should be.
    #[error("{key}: {problem}")]
    Object {
        /// Its key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The store did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The folder it is made in.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something could not be written down.
    #[error(transparent)]
    Schema(#[from] schemas::Error),
    /// The catalogue of safeguards that this version was built with cannot be used.
    #[error(transparent)]
    Safeguards(#[from] schemas::safeguards::SafeguardError),
    /// A page could not be drawn.
    #[error("page: {0}")]
    Page(#[from] askama::Error),
}

impl BundlerError {
    fn gone(key: &str) -> Self {
        Self::Object { key: key.to_owned(), problem: "planned, and not stored".to_owned() }
    }

    fn folder(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Folder { path: path.to_owned(), source }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("bundler::Env")
            .field("tenant", &self.tenant)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}
