//! The handlers behind the relay. Each is a plain `async fn` over an `Env` that holds what it may use and nothing more;
//! each is idempotent, for storage notifications and queues deliver twice, late and out of order.

pub mod bundler;
pub mod certifier;
pub mod console;
#[cfg(test)]
mod golden;
pub mod indexer;
pub mod lake;
pub mod revoker;
pub mod sealer;
pub mod shredder;
mod signers;
pub mod signing;
#[cfg(test)]
mod steps;
pub mod trust;
