//! Writes canonical JSON straight into a buffer. Every event on the way to a target passes here, so members are put in
//! order as bytes; no tree of values is built.

use std::cmp::Ordering;
use std::fmt::Display;

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct,
    Serializer,
};

use smallvec::SmallVec;

use super::text::{write_integer, write_string};
use crate::error::Error;

/// Appends the canonical text of what is serialised.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

/// Why a value was refused.
#[derive(Debug)]
pub(super) struct Refused(pub(super) &'static str);

/// Items between brackets.
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

/// Members between braces, in the order they came until the object ends.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    /// Behind the opening brace.
    start: usize,
    members: SmallVec<[Member; MEMBERS_USUAL]>,
}

/// Where a member stands: its quoted name, and to the end of its value.
struct Member {
    /// How its name begins: most differ in that, and comparing it costs next to nothing.
    first_bytes: u64,
    start: usize,
    name_end: usize,
    end: usize,
}

impl<'a> Writer<'a> {
    fn items(self) -> Items<'a> {
        self.out.push(b'[');
        Items { out: self.out, first: true }
    }

    fn members(self) -> Members<'a> {
        self.out.push(b'{');
        Members { start: self.out.len(), out: self.out, members: SmallVec::new() }
    }
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Refused> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        item.serialize(Writer { out: self.out })
    }

    fn close(self) {
        self.out.push(b']');
    }
}

impl Members<'_> {
    fn name<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Refused> {
        if !self.members.is_empty() {
            self.out.push(b',');
        }
        let start = self.out.len();
        name.serialize(Writer { out: self.out })?;
        let text = self.out.get(start..).unwrap_or_default();
        // Without escapes the text sorts as the name does.
        if text.first() != Some(&b'"') || !text.is_ascii() || text.contains(&b'\\') {
            return Err(Refused("a member name is no plain ASCII text"));
        }
        self.push(start);
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.out.push(b':');
        value.serialize(Writer { out: self.out })?;
        if let Some(member) = self.members.last_mut() {
            member.end = self.out.len();
        }
        Ok(())
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            self.name(name)?;
            return self.value(value);
        }
        // As most are: nothing to escape, and nothing to look at again.
        if !self.members.is_empty() {
            self.out.push(b',');
        }
        let start = self.out.len();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
        self.push(start);
        self.value(value)
    }

    /// A member whose quoted name begins here, and is the last thing written.
    fn push(&mut self, start: usize) {
        let end = self.out.len();
        let mut member = Member { first_bytes: 0, start, name_end: end, end };
        member.first_bytes = first_bytes(name(self.out, &member));
        self.members.push(member);
    }

    /// Puts the members in order: for ASCII names, byte order is RFC 8785's order of UTF-16 code units.
    fn close(mut self) -> Result<(), Refused> {
        if !self.is_ordered() {
            self.put_in_order();
            if !self.is_ordered() {
                return Err(Refused("a member comes twice"));
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn is_ordered(&self) -> bool {
        self.members.is_sorted_by(|one, next| in_order(self.out, one, next) == Ordering::Less)
    }

    fn put_in_order(&mut self) {
        let out = &*self.out;
        self.members.sort_unstable_by(|one, other| in_order(out, one, other));
        // Behind what is there first, and then in its place.
        let unordered = self.start..self.out.len();
        for member in &mut self.members {
            if self.out.len() > unordered.end {
                self.out.push(b',');
            }
            let start = self.out.len().saturating_sub(unordered.len());
            self.out.extend_from_within(member.start..member.end);
            *member = member.moved_to(start);
        }
        self.out.drain(unordered);
    }
}

impl Member {
    fn moved_to(&self, start: usize) -> Self {
        let at = |position: usize| start.saturating_add(position.saturating_sub(self.start));
        Self { first_bytes: self.first_bytes, start, name_end: at(self.name_end), end: at(self.end) }
    }
}

/// A member's name without its quotes: compared with them, `"a"` would not come before `"a b"`.
fn name<'o>(out: &'o [u8], member: &Member) -> &'o [u8] {
    out.get(member.start.saturating_add(1)..member.name_end.saturating_sub(1)).unwrap_or_default()
}

/// As many of a name's bytes as fit, so that numbers compare as names do. A shorter name is filled up with zeros, which no
/// name holds.
fn first_bytes(name: &[u8]) -> u64 {
    let mut bytes = [0; size_of::<u64>()];
    bytes.iter_mut().zip(name).for_each(|(byte, of_name)| *byte = *of_name);
    u64::from_be_bytes(bytes)
}

fn in_order(out: &[u8], one: &Member, other: &Member) -> Ordering {
    one.first_bytes.cmp(&other.first_bytes).then_with(|| name(out, one).cmp(name(out, other)))
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Impossible<(), Refused>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Impossible<(), Refused>;

    fn serialize_bool(self, value: bool) -> Result<(), Refused> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Refused> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Refused> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Refused> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Refused> {
        write_integer(value < 0, value.unsigned_abs(), self.out)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Refused> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Refused> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Refused> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Refused> {
        write_integer(false, value, self.out)
    }

    fn serialize_f32(self, _: f32) -> Result<(), Refused> {
        Err(FLOAT)
    }

    fn serialize_f64(self, _: f64) -> Result<(), Refused> {
        Err(FLOAT)
    }

    fn serialize_char(self, value: char) -> Result<(), Refused> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Refused> {
        write_string(value, self.out);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Refused> {
        Err(Refused("bytes have no JSON form"))
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Refused> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Refused> {
        Err(VARIANT)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Refused> {
        Ok(self.items())
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Refused> {
        Ok(self.items())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Refused> {
        Ok(self.items())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Refused> {
        Err(VARIANT)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Refused> {
        Ok(self.members())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Refused> {
        Ok(self.members())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refused> {
        Err(VARIANT)
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.item(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.item(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.item(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.name(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.value(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close()
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close()
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

impl serde::ser::Error for Refused {
    fn custom<T: Display>(_: T) -> Self {
        Self("a value has no JSON form")
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Bug(refused.0)
    }
}

/// Members that most objects of evidence do not exceed.
const MEMBERS_USUAL: usize = 14;
const FLOAT: Refused = Refused("floating-point numbers have no canonical form here");
/// Kinds of evidence are told apart by a member, never by an object of one member.
const VARIANT: Refused = Refused("no kind of evidence has such a form");
