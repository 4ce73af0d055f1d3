//! The one verifier: given objects and the public key of the certificates root, says what was checked and what does
//! not hold. Needs no other key, no network and no clock; memory holds one chunk at a time as it
//! is stored, or a few small ones, and what there is of statements and sessions.

mod ahead;
mod approval;
#[cfg(feature = "parquet")]
mod bundle;
mod certificates;
mod chunk;
mod completeness;
mod examiner;
mod heartbeats;
mod incarnation;
mod inventory;
mod lanes;
mod log;
mod observer;
mod report;
mod revocations;
mod session;
mod shredding;
mod statement;
#[cfg(test)]
mod tests;
mod trust;
#[cfg(test)]
use tests::agreement;
#[cfg(test)]
pub(crate) use tests::tree as testing;

use std::collections::BTreeMap;
use std::io;

#[cfg(feature = "parquet")]
pub use bundle::{BundleReport, CheckedBundle, Files, verify_bundle};
pub use completeness::{Gap, Missing};
pub use observer::Observer;
pub use report::{Checked, Finding, IncarnationReport, LogReport, Report, Retirement, SessionReport, SessionState};

use crate::log::Witness;
use crate::period::Period;
use crate::signature::PublicKey;
use examiner::Examiner;
use inventory::Inventory;

/// Where objects are read from, by several threads at once.
pub trait Source: Sync {
    /// All object keys, in any order.
    ///
    /// # Errors
    /// Whatever keeps them from being listed; verification then fails as a whole.
    fn keys(&self) -> io::Result<Vec<String>>;

    /// One object's bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] when it is longer than `limit` bytes, which must be known before it is read as
    /// a whole; otherwise whatever keeps it from being read. Either is a finding, and verification goes on.
    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>>;
}

/// What the verifier may be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far a statement's time may lie outside its signer's certificate, in microseconds: clocks differ, and a
    /// session that was open when the certificate ended is still sealed.
    pub grace_us: u64,
    /// What the evidence is of. A session that its signed statements show to lie outside of it needs no chunks.
    pub period: Option<Period>,
    /// The key that signs checkpoints of the logs. Without it, those that the certificates root certified.
    pub checkpoints_key: Option<PublicKey>,
    /// Those who must have seen every checkpoint that was kept: it bears a cosignature of at least one of them.
    pub witnesses: Vec<Witness>,
    /// Checkpoints that were kept from earlier: everything under them must still be there.
    pub earlier: Vec<EarlierCheckpoint>,
}

/// A checkpoint that was kept from earlier.
#[derive(Debug, Clone)]
pub struct EarlierCheckpoint {
    /// What findings call it: the name of its file.
    pub name: String,
    /// The signed note.
    pub note: Vec<u8>,
}

impl Default for Options {
    fn default() -> Self {
        Self { grace_us: GRACE_US, period: None, checkpoints_key: None, witnesses: Vec::new(), earlier: Vec::new() }
    }
}

/// Verifies all evidence of `source`; `root` must have signed every certificate.
///
/// # Errors
/// Only when the objects cannot be listed. Everything else is a finding of the report.
pub fn verify(source: &dyn Source, root: &PublicKey, options: &Options) -> io::Result<Report> {
    observe(source, root, options, &mut ())
}

/// [`verify`], and shows what holds to `observer` while it is at hand.
///
/// # Errors
/// Those of [`verify`].
pub fn observe(
    source: &dyn Source,
    root: &PublicKey,
    options: &Options,
    observer: &mut dyn Observer,
) -> io::Result<Report> {
    let mut examiner = Examiner::new(source, options.clone(), observer);
    let inventory = Inventory::of(source.keys()?, &mut examiner);
    examiner.trusted = trust::check(&mut examiner, &inventory.trust, root);
    let revocations = revocations::check(&mut examiner, &inventory.revocations, root);
    for (scope, incarnations) in &inventory.relays {
        let certificates = certificates::check(&mut examiner, scope, incarnations, root);
        for (incarnation, stored) in incarnations {
            let place = (scope, incarnation);
            incarnation::check(&mut examiner, place, &certificates, stored, &inventory.details);
        }
    }
    completeness::name_silent(&mut examiner);
    shredding::check(&mut examiner, &inventory.shreddings, &inventory.wrapped_keys);
    log::check(&mut examiner, &inventory.logs, &revocations);
    Ok(examiner.into_report())
}

/// Objects in memory.
impl Source for BTreeMap<String, Vec<u8>> {
    fn keys(&self) -> io::Result<Vec<String>> {
        Ok(self.keys().cloned().collect())
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        let object = BTreeMap::get(self, key).ok_or(io::ErrorKind::NotFound)?;
        if object.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(object.clone()) }
    }
}

/// Five minutes.
const GRACE_US: u64 = 5 * 60 * 1_000_000;
