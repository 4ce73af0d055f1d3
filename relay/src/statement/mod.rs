//! A client's text: parsed by PostgreSQL's own grammar, held to an allow-list of node kinds, tokenised for evidence.

mod construct;
mod lexer;
mod parse;
mod refusal;
pub(crate) mod shape;
mod tokenise;

pub use refusal::Refusal;
pub use tokenise::{Tokenised, tokenise};

pub(crate) use lexer::tokens;
pub(crate) use parse::{Parsed, parse, parse_own};
pub(crate) use tokenise::{Literals, Vocabulary, constants, tokenise_own, tokenise_upstream};
