//! The functions on AWS Lambda: what is between Lambda and the handlers of crate `functions`, and nothing that those do.
//!
//! Each program in `bin/` reads its environment once, before the first event; what is wrong there is told by the
//! variable's name and ends it. AWS is asked nothing until that event is there ([`Opened`]). infra/README.md (Contract) says which variables, events and answers there are.
//!
//! They log JSON, a line an event, to standard error, and metrics in CloudWatch's embedded format to standard output.
//! Neither holds anything that was recorded: keys of objects, counts, and errors that are written for that.

pub mod bundling;
pub mod certifying;
mod clock;
pub mod consoling;
mod deployment;
#[cfg(test)]
mod golden;
pub mod indexing;
mod metrics;
mod notification;
mod opened;
pub mod program;
mod remembering;
pub mod sealing;

pub use deployment::StartError;
pub use metrics::Metrics;
pub use opened::Opened;
