//! The target's catalog: a snapshot of it, and how names in a statement resolve against that.

mod name;
mod relation;
mod resolve;
mod sequence;
mod snapshot;
mod system;
pub(crate) mod types;

pub use name::QualifiedName;
pub use relation::{Check, Column, Dependent, ForeignKey, Index, Kind, Relation, TriggerFunction, UserType};
pub use sequence::Sequence;
pub use snapshot::{SNAPSHOT_SQL, Snapshot, SnapshotError};

pub(crate) use name::{Readable, literal, quoted};
pub(crate) use resolve::{Resolved, Unresolved, resolve};
pub(crate) use snapshot::{FIRST_USER_OID, digest_hex};
