//! Names of logs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::identifiers::Name;

/// A log's origin line, which is also the folder its objects stand in: segments of `a-z 0-9 . _ -` between slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogOrigin(String);

impl LogOrigin {
    /// The log of a tenant's environment: `affidavit/<tenant>/<environment>`.
    #[must_use]
    pub fn of(tenant: &Name, environment: &Name) -> Self {
        Self(format!("affidavit/{tenant}/{environment}"))
    }

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogOrigin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(allowed);
        if text.len() <= ORIGIN_MAX && text.split('/').all(segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Malformed { what: "log origin", expected: "segments of a-z 0-9 . _ - between slashes" })
        }
    }
}

impl fmt::Display for LogOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for LogOrigin {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<LogOrigin> for String {
    fn from(origin: LogOrigin) -> Self {
        origin.0
    }
}

/// With a tile's path after it, an object key stays far below the 1,024 bytes that S3 allows.
const ORIGIN_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_path_that_leads_nowhere_else() {
        for good in ["log.test/one", "affidavit/clinic/test", "a"] {
            assert_eq!(good.parse::<LogOrigin>().unwrap().as_str(), good);
        }
        for bad in ["", "/", "a/", "/a", "a//b", "a/../b", "..", "A", "a b", "a+b", "a\nb", &"a".repeat(256)] {
            assert!(bad.parse::<LogOrigin>().is_err(), "{bad}");
        }
        let name = |text: &str| text.parse().unwrap();
        assert_eq!(LogOrigin::of(&name("clinic"), &name("test")).as_str(), "affidavit/clinic/test");
    }
}
