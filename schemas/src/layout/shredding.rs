//! Keys of the statements that a session's key was destroyed: beside the evidence and not below it, for they are no
//! relay's, come after everything, and are in no log.

use super::Scope;
use crate::identifiers::{Name, SessionId};

impl Scope {
    /// `shredded/…/<incarnation>/<counter>.json`
    #[must_use]
    pub fn shredding(&self, session: &SessionId) -> String {
        format!("{SHREDDED_PREFIX}{}/{}/{:010}.json", self.path(), session.incarnation, session.counter)
    }
}

/// Prefix of the shreddings of a tenant's environment, with the slash.
#[must_use]
pub fn shreddings_prefix(tenant: &Name, environment: &Name) -> String {
    format!("{SHREDDED_PREFIX}{tenant}/{environment}/")
}

/// Relay and session of a shredding's key; nothing for another key.
#[must_use]
pub fn parse_shredding(key: &str) -> Option<(Scope, SessionId)> {
    let mut segments = key.strip_prefix(SHREDDED_PREFIX)?.split('/');
    let mut name = || segments.next()?.parse::<Name>().ok();
    let scope = Scope { tenant: name()?, environment: name()?, relay: name()? };
    let (incarnation, file) = (segments.next()?, segments.next()?);
    let session: SessionId = format!("{incarnation}-{}", file.strip_suffix(".json")?).parse().ok()?;
    // One spelling an object.
    (scope.shredding(&session) == key).then_some((scope, session))
}

/// Prefix of all shreddings: written once, kept under retention.
pub const SHREDDED_PREFIX: &str = "shredded/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shredding_is_found_again_from_its_key_and_from_no_other() {
        let name = |text: &str| text.parse().unwrap();
        let scope = Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") };
        let session: SessionId = "0123456789abcdef0123456789abcdef-0000000042".parse().unwrap();
        let key = scope.shredding(&session);
        assert_eq!(parse_shredding(&key), Some((scope, session)));
        for bad in [format!("{key}/x"), format!("/{key}"), key.replace("0000000042", "42"), key.replace(".json", "")] {
            assert_eq!(parse_shredding(&bad), None, "{bad}");
        }
    }
}
