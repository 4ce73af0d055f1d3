//! The contracts of the three traits as test suites, one a trait. Every adapter's tests run its suite; a suite
//! returns the first clause that the adapter breaks.

mod approvals;
mod evidence_store;
mod index;
mod keys;

pub use evidence_store::evidence_store;
pub use index::{index, sample_session};
pub use keys::keys;

/// A clause of a contract that an adapter does not keep.
#[derive(Debug, thiserror::Error)]
#[error("contract broken: {0}")]
pub struct Breach(String);

fn clause(kept: bool, clause: &str) -> Result<(), Breach> {
    if kept { Ok(()) } else { Err(Breach(clause.to_owned())) }
}

fn failed(error: impl std::fmt::Display) -> Breach {
    Breach(format!("an ordinary call failed: {error}"))
}
