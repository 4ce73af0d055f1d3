//! Decisions.

pub mod permit;
