//! Canonical JSON: RFC 8785 (JCS) for the subset that evidence uses. One value has one text, so bytes can be signed.
//!
//! The subset: no floating-point numbers, integers within ±(2^53 − 1), ASCII member names.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;

/// Writes a value as canonical JSON.
///
/// # Errors
/// [`Error::Bug`] when the value lies outside the subset.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let value = serde_json::to_value(value).map_err(|_| Error::Bug("a value has no JSON form"))?;
    let mut out = Vec::with_capacity(INITIAL_CAPACITY);
    write(&value, &mut out)?;
    Ok(out)
}

/// Reads canonical JSON, and nothing but canonical JSON: every value has exactly one accepted text, without members
/// that the type does not know.
///
/// # Errors
/// [`Error::Malformed`], naming `what`.
pub fn from_slice<T: DeserializeOwned + Serialize>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    let malformed = Error::Malformed { what, expected: "canonical JSON with exactly the members of SPEC.md" };
    let value: T = serde_json::from_slice(bytes).map_err(|_| malformed.clone())?;
    match to_vec(&value) {
        Ok(text) if text == bytes => Ok(value),
        _ => Err(malformed),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out)?,
        Value::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

fn write_object(members: &serde_json::Map<String, Value>, out: &mut Vec<u8>) -> Result<(), Error> {
    // Sorted here, whatever map `serde_json` was built with. For ASCII names byte order is RFC 8785's UTF-16 order.
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (position, (name, member)) in sorted.into_iter().enumerate() {
        if !name.is_ascii() {
            return Err(Error::Bug("a member name is not ASCII"));
        }
        if position > 0 {
            out.push(b',');
        }
        write_string(name, out)?;
        out.push(b':');
        write(member, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_number(number: &serde_json::Number, out: &mut Vec<u8>) -> Result<(), Error> {
    let within = number.as_i64().is_some_and(|n| n.unsigned_abs() <= INTEGER_MAX);
    if !within {
        return Err(Error::Bug("a number is no integer within 2^53 - 1"));
    }
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

// serde_json escapes exactly what RFC 8785 section 3.2.2.2 asks, in the same forms.
fn write_string(text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    serde_json::to_writer(out, text).map_err(|_| Error::Bug("a string has no JSON form"))
}

/// Largest integer that every JSON reader holds exactly (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2).
const INTEGER_MAX: u64 = (1 << 53) - 1;
/// An ordinary event fits.
const INITIAL_CAPACITY: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_sorted_and_nothing_is_padded() {
        let text = to_vec(&json!({"b": [1, null, true], "a": {"z": "x", "y": -7}})).unwrap();
        assert_eq!(text, br#"{"a":{"y":-7,"z":"x"},"b":[1,null,true]}"#);
    }

    #[test]
    fn strings_are_escaped_as_rfc_8785_says() {
        let text = to_vec("\u{20ac}$\u{f}\nA'B\"\\\"/\u{7f}").unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\"/\u{7f}\"");
    }

    #[test]
    fn numbers_outside_the_subset_are_refused() {
        for bad in [json!(1.5), json!(1u64 << 53), json!(-(1i64 << 53))] {
            assert!(to_vec(&bad).is_err(), "{bad}");
        }
        assert_eq!(to_vec(&json!((1u64 << 53) - 1)).unwrap(), b"9007199254740991");
    }

    #[test]
    fn other_spellings_of_the_same_value_are_refused() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Pair {
            a: u64,
            b: u64,
        }
        let read = |text: &str| from_slice::<Pair>("pair", text.as_bytes());
        assert_eq!(read(r#"{"a":1,"b":2}"#).unwrap(), Pair { a: 1, b: 2 });
        for bad in [
            r#"{"b":2,"a":1}"#,
            r#"{"a":1, "b":2}"#,
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"a":1,"a":1,"b":2}"#,
            r#"{"a":1,"b":2} "#,
            r#"{"a":1,"b":2"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
