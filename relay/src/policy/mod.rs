//! Who may do what: Cedar policies, asked once per principal and object, and decisions on statements over the answers.

mod decide;
mod decisions;
pub mod permit;
mod profile;
mod protection;
mod remembered;
mod ruling;
mod set;

pub use crate::rewrite::{
    ByName, Copies, Cursor, Effects, EndsPrepared, OnTransaction, Own, OwnChange, ReasonChange, Resolved, Resource,
    Savepoint, SettingChange,
};
pub use crate::statement::Refusal;
pub use decide::{Context, Footing, decide};
pub use decisions::Decisions;
pub use permit::Permit;
pub(crate) use permit::{Admitted, Control};
pub use profile::{AccessProfile, ProfileError};
pub use protection::{ClassificationError, check_classification};
pub(crate) use remembered::Remembered;
pub use ruling::{Outcome, Ruling, StatementRuling};
pub use set::{PolicyError, PolicySet};

#[cfg(test)]
mod tests;
