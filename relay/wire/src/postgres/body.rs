//! Reading and writing the body of one message, field by field.

use super::error::{EncodeError, Error, Problem};
use super::format::Format;
use super::message::HEADER;
use bytes::{BufMut, BytesMut};
use std::ffi::CStr;

/// Reads one body. Every field names itself, so that an error can say where it was and what was expected.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    message: &'static str,
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads the body of an ordinary message.
    pub(super) fn new(message: &'static str, body: &'a [u8]) -> Self {
        Self::at(message, body, HEADER)
    }

    /// Reads a body that begins `offset` bytes into its message.
    pub(super) fn at(message: &'static str, body: &'a [u8], offset: usize) -> Self {
        Self { message, rest: body, offset }
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, Error> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, Error> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, Error> {
        self.array(field).map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, Error> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, Error> {
        self.array(field).map(i32::from_be_bytes)
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], Error> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.error(field, Problem::Short { wanted: length, left: self.rest.len() }));
        };
        self.rest = rest;
        self.offset += length;
        Ok(taken)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = std::mem::take(&mut self.rest);
        self.offset += rest.len();
        rest
    }

    /// Bytes up to a zero byte, which is taken too.
    pub(super) fn terminated(&mut self, field: &'static str) -> Result<&'a [u8], Error> {
        let Ok(string) = CStr::from_bytes_until_nul(self.rest) else {
            return Err(self.error(field, Problem::Unterminated));
        };
        self.take(field, string.count_bytes() + 1)?;
        Ok(string.to_bytes())
    }

    /// A `String` of the protocol, which must be UTF-8.
    pub(super) fn string(&mut self, field: &'static str) -> Result<&'a str, Error> {
        let start = self.clone();
        let bytes = self.terminated(field)?;
        str::from_utf8(bytes).map_err(|_| start.error(field, Problem::NotUtf8))
    }

    /// A value with its length in front, -1 for SQL NULL.
    pub(super) fn nullable(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, Error> {
        let start = self.clone();
        match self.i32(field)? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(field, length).map(Some),
                Err(_) => Err(start.error(field, Problem::Value("a length of -1 or more"))),
            },
        }
    }

    /// A two-byte count of elements. Refused here if that many, `each` bytes at least, cannot be in what is left, so
    /// that a list may reserve for it.
    pub(super) fn count(&mut self, field: &'static str, each: usize) -> Result<usize, Error> {
        let count = usize::from(self.u16(field)?);
        let wanted = count.saturating_mul(each);
        if wanted > self.rest.len() {
            return Err(self.error(field, Problem::Short { wanted, left: self.rest.len() }));
        }
        Ok(count)
    }

    /// A counted list, read element by element.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        each: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = self.count(field, each)?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// A format code.
    pub(super) fn format(&mut self, field: &'static str) -> Result<Format, Error> {
        let start = self.clone();
        Format::from_code(self.u16(field)?).ok_or(start.error(field, Problem::Value("format code 0 or 1")))
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.error("end", Problem::Trailing { left })),
        }
    }

    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// An error at the field that comes next.
    pub(super) fn error(&self, field: &'static str, problem: Problem) -> Error {
        Error::Malformed { message: self.message, field, offset: self.offset, problem }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Error> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(field, Problem::Short { wanted: N, left: self.rest.len() }));
        };
        self.rest = rest;
        self.offset += N;
        Ok(*taken)
    }
}

/// Writes one message: the length is filled in at the end, and a message that fails leaves no trace.
pub(super) struct Writer<'a> {
    message: &'static str,
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    /// A whole message of type `tag` (`None` for the packets that have no type byte), its body written by `body`.
    pub(super) fn message(
        out: &'a mut BytesMut,
        message: &'static str,
        tag: Option<u8>,
        body: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        if let Some(tag) = tag {
            out.put_u8(tag);
        }
        let length_at = out.len();
        out.put_u32(0);
        let mut writer = Self { message, out };
        let result = body(&mut writer).and_then(|()| writer.fill_length(length_at));
        if result.is_err() {
            writer.out.truncate(start);
        }
        result
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.out.put_u16(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.out.put_u32(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.out.put_slice(value);
    }

    pub(super) fn string(&mut self, field: &'static str, value: &str) -> Result<(), EncodeError> {
        if value.bytes().any(|byte| byte == 0) {
            return Err(EncodeError::Nul { message: self.message, field });
        }
        self.out.put_slice(value.as_bytes());
        self.out.put_u8(0);
        Ok(())
    }

    pub(super) fn nullable(&mut self, field: &'static str, value: Option<&[u8]>) -> Result<(), EncodeError> {
        match value {
            None => self.i32(-1),
            Some(bytes) => {
                let length = i32::try_from(bytes.len()).map_err(|_| self.too_long(field))?;
                self.i32(length);
                self.bytes(bytes);
            }
        }
        Ok(())
    }

    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        list: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let count = u16::try_from(list.len()).map_err(|_| self.too_long(field))?;
        self.u16(count);
        list.iter().try_for_each(|element| write(self, element))
    }

    pub(super) fn formats(&mut self, field: &'static str, formats: &[Format]) -> Result<(), EncodeError> {
        self.list(field, formats, |writer, format| {
            writer.u16(format.code());
            Ok(())
        })
    }

    fn fill_length(&mut self, length_at: usize) -> Result<(), EncodeError> {
        let length = i32::try_from(self.out.len() - length_at).map_err(|_| self.too_long("length"))?;
        if let Some(place) = self.out.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    fn too_long(&self, field: &'static str) -> EncodeError {
        EncodeError::TooLong { message: self.message, field }
    }
}
