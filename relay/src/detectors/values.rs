//! The texts in a value, in whatever format it comes.
//!
//! The texts of types that are texts are the same in both formats (but for `jsonb`, whose binary form has one byte more in
//! front). Arrays and records in binary begin with a zero byte, which no text holds, and have their elements' lengths between
//! them, which would be taken for letters: these are taken apart. What is neither is looked at as it is.

/// Shows each text in a value of a result.
pub(crate) fn each_text(value: &[u8], look: &mut impl FnMut(&[u8])) {
    part(value, 0, look);
}

/// Shows each text in the data of one `CopyData`, with its column's place from 0 where that is known. The first message of a
/// COPY in binary has a header.
pub(crate) fn each_copied(data: &[u8], binary: bool, first: bool, look: &mut impl FnMut(Option<usize>, &[u8])) {
    if !(binary && copied_fields(data, first, look).is_some()) {
        look(None, data);
    }
}

fn part(value: &[u8], depth: usize, look: &mut impl FnMut(&[u8])) {
    let is_composite = value.first() == Some(&0) && depth < DEPTH_MAX;
    if !(is_composite && (array(value, depth, look).is_some() || record(value, depth, look).is_some())) {
        look(value);
    }
}

/// Number of dimensions, a flag for NULLs, the elements' type, length and lower bound of each dimension, elements.
fn array(value: &[u8], depth: usize, look: &mut impl FnMut(&[u8])) -> Option<()> {
    let mut reader = Reader(value);
    let dimensions = usize::try_from(reader.word()?).ok().filter(|count| (1..=6).contains(count))?;
    (reader.word()? <= 1).then_some(())?;
    reader.word()?;
    for _ in 0..dimensions {
        reader.word()?;
        reader.word()?;
    }
    while !reader.0.is_empty() {
        if let Some(element) = reader.field()? {
            part(element, depth.saturating_add(1), look);
        }
    }
    Some(())
}

/// Number of fields; of each its type and value.
fn record(value: &[u8], depth: usize, look: &mut impl FnMut(&[u8])) -> Option<()> {
    let mut reader = Reader(value);
    for _ in 0..reader.word()? {
        reader.word()?;
        if let Some(field) = reader.field()? {
            part(field, depth.saturating_add(1), look);
        }
    }
    reader.0.is_empty().then_some(())
}

/// Number of fields, -1 at the end; their values.
fn copied_fields(data: &[u8], first: bool, look: &mut impl FnMut(Option<usize>, &[u8])) -> Option<()> {
    let mut reader = Reader(data);
    if first {
        reader.take(SIGNATURE.len()).filter(|signature| *signature == SIGNATURE)?;
        reader.word()?;
        let length = usize::try_from(reader.word()?).ok()?;
        reader.take(length)?;
        if reader.0.is_empty() {
            return Some(());
        }
    }
    let count = i16::from_be_bytes(reader.take(2)?.try_into().ok()?);
    for place in 0..usize::try_from(count).unwrap_or(0) {
        if let Some(field) = reader.field()? {
            part(field, 0, &mut |text| look(Some(place), text));
        }
    }
    reader.0.is_empty().then_some(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A length and so many bytes; nothing inside for NULL.
    fn field(&mut self) -> Option<Option<&'a [u8]>> {
        match self.word()? {
            u32::MAX => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }
}

/// PostgreSQL documentation, COPY, "Binary Format".
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Records in arrays in records; what is deeper is looked at as it is.
const DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(value: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        each_text(value, &mut |text| found.push(text.to_vec()));
        found
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn arrays_and_records_in_binary_are_taken_apart_and_texts_are_not() {
        let array = [words(&[1, 1, 25, 3, 1, 2]), b"ab".to_vec(), words(&[u32::MAX, 1]), b"c".to_vec()].concat();
        assert_eq!(texts(&array), [b"ab".to_vec(), b"c".to_vec()]);
        let record = [words(&[2, 1009, u32::try_from(array.len()).unwrap()]), array, words(&[23, 4, 7])].concat();
        assert_eq!(texts(&record), [b"ab".to_vec(), b"c".to_vec(), words(&[7])]);
        for plain in [&b"{ab,c}"[..], b"", b"\x01{}", &words(&[5]), b"\0\0\0\x01broken"] {
            assert_eq!(texts(plain).last().unwrap(), plain);
        }
    }

    #[test]
    fn rows_of_a_copy_in_binary_have_fields_and_the_first_a_header() {
        let row = [&[0, 2][..], &words(&[2]), b"ab", &words(&[u32::MAX])].concat();
        let first = [SIGNATURE, &words(&[0, 0]), &row].concat();
        for (data, is_first) in [(&row, false), (&first, true)] {
            let mut found = Vec::new();
            each_copied(data, true, is_first, &mut |place, text| found.push((place, text.to_vec())));
            assert_eq!(found, [(Some(0), b"ab".to_vec())]);
        }
        let mut found = Vec::new();
        each_copied(b"1\tab\n", false, true, &mut |place, text| found.push((place, text.to_vec())));
        assert_eq!(found, [(None, b"1\tab\n".to_vec())]);
    }

    proptest! {
        #[test]
        fn nothing_that_a_target_sends_makes_it_stop(value in prop::collection::vec(0..4u8, 0..64), first: bool) {
            each_text(&value, &mut |_| ());
            each_copied(&value, true, first, &mut |_, _| ());
        }
    }
}
