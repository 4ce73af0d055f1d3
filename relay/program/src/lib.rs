//! What the program `relay` is beside its commands for people: [`serve`], the relay as a service on AWS. `main.rs` has the
//! commands, which need nothing of AWS.

#[cfg(feature = "serve")]
pub mod serve;
