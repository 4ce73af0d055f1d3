mod log;
mod tampering;
pub(crate) mod tree;
mod vectors;
