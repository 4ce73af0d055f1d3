//! The values that nobody may see, and a search for any of them in a text.

use std::collections::HashMap;

/// Protected values, by their first bytes: a text is walked once for all of them.
pub(crate) struct RawValues {
    by_start: HashMap<[u8; START], Vec<String>>,
}

impl RawValues {
    /// Keeps what is long enough to be told from noise.
    pub(crate) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut by_start: HashMap<[u8; START], Vec<String>> = HashMap::new();
        for value in values {
            if let Some(start) = value.as_bytes().first_chunk() {
                by_start.entry(*start).or_default().push(value);
            }
        }
        Self { by_start }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_start.values().map(Vec::len).sum()
    }

    /// The first of them that is anywhere in the text.
    pub(crate) fn find_in(&self, text: &str) -> Option<&str> {
        let bytes = text.as_bytes();
        (0..bytes.len()).find_map(|at| {
            let candidates = self.by_start.get(bytes[at..].first_chunk::<START>()?)?;
            candidates.iter().find(|value| bytes[at..].starts_with(value.as_bytes())).map(String::as_str)
        })
    }
}

const START: usize = 8;
