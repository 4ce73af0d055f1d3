//! PostgreSQL's frontend/backend protocol, versions 3.0 and 3.2.
//!
//! Sources: PostgreSQL 18 documentation, chapter "Frontend/Backend Protocol", sections
//! [Message Flow](https://www.postgresql.org/docs/18/protocol-flow.html),
//! [Message Formats](https://www.postgresql.org/docs/18/protocol-message-formats.html) and
//! [Error and Notice Message Fields](https://www.postgresql.org/docs/18/protocol-error-fields.html).
//!
//! The way through: [`startup::decode`] until a session starts, then a [`Deframer`] for each direction. What it
//! gives keeps the peer's own bytes, so what nobody changes is passed on as it came. [`FrontendMessage`] and
//! [`BackendMessage`] look into one message; [`conversation`] says which request a reply belongs to.

pub mod backend;
mod body;
pub mod conversation;
pub mod deframer;
mod direction;
mod error;
pub mod error_fields;
mod format;
pub mod frontend;
pub mod limits;
mod message;
pub mod scram;
pub mod sqlstate;
pub mod startup;
#[cfg(test)]
mod tests;
pub mod transcript;

pub use backend::{BackendMessage, TransactionStatus};
pub use conversation::Conversation;
pub use deframer::{Deframer, Piece};
pub use direction::{Backend, Direction, Frontend, Side};
pub use error::{EncodeError, Error};
pub use error_fields::{ErrorFields, Severity};
pub use format::Format;
pub use frontend::FrontendMessage;
pub use message::{Batch, HEADER, MessageRef, RawMessage};
pub use sqlstate::SqlState;
pub use startup::Startup;
pub use transcript::Transcript;
