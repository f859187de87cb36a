//! A 128-bit hash of a state that is the same for states which differ only in what is no state.
//!
//! A state is a value that serialises. It is written out in one form and that is hashed (XXH3), except:
//!
//!     left out   fields that decide nothing, such as counters for an operator
//!     renamed    ids that only have to differ: the first that is met is 0, the next one 1, ...
//!     times      those past are all one, those ahead count by their order, never is never
//!
//! So a state has one fingerprint whenever it is reached and however many connections there were
//! before. The price is that ages are lost: how long ago something was, and how far ahead a
//! deadline is. Which fields and which ids, the caller says ([`Rules`]); times are the type [`Mono`].
//!
//! Two states with one fingerprint are equal but for an accident: among n states the chance of one
//! is n^2 / 2^129.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{self, Serialize, Serializer};
use twox_hash::XxHash3_128;

use super::{Mono, Now};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What of a state is none, by the names of its types and fields.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A struct, and the fields that are left out; all of it if none is named.
    pub left_out: &'static [(&'static str, &'static [&'static str])],
    /// The types around a `u64` that are ids without meaning.
    pub renamed: &'static [&'static str],
}

impl Fingerprint {
    pub fn of(state: &impl Serialize, now: Now, rules: &Rules) -> Fingerprint {
        let mut form = Form {
            bytes: Vec::with_capacity(4096),
            times: Vec::new(),
            names: BTreeMap::new(),
            rules,
        };
        state.serialize(&mut form).expect("every sequence of a state knows its length");
        form.write_times(now.mono);
        Fingerprint(XxHash3_128::oneshot(&form.bytes))
    }
}

/// The form that is hashed. No two states have one form: what varies in length says its length.
struct Form<'r> {
    bytes: Vec<u8>,
    /// Every time that was met. They are written last, when all of them are known.
    times: Vec<Mono>,
    /// By the kind of id and the id.
    names: BTreeMap<(usize, u64), u64>,
    rules: &'r Rules,
}

impl Form<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn put_length(&mut self, length: Option<usize>) -> fmt::Result {
        self.put(&(length.ok_or(fmt::Error)? as u64).to_le_bytes());
        Ok(())
    }

    /// The number inside this value, which is not written.
    fn number_in(&mut self, value: &(impl Serialize + ?Sized)) -> Result<u64, fmt::Error> {
        let start = self.bytes.len();
        value.serialize(&mut *self)?;
        let number = self.bytes[start..].try_into().map_err(|_| fmt::Error)?;
        self.bytes.truncate(start);
        Ok(u64::from_le_bytes(number))
    }

    fn write_times(&mut self, now: Mono) {
        let times = std::mem::take(&mut self.times);
        let mut ahead: Vec<Mono> =
            times.iter().copied().filter(|time| *time > now && *time != Mono::FAR).collect();
        ahead.sort_unstable();
        ahead.dedup();
        for time in times {
            let place = match time {
                Mono::FAR => u32::MAX,
                _ => ahead.partition_point(|earlier| *earlier <= time) as u32,
            };
            self.put(&place.to_le_bytes());
        }
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty)*) => {$(
        fn $method(self, value: $type) -> fmt::Result {
            self.put(&value.to_le_bytes());
            Ok(())
        }
    )*};
}

impl<'a, 'r> Serializer for &'a mut Form<'r> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Fields<'a, 'r>;
    type SerializeStructVariant = Fields<'a, 'r>;

    numbers! {
        serialize_i8 i8  serialize_i16 i16  serialize_i32 i32  serialize_i64 i64  serialize_i128 i128
        serialize_u8 u8  serialize_u16 u16  serialize_u32 u32  serialize_u64 u64  serialize_u128 u128
        serialize_f32 f32  serialize_f64 f64
    }

    fn serialize_bool(self, value: bool) -> fmt::Result {
        self.serialize_u8(value.into())
    }

    fn serialize_char(self, value: char) -> fmt::Result {
        self.serialize_u32(value.into())
    }

    fn serialize_str(self, value: &str) -> fmt::Result {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> fmt::Result {
        self.put_length(Some(value.len()))?;
        self.put(value);
        Ok(())
    }

    fn serialize_none(self) -> fmt::Result {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        self.put(&[1]);
        value.serialize(self)
    }

    fn serialize_unit(self) -> fmt::Result {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> fmt::Result {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> fmt::Result {
        if name == "Mono" {
            let time = Mono(self.number_in(value)?);
            self.times.push(time);
            Ok(())
        } else if let Some(kind) = self.rules.renamed.iter().position(|renamed| *renamed == name) {
            let id = (kind, self.number_in(value)?);
            let next = self.names.len() as u64;
            let name = *self.names.entry(id).or_insert(next);
            self.serialize_u64(name)
        } else {
            value.serialize(self)
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.put(&index.to_le_bytes());
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, fmt::Error> {
        self.put_length(length)?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, fmt::Error> {
        self.put(&index.to_le_bytes());
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, fmt::Error> {
        self.put_length(length)?;
        Ok(self)
    }

    fn serialize_struct(self, of: &'static str, _: usize) -> Result<Fields<'a, 'r>, fmt::Error> {
        let left_out = self.rules.left_out.iter().find(|(name, _)| *name == of);
        Ok(Fields { form: self, left_out: left_out.map(|(_, fields)| *fields) })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a, 'r>, fmt::Error> {
        self.put(&index.to_le_bytes());
        Ok(Fields { form: self, left_out: None })
    }
}

/// The fields of a struct, and which of them are left out: all of them if the list is empty.
struct Fields<'a, 'r> {
    form: &'a mut Form<'r>,
    left_out: Option<&'static [&'static str]>,
}

impl Fields<'_, '_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> fmt::Result {
        match self.left_out {
            Some(names) if names.is_empty() || names.contains(&name) => Ok(()),
            _ => value.serialize(&mut *self.form),
        }
    }
}

macro_rules! parts {
    ($($of:ident $($method:ident)*;)*) => {$(
        impl ser::$of for &mut Form<'_> {
            type Ok = ();
            type Error = fmt::Error;

            $(fn $method<T: Serialize + ?Sized>(&mut self, part: &T) -> fmt::Result {
                part.serialize(&mut **self)
            })*

            fn end(self) -> fmt::Result {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
    SerializeMap serialize_key serialize_value;
}

macro_rules! fields {
    ($($of:ident)*) => {$(
        impl ser::$of for Fields<'_, '_> {
            type Ok = ();
            type Error = fmt::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> fmt::Result {
                self.field(name, value)
            }

            fn end(self) -> fmt::Result {
                Ok(())
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::base::{ConnId, LinkId, Zxid};

    const RULES: Rules = Rules {
        left_out: &[("Server", &["counted"]), ("Ignored", &[])],
        renamed: &["LinkId", "ConnId"],
    };

    fn of(state: impl Serialize) -> Fingerprint {
        at(100, state)
    }

    fn at(mono: u64, state: impl Serialize) -> Fingerprint {
        Fingerprint::of(&state, Now { mono: Mono(mono), wall_ms: 0 }, &RULES)
    }

    #[derive(Serialize)]
    struct Server {
        zxid: Zxid,
        counted: u64,
    }

    #[derive(Serialize)]
    struct Ignored {
        anything: u64,
    }

    #[test]
    fn what_is_left_out_makes_no_difference_and_all_else_does() {
        let server = |zxid, counted| Server { zxid: Zxid(zxid), counted };
        assert_eq!(of(server(1, 2)), of(server(1, 3)));
        assert_ne!(of(server(1, 2)), of(server(2, 2)));
        assert_eq!(of((Ignored { anything: 1 }, 5)), of((Ignored { anything: 2 }, 5)));
        assert_ne!(of((Ignored { anything: 1 }, 5)), of((Ignored { anything: 1 }, 6)));
    }

    #[test]
    fn ids_are_told_apart_and_nothing_else() {
        let links = |numbers: [u64; 3]| of(numbers.map(LinkId));
        assert_eq!(links([4, 9, 4]), links([1, 2, 1]));
        assert_ne!(links([4, 9, 4]), links([4, 9, 9]));
        assert_ne!(links([4, 9, 4]), links([4, 4, 4]));
        assert_eq!(of((LinkId(1), ConnId(1))), of((LinkId(7), ConnId(8))));
        assert_ne!(of(Zxid(1)), of(Zxid(2)), "a zxid is no id without meaning");
    }

    #[test]
    fn times_count_by_their_order_and_those_past_not_at_all() {
        let times = |times: [u64; 3]| of(times.map(Mono));
        assert_eq!(times([101, 300, 200]), times([1000, 5000, 1001]));
        assert_ne!(times([101, 300, 200]), times([101, 200, 300]));
        assert_ne!(times([101, 300, 200]), times([101, 300, 300]));
        assert_eq!(times([1, 100, 101]), times([100, 50, 500]), "100 is past already");
        assert_ne!(times([1, 100, 101]), times([1, 101, 102]));
        assert_ne!(of(Mono::FAR), of(Mono(200)), "never is not some day");
        assert_eq!(at(5, [Mono(1), Mono(9)]), at(1005, [Mono(1001), Mono(1009)]));
    }

    #[test]
    fn what_varies_in_length_is_not_mixed_up_with_what_follows() {
        assert_ne!(of(("ab", "c")), of(("a", "bc")));
        assert_ne!(of((vec![1_u8], vec![2_u8, 3])), of((vec![1_u8, 2], vec![3_u8])));
        assert_ne!(of((None::<u8>, Some(1_u8))), of((Some(1_u8), None::<u8>)));
        assert_ne!(of(Ok::<u8, u8>(1)), of(Err::<u8, u8>(1)));
        let map = |pairs: &[(u8, u8)]| of(pairs.iter().copied().collect::<BTreeMap<_, _>>());
        assert_ne!(map(&[(1, 2)]), map(&[(2, 1)]));
    }

    #[test]
    fn a_fingerprint_is_the_same_on_every_machine() {
        let state = (Zxid(7), "text", [LinkId(3)], Some(Mono(200)), 0.5);
        assert_eq!(format!("{:?}", of(state)), "e8cc97f2be66f6427a7b00f42f610c29");
    }
}
