//! Kinds of places: objects that are kept alike stand in one, and where there are buckets, each is a bucket.

use super::{
    APPROVALS_PREFIX, BUNDLES_PREFIX, EVIDENCE_PREFIX, KEYS_PREFIX, LOG_PREFIX, SHREDDED_PREFIX, TRUST_PREFIX,
};

/// How objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Written once, kept under retention: evidence, bundles, trust, shreddings.
    Evidence,
    /// The log: full tiles and checkpoints are kept under retention, partial tiles are replaced as they grow.
    Log,
    /// Written once, deletable: requests, decisions, wrapped keys.
    Deletable,
}

impl Place {
    /// Where a key, or a prefix of keys, belongs; nothing for one that this layout does not write, or that is too short
    /// to tell.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
        if starts(&[EVIDENCE_PREFIX, BUNDLES_PREFIX, TRUST_PREFIX, SHREDDED_PREFIX]) {
            Some(Self::Evidence)
        } else if starts(&[LOG_PREFIX]) {
            Some(Self::Log)
        } else if starts(&[APPROVALS_PREFIX, KEYS_PREFIX]) {
            Some(Self::Deletable)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_place_and_what_is_none_of_ours_has_none() {
        for (key, place) in [
            ("evidence/clinic/test/r1/x/certificate.json", Some(Place::Evidence)),
            ("trust/clinic/test/", Some(Place::Evidence)),
            ("shredded/", Some(Place::Evidence)),
            ("bundles/clinic/test/b/manifest.dsse.json", Some(Place::Evidence)),
            ("log/affidavit/clinic/test/checkpoint", Some(Place::Log)),
            ("approvals/clinic/test/r1/x/0000000001/000001.request.json", Some(Place::Deletable)),
            ("keys/clinic/", Some(Place::Deletable)),
            ("keys", None),
            ("", None),
            ("Evidence/clinic", None),
        ] {
            assert_eq!(Place::of(key), place, "{key}");
        }
    }
}
