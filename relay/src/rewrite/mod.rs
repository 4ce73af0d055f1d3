//! Rewriting: whatever is read from a protected column is already masked when the statement first sees it.

pub mod access;
mod constant;
mod copy;
mod cursor;
mod ddl;
mod documents;
mod explain;
mod expression;
mod from;
pub(crate) mod functions;
mod grouping;
mod json_mask;
mod lock;
mod mask;
mod merge;
mod narrowed;
mod operators;
mod outcome;
mod own;
mod parts;
mod plain_settings;
mod prepared;
mod query;
mod reach;
mod returning;
mod rewriter;
mod sample;
pub(crate) mod scan;
mod scope;
pub(crate) mod search_path;
mod sequences;
mod setting_calls;
mod settings;
mod splice;
mod statement;
mod statistics;
mod storing;
mod target;
mod telling;
mod text_query;
mod trigger_code;
mod types;
mod unnest;
mod user_types;
mod verify;
mod view;
mod withheld;
mod write;

pub use json_mask::JsonMask;
pub use mask::{Misfit, Style, StyleError};
pub use outcome::{
    ByName, Class, Copies, Cursor, Effects, EndsPrepared, OnTransaction, ReasonChange, Savepoint, SettingChange,
};
pub use own::{Made, Own, OwnChange, Thing};
pub use scan::ScanError;

pub(crate) use mask::check as check_style;
pub(crate) use rewriter::{Found, Rewriter, called};
pub use rewriter::{Resolved, Resource};
pub(crate) use settings::{REASON, SEARCH_PATH, is_reason};
pub(crate) use splice::{spliced_text, spliced_told};
pub(crate) use statement::class;
pub(crate) use storing::may_store_masks;
pub(crate) use verify::deparse;
