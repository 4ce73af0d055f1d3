//! What an approval binds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Base64Bytes;
use crate::canonical;
use crate::digest::{Hasher, Sha256Digest};
use crate::entropy::Entropy;
use crate::error::Error;
use crate::identifiers::SessionId;

/// 32 random bytes that keep a commitment from being guessed. They stay with the relay and are used once. Not
/// `Debug`, not `Serialize`.
#[derive(Clone)]
pub struct Nonce(Zeroizing<[u8; 32]>);

/// Everything that an approval binds: the statement, not today's rows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The rewritten text, exactly as it is sent to the target. May hold literals.
    pub text: String,
    /// OIDs of the parameters' types; 0 where the client left it to the target.
    pub parameter_types: Vec<u32>,
    /// Formats of the parameters as bound: none, one for all, or one each; 0 text, 1 binary.
    pub parameter_formats: Vec<u16>,
    /// The parameters' bytes as bound, absent for SQL NULL.
    pub parameters: Vec<Option<Base64Bytes>>,
    /// Formats of the result's columns as bound.
    pub result_formats: Vec<u16>,
    /// OIDs of the relations that the statement touches, as resolved; ascending.
    pub objects: Vec<u32>,
    /// Target, `host:port/database`.
    pub target: String,
    /// Login at the target.
    pub target_role: String,
    /// Settings of the session by which the text's literals and parameters are read, as the target reports them, by name.
    pub settings: BTreeMap<String, String>,
    /// The session.
    pub session: SessionId,
    /// The statement's number in it.
    pub statement: u64,
    /// SHA-256 of the policy set in force.
    pub policy_sha256: Sha256Digest,
    /// When the request ends, microseconds since 1970.
    pub expires_us: u64,
}

/// SHA-256(nonce ‖ canonical JSON of `bound`) (rule 21).
///
/// # Errors
/// Those of [`canonical::to_vec`].
pub fn commit(nonce: &Nonce, bound: &Bound) -> Result<Sha256Digest, Error> {
    let mut hasher = Hasher::new();
    hasher.update(nonce.0.as_slice());
    hasher.update(&canonical::to_vec(bound)?);
    Ok(hasher.finish())
}

impl Nonce {
    /// A fresh one.
    ///
    /// # Errors
    /// Those of the source of randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// From bytes that were kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// Neither text nor parameters.
impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "statement {} of {}: {} bytes", self.statement, self.session, self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        Bound {
            text: "UPDATE billing.invoices SET amount = $1".to_owned(),
            parameter_types: vec![23],
            parameter_formats: vec![1],
            parameters: vec![Some(Base64Bytes(vec![0, 0, 0, 7]))],
            result_formats: vec![0],
            objects: vec![16_384],
            target: "db.test:5432/clinic".to_owned(),
            target_role: "affidavit".to_owned(),
            settings: BTreeMap::from([("DateStyle".to_owned(), "ISO, MDY".to_owned())]),
            session: "00112233445566778899aabbccddeeff-0000000042".parse().unwrap(),
            statement: 3,
            policy_sha256: Sha256Digest::of(b"policy"),
            expires_us: 1_790_000_900_000_000,
        }
    }

    #[test]
    fn every_member_and_the_nonce_are_bound() {
        let nonce = Nonce::from_bytes([7; 32]);
        let changes: [fn(&mut Bound); 17] = [
            |b| b.text.push(' '),
            |b| b.parameter_types = vec![20],
            |b| b.parameter_types.push(23),
            |b| b.parameter_formats = vec![0],
            |b| b.parameters = vec![None],
            |b| b.parameters = vec![Some(Base64Bytes(vec![0, 0, 0, 8]))],
            |b| b.parameters = vec![Some(Base64Bytes(Vec::new()))],
            |b| b.result_formats.clear(),
            |b| b.objects = vec![16_385],
            |b| b.target.push('x'),
            |b| b.target_role.push('x'),
            |b| b.settings.clear(),
            |b| drop(b.settings.insert("DateStyle".to_owned(), "ISO, DMY".to_owned())),
            |b| b.session.counter += 1,
            |b| b.statement += 1,
            |b| b.policy_sha256 = Sha256Digest::of(b"other"),
            |b| b.expires_us += 1,
        ];
        let mut seen = std::collections::BTreeSet::from([commit(&nonce, &bound()).unwrap()]);
        for change in changes {
            let mut changed = bound();
            change(&mut changed);
            assert!(seen.insert(commit(&nonce, &changed).unwrap()), "{changed:?}");
        }
        assert!(seen.insert(commit(&Nonce::from_bytes([8; 32]), &bound()).unwrap()));
        assert!(seen.contains(&commit(&nonce, &bound()).unwrap()));
    }
}
