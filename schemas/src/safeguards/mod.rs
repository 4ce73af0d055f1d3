//! What safeguards of a rule book ask for, and which rows of the [tables](crate::tables) answer them.
//!
//! A catalogue is data (`schemas/safeguards/*.toml`): each safeguard has a citation, what it asks, counts and
//! exceptions as queries in a small closed language, and what no row can show. The bundler answers it and the verifier
//! answers it again from the chunks, both with the code here. Nothing says whether a safeguard is *met*: that is for
//! people.

mod answer;
mod answering;
mod catalogue;
mod condition;
mod query;
#[cfg(test)]
mod tests;

pub use answer::{Answer, AnsweredCount, AnsweredException, Answers, LISTED_MAX};
pub use answering::Answering;
pub use catalogue::{Catalogue, Count, Designation, Exception, HIPAA, Safeguard, Unanswered};
pub use condition::Condition;
pub use query::{Measure, Query, Without};

/// Why a catalogue cannot be used. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SafeguardError {
    /// It cannot be read.
    #[error("catalogue: {0}")]
    Unreadable(String),
    /// A query asks for what there is not.
    #[error("{citation}: {problem}")]
    Query {
        /// Safeguard.
        citation: String,
        /// The table, column or value, and what was expected.
        problem: String,
    },
}
