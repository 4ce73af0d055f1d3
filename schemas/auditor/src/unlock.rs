//! The key to a session's recorded bytes.

use std::path::Path;

use schemas::session_key::SessionKey;
use schemas::wrapped_key::WrappingKey;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::folder::Folder;
use crate::listing::Listed;

/// Opens the session's key with the data key in `keys`; nothing when the wrapped key is gone, which is how a session
/// is shredded.
pub(crate) fn session_key(folder: &Folder, listed: &Listed, keys: &Path) -> Result<Option<SessionKey>, Error> {
    let file = keys.join("data.key");
    let text = Zeroizing::new(std::fs::read_to_string(&file).map_err(Error::file(&file))?);
    let key = WrappingKey::from_hex(&text).map_err(|error| Error::content(&file, error))?;
    let Some(wrapped) = listed.wrapped_key(folder)? else { return Ok(None) };
    if wrapped.key_id != key.id() {
        return Err(Error::content(&file, format_args!("this is {}, expected {}", key.id(), wrapped.key_id)));
    }
    let opened = key.unwrap(&wrapped, &listed.session);
    opened.map(Some).map_err(|error| Error::content(&file, error))
}
