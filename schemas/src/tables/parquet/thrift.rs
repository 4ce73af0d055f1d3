//! A look over what a Parquet file says of itself, before the parquet crate (60) takes it at its word.
//!
//! Footer and page headers are structs in Thrift's compact protocol (apache/thrift, "thrift-compact-protocol.md"; fields
//! in apache/parquet-format, "parquet.thrift"). A field that a reader does not know is skipped element by element, and
//! the crate takes elements that are booleans to have no bytes: a list that claims two thousand million of them keeps it
//! busy for as long as it likes, in a file of a hundred bytes. Neither struct has a list of booleans, so one is refused;
//! every other element has a byte at least, and so its number is bounded by the file's length.

use std::io::{self, ErrorKind, Read};

/// What a page header says that is needed to find the next one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Struct {
    /// Its field 3, if that is a 32-bit integer: of a page header, the length of the page that follows, in bytes.
    pub(super) third: Option<i64>,
    /// Bytes that it takes.
    pub(super) length: u64,
}

/// Reads over one struct.
///
/// # Errors
/// The reader's; [`ErrorKind::InvalidData`] where the struct is none, nests too deeply or holds a list of booleans;
/// [`ErrorKind::UnexpectedEof`] where it is longer than what there is.
pub(super) fn skim(bytes: &mut dyn Read) -> io::Result<Struct> {
    let mut skim = Skim { bytes, read: 0 };
    let mut seen = Struct::default();
    skim.fields(DEPTH_MAX, &mut |id, value| {
        if id == THIRD {
            seen.third = value;
        }
    })?;
    seen.length = skim.read;
    Ok(seen)
}

struct Skim<'r> {
    bytes: &'r mut dyn Read,
    read: u64,
}

impl Skim<'_> {
    /// The fields of a struct to its end. `see` gets each one's number, and its value where it is a 32-bit integer.
    fn fields(&mut self, depth: u8, see: &mut dyn FnMut(i64, Option<i64>)) -> io::Result<()> {
        let mut id = 0_i64;
        loop {
            let byte = self.byte()?;
            if byte == STOP {
                return Ok(());
            }
            id = match byte >> 4 {
                0 => unzigzag(self.varint()?),
                delta => id.saturating_add(i64::from(delta)),
            };
            match byte & 0x0f {
                // The value is the type itself.
                BOOLEAN_TRUE | BOOLEAN_FALSE => {}
                I32 => {
                    let value = unzigzag(self.varint()?);
                    see(id, Some(value));
                }
                kind => self.value(kind, depth)?,
            }
        }
    }

    fn value(&mut self, kind: u8, depth: u8) -> io::Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| invalid("it nests too deeply"))?;
        match kind {
            BYTE => self.skip(1),
            I16 | I32 | I64 => self.varint().map(|_| ()),
            DOUBLE => self.skip(8),
            BINARY => {
                let length = self.varint()?;
                self.skip(length)
            }
            LIST | SET => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    0x0f => self.varint()?,
                    count => u64::from(count),
                };
                self.elements(count, &[head & 0x0f], depth)
            }
            MAP => match self.varint()? {
                0 => Ok(()),
                count => {
                    let kinds = self.byte()?;
                    self.elements(count, &[kinds >> 4, kinds & 0x0f], depth)
                }
            },
            STRUCT => self.fields(depth, &mut |_, _| {}),
            UUID => self.skip(16),
            _ => Err(invalid("a type that there is not")),
        }
    }

    fn elements(&mut self, count: u64, kinds: &[u8], depth: u8) -> io::Result<()> {
        if kinds.iter().any(|kind| matches!(*kind, BOOLEAN_TRUE | BOOLEAN_FALSE)) {
            return Err(invalid("a list of booleans"));
        }
        for _ in 0..count {
            kinds.iter().try_for_each(|kind| self.value(*kind, depth))?;
        }
        Ok(())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(invalid("a number that is too long"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        self.read = self.read.saturating_add(1);
        let [byte] = byte;
        Ok(byte)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut *self.bytes).take(length), &mut io::sink())?;
        self.read = self.read.saturating_add(skipped);
        if skipped == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

fn unzigzag(value: u64) -> i64 {
    let half = i64::try_from(value >> 1).unwrap_or(i64::MAX);
    if value & 1 == 0 { half } else { !half }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Statistics in a page header nest three deep, the footer five.
const DEPTH_MAX: u8 = 16;
/// `compressed_page_size` of a `PageHeader`.
const THIRD: i64 = 3;
const STOP: u8 = 0;
const BOOLEAN_TRUE: u8 = 1;
const BOOLEAN_FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8]) -> ErrorKind {
        skim(&mut &bytes[..]).unwrap_err().kind()
    }

    #[test]
    fn a_page_header_tells_how_long_its_page_is() {
        // Fields 1 to 3 as 32-bit integers (0, 300, 25), then field 5, a struct with one integer.
        let header = [0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x32, 0x2c, 0x15, 0x02, 0x00, 0x00, 0xff];
        assert_eq!(skim(&mut &header[..]).unwrap(), Struct { third: Some(25), length: 12 });
    }

    #[test]
    fn a_list_of_booleans_is_refused_however_long_it_claims_to_be() {
        assert_eq!(kind(&[0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0x07, 0x21, 0x00]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0x19, 0x19, 0x12, 0x00]), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_claimed_and_not_there_is_an_end_and_not_a_wait() {
        assert_eq!(kind(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 0x02]), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0x18, 0xff, 0xff, 0xff, 0xff, 0x07, 0x02]), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0x15, 0x02]), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(kind(&[0x1c; 100]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0x19; 100]), ErrorKind::InvalidData);
    }
}
