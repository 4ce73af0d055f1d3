//! Canonical JSON: RFC 8785 (JCS) for the subset that evidence uses. One value has one text, so bytes can be signed.
//!
//! The subset: no floating-point numbers, integers within ±(2^53 − 1), ASCII member names.

mod text;
mod writer;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use writer::Writer;

/// Writes a value as canonical JSON.
///
/// # Errors
/// [`Error::Bug`] when the value lies outside the subset.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(INITIAL_CAPACITY);
    append(value, &mut out)?;
    Ok(out)
}

/// As [`to_vec`], behind what `out` holds. After an error a part of the text may stand there.
///
/// # Errors
/// As [`to_vec`].
pub fn append<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    Ok(value.serialize(Writer { out })?)
}

/// Whether this is the value's canonical text.
fn is_text_of<T: Serialize>(value: &T, text: &[u8]) -> bool {
    let mut out = Vec::with_capacity(text.len());
    value.serialize(Writer { out: &mut out }).is_ok() && out == text
}

/// Reads canonical JSON, and nothing but canonical JSON: every value has exactly one accepted text, without members
/// that the type does not know.
///
/// # Errors
/// [`Error::Malformed`], naming `what`.
pub fn from_slice<T: DeserializeOwned + Serialize>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    let malformed = Error::Malformed { what, expected: "canonical JSON with exactly the members of SPEC.md" };
    let value: T = serde_json::from_slice(bytes).map_err(|_| malformed.clone())?;
    if is_text_of(&value, bytes) { Ok(value) } else { Err(malformed) }
}

/// An ordinary event fits.
const INITIAL_CAPACITY: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\u{0}-\u{7f}]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map("[ !#-\\[\\]-~]{0,4}|[ab]{7,10}", inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        // serde_json writes no white space and escapes as RFC 8785 does. It sorts members by bytes, but not in a build
        // where another crate (Cedar) asks it to keep their order.
        #[test]
        fn the_text_is_the_one_that_sorted_compact_json_has(mut value in values()) {
            value.sort_all_objects();
            prop_assert_eq!(String::from_utf8(to_vec(&value).unwrap()).unwrap(), value.to_string());
        }
    }

    #[test]
    fn members_that_come_twice_or_have_no_plain_name_are_refused() {
        struct Pairs(&'static [(&'static str, u8)]);
        impl Serialize for Pairs {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().copied())
            }
        }
        assert_eq!(to_vec(&Pairs(&[("b", 1), ("a b", 2), ("a", 3)])).unwrap(), br#"{"a":3,"a b":2,"b":1}"#);
        for bad in [&[("a", 1), ("a", 1)][..], &[("b", 1), ("a", 1), ("b", 1)], &[("\u{e9}", 1)], &[("a\n", 1)]] {
            assert!(to_vec(&Pairs(bad)).is_err(), "{bad:?}");
        }
    }

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
