pub(in crate::verify) mod agreement;
mod completeness;
mod insider;
mod log;
mod results;
mod shredding;
mod tampering;
pub(crate) mod tree;
mod vectors;
