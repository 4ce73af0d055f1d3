//! What hides behind the type `p`, once the state of authentication says which it is.
//!
//! Source: PostgreSQL documentation, "Message Formats": PasswordMessage, SASLInitialResponse, SASLResponse.
//! A SASLResponse needs no reading: its body is the mechanism's data.

use crate::postgres::body::Reader;
use crate::postgres::error::{Error, Problem};
use std::fmt;

/// The password of a `PasswordMessage`, from the body of its message.
///
/// # Errors
/// [`Error::Malformed`].
pub fn cleartext_password(body: &[u8]) -> Result<&str, Error> {
    let mut reader = Reader::new("PasswordMessage", body);
    let password = reader.string("password")?;
    reader.finish()?;
    Ok(password)
}

/// A `SASLInitialResponse`: the mechanism chosen, and its first data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SaslInitialResponse<'a> {
    /// Name of the mechanism.
    pub mechanism: &'a str,
    /// The mechanism's data; `None` if the client sent none.
    pub data: Option<&'a [u8]>,
}

impl<'a> SaslInitialResponse<'a> {
    /// Reads it from the body of its message.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("SASLInitialResponse", body);
        let here = reader.clone();
        let mechanism = reader.string("mechanism")?;
        if mechanism.is_empty() {
            return Err(here.error("mechanism", Problem::Value("a name")));
        }
        let data = reader.nullable("data")?;
        reader.finish()?;
        Ok(Self { mechanism, data })
    }
}

/// The data may be a password or token.
impl fmt::Debug for SaslInitialResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SASLInitialResponse {:?} ({} bytes)", self.mechanism, self.data.map_or(0, <[u8]>::len))
    }
}
