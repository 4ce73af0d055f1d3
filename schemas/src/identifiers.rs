//! Names of the things evidence is about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Sha256Digest;
use crate::text_form;

/// One life of a relay: its key, its certificate and its name are one thing and never used again (rule 15).
///
/// 32 lowercase hex digits: the first 128 bits of the SHA-256 of the key's SubjectPublicKeyInfo (DER).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(Arc<str>);

/// A session: the incarnation that served it and its counter there, from 1 without gaps.
///
/// Text form: `<incarnation>-<counter, ten digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The incarnation that served it.
    pub incarnation: Incarnation,
    /// Its counter there, from 1.
    pub counter: u64,
}

/// A request for approval: the session and the number of the held statement in it.
///
/// Text form: `<session>-<statement, at least six digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The session.
    pub session: SessionId,
    /// The statement's number in it, from 1.
    pub statement: u64,
}

/// A name that is also a path segment: 1 to 63 of `a-z 0-9 -`, starting and ending with a letter or digit.
/// Tenants, environments, relays and connections are named so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}")]
pub struct InvalidIdentifier {
    what: &'static str,
    expected: &'static str,
}

impl Incarnation {
    /// The incarnation whose key has this id (SHA-256 of its SubjectPublicKeyInfo).
    #[must_use]
    pub fn of_key(key_id: &Sha256Digest) -> Self {
        Self(key_id.to_string().get(..INCARNATION_DIGITS).unwrap_or_default().into())
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Incarnation {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed =
            text.len() == INCARNATION_DIGITS && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidIdentifier { what: "incarnation", expected: "32 lowercase hex digits" })
        }
    }
}

impl FromStr for SessionId {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidIdentifier { what: "session", expected: "<incarnation>-<ten-digit counter from 1>" };
        let (incarnation, counter) = text.split_once('-').ok_or(invalid.clone())?;
        let ten_digits = counter.len() == COUNTER_DIGITS && counter.bytes().all(|b| b.is_ascii_digit());
        let counter = counter.parse().ok().filter(|c| ten_digits && *c > 0).ok_or(invalid)?;
        Ok(Self { incarnation: incarnation.parse()?, counter })
    }
}

impl FromStr for RequestId {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid =
            InvalidIdentifier { what: "request", expected: "<session>-<statement from 1, at least six digits>" };
        let (session, statement) = text.rsplit_once('-').ok_or(invalid.clone())?;
        let session = session.parse()?;
        let statement = statement.parse().ok().filter(|statement| *statement > 0).ok_or(invalid.clone())?;
        let request = Self { session, statement };
        // One spelling: neither signs nor other zeros.
        if request.to_string() == text { Ok(request) } else { Err(invalid) }
    }
}

impl FromStr for Name {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
        let bytes = text.as_bytes();
        if text.len() <= NAME_MAX && bytes.iter().copied().all(inner) && edge(bytes.first()) && edge(bytes.last()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidIdentifier {
                what: "name",
                expected: "1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit",
            })
        }
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}", self.incarnation, self.counter)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06}", self.session, self.statement)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! text_form {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = InvalidIdentifier;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text_form::read(deserializer)
            }
        }
    };
}

text_form!(Incarnation);
text_form!(SessionId);
text_form!(RequestId);
text_form!(Name);

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const INCARNATION_DIGITS: usize = 32;
/// Ten digits: at 1,000 sessions a second an incarnation lasts 115 days, far beyond any certificate.
const COUNTER_DIGITS: usize = 10;
/// A DNS label's length, so that a name can be part of a host or bucket name.
const NAME_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_reads_back_as_written() {
        let text = "0123456789abcdef0123456789abcdef-0000000042";
        let id: SessionId = text.parse().unwrap();
        assert_eq!(id.counter, 42);
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn a_request_id_has_one_spelling() {
        let text = "0123456789abcdef0123456789abcdef-0000000042-000007";
        let id: RequestId = text.parse().unwrap();
        assert_eq!((id.session.counter, id.statement, id.to_string().as_str()), (42, 7, text));
        for bad in ["-7", "-0000007", "-+00007", "-000000", "-00007", ""] {
            assert!(format!("0123456789abcdef0123456789abcdef-0000000042{bad}").parse::<RequestId>().is_err(), "{bad}");
        }
        let million = RequestId { statement: 1_000_000, ..id };
        assert_eq!(million.to_string().parse::<RequestId>().unwrap(), million);
    }

    #[test]
    fn ids_that_could_escape_a_path_are_refused() {
        for bad in ["", "..", "a/b", "A", "-a", "a-", "a_b", "a b"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
        for bad in
            ["0123456789abcdef0123456789abcdef-0000000000", "0123456789abcdef0123456789abcdef-42", "x-0000000001"]
        {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }
}
