//! What people do with the program `relay` beside running it.

mod approvals;
mod console;
mod error;
mod explain;
mod loopback;
mod oidc;
mod scan;
mod scripted;
mod statement;

/// SQL of a function for the mask `hash`, to be installed in a database.
pub const HASH_FUNCTION: &str = include_str!("../rewrite/hash_function.sql");

pub use approvals::{Decision, approvals, decide};
pub use error::CommandError;
pub use explain::{Explain, explain};
pub use scan::{Scan, scan};

/// Where the console is and who logs in.
#[derive(Debug, Clone, clap::Args)]
pub struct Console {
    /// The console's URL.
    #[arg(long, value_name = "URL")]
    pub console: String,
    /// The identity provider to log in at; without it, the one that the console names.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Logs in as this person without a browser, by the form of the small issuer inside `local`, and of no other.
    #[arg(long, value_name = "NAME")]
    pub login: Option<String>,
}
