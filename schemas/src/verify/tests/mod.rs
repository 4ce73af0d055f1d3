mod tampering;
pub(crate) mod tree;
mod vectors;
