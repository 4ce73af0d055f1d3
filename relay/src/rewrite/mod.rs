//! Rewriting: whatever is read from a protected column is already masked when the statement first sees it.

pub mod access;
mod copy;
mod cursor;
mod ddl;
mod explain;
mod expression;
mod from;
pub(crate) mod functions;
mod lock;
mod mask;
mod merge;
mod operators;
mod outcome;
mod prepared;
mod query;
mod returning;
mod rewriter;
pub(crate) mod scan;
mod scope;
mod setting_calls;
mod settings;
mod splice;
mod statement;
mod target;
mod telling;
mod trigger_code;
mod types;
mod unnest;
mod verify;
mod view;
mod withheld;
mod write;

pub use mask::{Misfit, Style, StyleError};
pub use outcome::{ByName, Class, Copies, Cursor, Effects, EndsPrepared, OnTransaction, ReasonChange};
pub use scan::ScanError;

pub(crate) use mask::check as check_style;
pub(crate) use rewriter::{Found, Rewriter};
pub use rewriter::{Resolved, Resource};
pub(crate) use settings::{REASON, is_reason};
pub(crate) use splice::{spliced_text, spliced_told};
pub(crate) use statement::class;
pub(crate) use verify::deparse;
