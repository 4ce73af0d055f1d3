//! A look over what a Parquet file says of itself, before the parquet crate (60) takes it at its word.
//!
//! Footer and page headers are structs in Thrift's compact protocol (apache/thrift, "thrift-compact-protocol.md"). The crate
//! reads a field that it knows by its number, whatever type the file gives it, and skips one that it does not know element
//! by element; elements that are booleans have no bytes there, so that a hundred bytes can claim thousands of millions of
//! them and keep it busy for as long as they like. Here a struct has the fields of its [`Form`], of the types that they have
//! there, and no others. None is a list of booleans: every element has a byte at least, and so their number is bounded by
//! the file's length.

use std::io::{self, ErrorKind, Read};

/// What a value must be.
#[derive(Debug)]
pub(super) enum Form {
    /// A boolean, which in a struct has no bytes of its own.
    Bool,
    /// 8 bits.
    Byte,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
    /// Bytes with their length before them.
    Binary,
    /// A list; not of booleans.
    List(&'static Form),
    /// A struct: its fields by number.
    Struct(&'static [(i64, Form)]),
}

/// What a page header says that is needed to find the next one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Field 3 of the struct, if that is a 32-bit integer: of a page header, the length of the page that follows, in bytes.
    pub(super) third: Option<i64>,
    /// Bytes that it takes.
    pub(super) length: u64,
}

/// Reads over one struct of this form.
///
/// # Errors
/// The reader's; [`ErrorKind::InvalidData`] where it has another form; [`ErrorKind::UnexpectedEof`] where it is longer than
/// what there is.
pub(super) fn skim(bytes: &mut dyn Read, form: &'static Form) -> io::Result<Seen> {
    let mut skim = Skim { bytes, read: 0 };
    let Form::Struct(fields) = form else { return Err(invalid("a form that is no struct")) };
    let mut third = None;
    skim.fields(fields, &mut |id, value| {
        if id == THIRD {
            third = Some(value);
        }
    })?;
    Ok(Seen { third, length: skim.read })
}

struct Skim<'r> {
    bytes: &'r mut dyn Read,
    read: u64,
}

impl Skim<'_> {
    /// The fields of a struct to its end. `see` gets number and value of each that is a 32-bit integer.
    fn fields(&mut self, forms: &'static [(i64, Form)], see: &mut dyn FnMut(i64, i64)) -> io::Result<()> {
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
            let form = forms.iter().find(|(number, _)| *number == id).map(|(_, form)| form);
            let form = form.ok_or_else(|| invalid("a field that its struct does not have"))?;
            match (byte & 0x0f, form) {
                // The value is the type itself.
                (BOOLEAN_TRUE | BOOLEAN_FALSE, Form::Bool) => {}
                (I32, Form::I32) => {
                    let value = unzigzag(self.varint()?);
                    see(id, value);
                }
                (kind, form) if form.kind() == Some(kind) => self.value(form)?,
                _ => return Err(invalid("a field of another type")),
            }
        }
    }

    fn value(&mut self, form: &'static Form) -> io::Result<()> {
        match form {
            Form::Bool => Err(invalid("a list of booleans")),
            Form::Byte => self.skip(1),
            Form::I16 | Form::I32 | Form::I64 => self.varint().map(|_| ()),
            Form::Binary => {
                let length = self.varint()?;
                self.skip(length)
            }
            Form::List(of) => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    0x0f => self.varint()?,
                    count => u64::from(count),
                };
                if of.kind() != Some(head & 0x0f) {
                    return Err(invalid("a list of another type"));
                }
                (0..count).try_for_each(|_| self.value(of))
            }
            Form::Struct(fields) => self.fields(fields, &mut |_, _| {}),
        }
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

impl Form {
    /// The type's number; a boolean has two, and is no element of a list.
    fn kind(&self) -> Option<u8> {
        match self {
            Self::Bool => None,
            Self::Byte => Some(BYTE),
            Self::I16 => Some(I16),
            Self::I32 => Some(I32),
            Self::I64 => Some(I64),
            Self::Binary => Some(BINARY),
            Self::List(_) => Some(LIST),
            Self::Struct(_) => Some(STRUCT),
        }
    }
}

/// `compressed_page_size` of a `PageHeader`.
const THIRD: i64 = 3;
const STOP: u8 = 0;
const BOOLEAN_TRUE: u8 = 1;
const BOOLEAN_FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

#[cfg(test)]
mod tests {
    use super::super::forms::{FOOTER, PAGE_HEADER};
    use super::*;

    fn kind(bytes: &[u8], form: &'static Form) -> ErrorKind {
        skim(&mut &bytes[..], form).unwrap_err().kind()
    }

    #[test]
    fn a_page_header_tells_how_long_its_page_is() {
        // Fields 1 to 3 as 32-bit integers (0, 300, 25), then field 5, a struct with one integer.
        let header = [0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x32, 0x2c, 0x15, 0x02, 0x00, 0x00, 0xff];
        assert_eq!(skim(&mut &header[..], &PAGE_HEADER).unwrap(), Seen { third: Some(25), length: 12 });
    }

    #[test]
    fn a_field_that_the_struct_does_not_have_is_refused() {
        // Field 9, an integer; field 1, a list of booleans that claims two thousand million of them.
        assert_eq!(kind(&[0x95, 0x02, 0x00], &PAGE_HEADER), ErrorKind::InvalidData);
        assert_eq!(kind(&[0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00], &PAGE_HEADER), ErrorKind::InvalidData);
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        // What the fuzzer found: `num_rows` as a set, which the parquet crate reads as an integer, and so all that follows
        // at another place.
        assert_eq!(kind(&[0x3a, 0x16, 0x02, 0x00], &FOOTER), ErrorKind::InvalidData);
        // `schema` as a list of integers; the statistics of a page as a map.
        assert_eq!(kind(&[0x29, 0x15, 0x02, 0x00], &FOOTER), ErrorKind::InvalidData);
        assert_eq!(kind(&[0x5c, 0x5b, 0x01, 0x22, 0x00, 0x00], &PAGE_HEADER), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_claimed_and_not_there_is_an_end_and_not_a_wait() {
        // Two thousand million structs; a text of as many bytes; an integer that does not come.
        assert_eq!(kind(&[0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x15], &FOOTER), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0x68, 0xff, 0xff, 0xff, 0xff, 0x07, 0x02], &FOOTER), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0x15], &PAGE_HEADER), ErrorKind::UnexpectedEof);
    }
}
