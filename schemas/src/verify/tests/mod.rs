mod tampering;
mod tree;
mod vectors;
