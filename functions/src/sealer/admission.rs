//! What may be appended: a statement that stands in its place and bears the signature it must bear. Entries cannot be
//! taken out again, so whoever can merely write to the store must not choose what is in them.

use std::collections::BTreeMap;

use schemas::chunk::Container;
use schemas::dsse::Envelope;
use schemas::identifiers::Incarnation;
use schemas::layout::{Object, ObjectKind, Scope};
use schemas::log::{Entry, Signatory};
use schemas::signature::PublicKey;

use super::{Log, SealerError};
use crate::signers::{self, SignerError};

/// Decides object by object; remembers the keys of relays.
#[derive(Default)]
pub(super) struct Admission {
    keys: BTreeMap<(Scope, Incarnation), PublicKey>,
}

/// What was found in a place.
pub(super) enum Found {
    /// Its entry.
    Statement(Entry),
    /// Nothing.
    Nothing,
    /// Something that is not what belongs there.
    Rejected(String),
}

impl Admission {
    pub(super) async fn examine(&mut self, log: &Log<'_>, object: &Object) -> Result<Found, SealerError> {
        let Some(bytes) = log.env.store.get(&object.key()).await? else { return Ok(Found::Nothing) };
        let envelope = match read(&object.kind, &bytes) {
            Ok(envelope) => envelope,
            Err(problem) => return Ok(Found::Rejected(problem)),
        };
        let entry = Entry::of(&envelope);
        let place = match entry.place() {
            Ok(place) if place.object == *object => place,
            Ok(_) => return Ok(Found::Rejected("names another place".to_owned())),
            Err(error) => return Ok(Found::Rejected(error.to_string())),
        };
        let key = match place.signatory {
            Signatory::Root => log.root.clone(),
            Signatory::Checkpoints => log.key.clone(),
            Signatory::Incarnation(signer) => match self.key_of(log, &object.scope, &signer).await {
                Ok(key) => key,
                Err(SignerError::Store(error)) => return Err(error.into()),
                Err(error) => return Ok(Found::Rejected(error.to_string())),
            },
        };
        Ok(match envelope.verify(&key, envelope.payload_type()) {
            Ok(_) => Found::Statement(entry),
            Err(error) => Found::Rejected(error.to_string()),
        })
    }

    async fn key_of(&mut self, log: &Log<'_>, scope: &Scope, signer: &Incarnation) -> Result<PublicKey, SignerError> {
        let place = (scope.clone(), signer.clone());
        if let Some(key) = self.keys.get(&place) {
            return Ok(key.clone());
        }
        let key = signers::key_of(log.env.store.as_ref(), &log.root, scope, signer).await?;
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
        }
        self.keys.insert(place, key.clone());
        Ok(key)
    }
}

fn read(kind: &ObjectKind, bytes: &[u8]) -> Result<Envelope, String> {
    match kind {
        ObjectKind::Chunk(..) => Container::parse(bytes)
            .map(|container| container.envelope().clone())
            .map_err(|violation| violation.to_string()),
        _ => Envelope::from_slice(bytes).map_err(|error| error.to_string()),
    }
}

/// A fleet of relays; each key is some hundred bytes.
const KEYS_MAX: usize = 1024;
