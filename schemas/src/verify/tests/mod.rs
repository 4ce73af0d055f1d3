pub(in crate::verify) mod agreement;
mod completeness;
mod insider;
mod log;
mod tampering;
pub(crate) mod tree;
mod vectors;
