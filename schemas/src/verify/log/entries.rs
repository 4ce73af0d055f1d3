//! Entries of a bundle, looked at one by one: what needs nothing but the entry, so that other cores can do it.

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::log::{Entry, Place, decode_bundle, hash};

/// An entry.
pub(super) struct Looked {
    pub(super) bytes: Vec<u8>,
    /// Its hash in the tree.
    pub(super) hash: Sha256Digest,
    /// Where its statement stands as it says itself; nothing for one whose statement was given, which is known already.
    pub(super) place: Option<Result<Place, Error>>,
}

/// The first `width` entries of a bundle. `is_given` tells whether the statement with this hash was given.
///
/// # Errors
/// What is wrong with the bundle.
pub(super) fn look(
    bundle: Option<&[u8]>,
    width: u16,
    is_given: impl Fn(&Sha256Digest) -> bool,
) -> Result<Vec<Looked>, String> {
    let bundle = bundle.ok_or("is missing")?;
    let entries = decode_bundle(bundle, width).map_err(|error| error.to_string())?;
    let looked = entries.into_iter().map(|bytes| {
        let hash = hash::leaf(&bytes);
        let place = (!is_given(&hash)).then(|| Entry::place_of(&bytes));
        Looked { bytes, hash, place }
    });
    Ok(looked.collect())
}
