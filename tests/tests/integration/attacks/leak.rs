//! What tells that an attack succeeded: a planted value in anything that came back, or two different answers.

use std::collections::HashMap;
use std::fmt::Write;

use crate::harness::corpus::{Seen, values};
use crate::harness::raw::Message;

/// Texts to look for: what each is, by its first bytes, for there are many and answers are long.
pub(crate) struct Marks(HashMap<Vec<u8>, Vec<(String, Vec<u8>)>>);

impl Marks {
    /// A planted value as it is, and as simple functions make it.
    pub(crate) fn of<'a>(canaries: impl Iterator<Item = &'a String>) -> Self {
        let mut marks = Vec::new();
        for canary in canaries {
            let mut add = |how: &str, bytes: Vec<u8>| marks.push((format!("{canary} {how}"), bytes));
            add("as it is", canary.clone().into_bytes());
            add("reversed", canary.chars().rev().collect::<String>().into_bytes());
            add("in capitals", canary.to_uppercase().into_bytes());
            add("in small letters", canary.to_lowercase().into_bytes());
            add("in hexadecimal", hex(canary.as_bytes()).into_bytes());
            for (skipped, encoded) in base64_anywhere(canary.as_bytes()) {
                add(&format!("in base64 at {skipped}"), encoded.into_bytes());
            }
            let digits: String = canary.chars().filter(char::is_ascii_digit).collect();
            if digits.len() >= 8 {
                add("as digits", digits.into_bytes());
            }
            let codes: Vec<String> = canary.chars().map(|letter| u32::from(letter).to_string()).collect();
            for between in [" ", ",", ", ", ""] {
                add("as codes", codes.join(between).into_bytes());
            }
        }
        Self::by_prefix(marks)
    }

    /// These texts; after `hex:`, bytes.
    pub(crate) fn texts(texts: &[String]) -> Self {
        let bytes = |text: &String| match text.strip_prefix("hex:") {
            Some(digits) => {
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
                digits.as_bytes().chunks(2).map(byte).collect()
            }
            None => text.clone().into_bytes(),
        };
        Self::by_prefix(texts.iter().map(|text| (text.clone(), bytes(text))).collect())
    }

    fn by_prefix(marks: Vec<(String, Vec<u8>)>) -> Self {
        let mut all: HashMap<Vec<u8>, Vec<(String, Vec<u8>)>> = HashMap::new();
        for (what, mark) in marks {
            assert!(mark.len() >= PREFIX, "{what} is too short to be looked for");
            all.entry(mark[..PREFIX].to_vec()).or_default().push((what, mark));
        }
        Self(all)
    }

    /// The first of them in what was seen: in a message, in a row read across, in a column read down.
    pub(crate) fn found(&self, seen: &Seen) -> Option<&str> {
        let mut places: Vec<Vec<u8>> = seen.answers().map(|message| message.body.clone()).collect();
        let rows: Vec<_> = seen.answers().filter(|message| message.tag == 'D').map(values).collect();
        places.extend(rows.iter().map(|row| row.iter().flatten().flatten().copied().collect()));
        for column in 0..rows.iter().map(Vec::len).max().unwrap_or(0) {
            let down = rows.iter().filter_map(|row| row.get(column)?.as_ref());
            places.push(down.flatten().copied().collect());
        }
        let copied = seen.answers().filter(|message| message.tag == 'd').flat_map(|message| message.body.clone());
        places.push(copied.collect());
        places.iter().find_map(|place| self.found_in(place))
    }

    fn found_in(&self, place: &[u8]) -> Option<&str> {
        place.windows(PREFIX).enumerate().find_map(|(at, start)| {
            let marks = self.0.get(start)?;
            marks.iter().find(|(_, mark)| place[at..].starts_with(mark)).map(|(what, _)| what.as_str())
        })
    }
}

/// What of an answer a client can tell apart: all but where in the server's source an error came from, and that it had to
/// wait for somebody, which names each time another request.
pub(crate) fn told(seen: &Seen) -> Vec<(char, String)> {
    let waits = |message: &&Message| {
        message.tag == 'N' && message.fields().get(&'M').is_some_and(|text| text.starts_with(HELD))
    };
    let of = |message: &Message| match message.tag {
        'E' | 'N' => {
            let mut fields = message.fields();
            fields.retain(|field, _| !matches!(field, 'F' | 'L' | 'R'));
            (message.tag, format!("{fields:?}"))
        }
        tag => (tag, String::from_utf8_lossy(&message.body).into_owned()),
    };
    seen.answers().filter(|message| !waits(message)).map(of).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The middle of what base64 makes of it, wherever in a longer text it begins.
fn base64_anywhere(bytes: &[u8]) -> impl Iterator<Item = (usize, String)> {
    (0..3).map(|skipped| {
        let whole = &bytes[(3 - skipped) % 3..];
        let whole = &whole[..whole.len() / 3 * 3];
        (skipped, whole.chunks(3).map(base64_of_three).collect())
    })
}

fn base64_of_three(three: &[u8]) -> String {
    let number = three.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    (0..4).rev().map(|place| char::from(BASE64[number >> (6 * place) & 63])).collect()
}

/// The relay's own notice.
const HELD: &str = "held for approval";

/// Bytes; no mark is shorter.
const PREFIX: usize = 4;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
