pub(in crate::verify) mod agreement;
mod log;
mod tampering;
pub(crate) mod tree;
mod vectors;
