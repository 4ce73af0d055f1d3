//! The names that evidence has for things, as text.

use serde::Serialize;

/// What a unit variant is serialised as, e.g. `client-terminated`.
pub(crate) fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
