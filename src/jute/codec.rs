//! Jute primitives: big-endian, no tags, no padding (BinaryInputArchive, BinaryOutputArchive).
//!
//! | type    | bytes                              | null      |
//! |---------|------------------------------------|-----------|
//! | int     | 4                                  |           |
//! | long    | 8                                  |           |
//! | boolean | 1; anything but 0 reads as true    |           |
//! | ustring | int length, UTF-8                  | length -1 |
//! | buffer  | int length, bytes                  | length -1 |
//! | vector  | int count, elements                | count -1  |
//!
//! Nothing is longer than what it stands in: whoever reads a frame or a file bounds that.
//!
//! Text is read and written as Java does it (`text.rs`): malformed UTF-8 becomes U+FFFD.

use bytes::Bytes;
use thiserror::Error;

use super::text::{is_written_as_it_is, text_of, write_text, written_length};

/// Why bytes are not the record they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("{wanted} bytes wanted at offset {offset}, {left} left")]
    Short { offset: usize, wanted: usize, left: usize },
    #[error("length {length} at offset {offset} is less than -1")]
    Length { offset: usize, length: i32 },
    #[error("null where a value is needed, at offset {offset}")]
    Null { offset: usize },
    #[error("{what} {value} is not known")]
    Unknown { what: &'static str, value: i64 },
}

impl DecodeError {
    pub fn offset(&self) -> Option<usize> {
        match self {
            DecodeError::Short { offset, .. }
            | DecodeError::Length { offset, .. }
            | DecodeError::Null { offset } => Some(*offset),
            DecodeError::Unknown { .. } => None,
        }
    }

    /// Of bytes that began there.
    pub fn moved(self, by: usize) -> DecodeError {
        match self {
            DecodeError::Short { offset, wanted, left } => {
                DecodeError::Short { offset: offset + by, wanted, left }
            }
            DecodeError::Length { offset, length } => {
                DecodeError::Length { offset: offset + by, length }
            }
            DecodeError::Null { offset } => DecodeError::Null { offset: offset + by },
            DecodeError::Unknown { .. } => self,
        }
    }
}

/// Reads records from a buffer; buffers inside are slices of it, not copies.
#[derive(Clone, Debug)]
pub struct Reader {
    buf: Bytes,
    pos: usize,
}

impl Reader {
    pub fn new(buf: Bytes) -> Reader {
        Reader { buf, pos: 0 }
    }

    pub fn position(&self) -> usize {
        self.pos
    }

    pub fn remaining(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// What is left, without reading it.
    pub fn rest(&self) -> Bytes {
        self.buf.slice(self.pos..)
    }

    pub fn bytes(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        let at = self.advance(len)?;
        Ok(self.buf.slice(at..at + len))
    }

    /// Passes over `known` if that comes next.
    pub(super) fn pass(&mut self, known: &[u8]) -> bool {
        let is_next = self.buf[self.pos..].starts_with(known);
        self.pos += if is_next { known.len() } else { 0 };
        is_next
    }

    /// What was read since that position.
    pub(super) fn since(&self, position: usize) -> &[u8] {
        &self.buf[position..self.pos]
    }

    /// Passes over the next bytes, if so many are left; where they begin.
    fn advance(&mut self, len: usize) -> Result<usize, DecodeError> {
        let (at, left) = (self.pos, self.remaining());
        if left < len {
            return Err(DecodeError::Short { offset: at, wanted: len, left });
        }
        self.pos += len;
        Ok(at)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let at = self.advance(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.buf[at..at + N]);
        Ok(array)
    }

    pub fn int(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn long(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        Ok(self.array::<1>()?[0] != 0)
    }

    /// A length or count: `None` for -1.
    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        let offset = self.pos;
        let length = self.int()?;
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(DecodeError::Length { offset, length }),
        }
    }

    pub fn buffer(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.length()? {
            None => Ok(None),
            Some(length) => self.bytes(length).map(Some),
        }
    }

    pub fn ustring(&mut self) -> Result<Option<String>, DecodeError> {
        let Some(length) = self.length()? else { return Ok(None) };
        let at = self.advance(length)?;
        Ok(Some(text_of(&self.buf[at..at + length])))
    }

    /// How many elements what is left can hold: a count that lies costs no memory.
    fn count_max<T: Jute>(&self) -> usize {
        self.remaining() / T::BYTES_MIN.max(1)
    }

    pub fn vector<T: Jute>(&mut self) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length()? else { return Ok(None) };
        let mut items = Vec::with_capacity(count.min(self.count_max::<T>()));
        for _ in 0..count {
            items.push(T::decode(self)?);
        }
        Ok(Some(items))
    }
}

/// A value with a jute encoding.
pub trait Jute: Sized {
    /// The shortest encoding.
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>);
    fn decode(from: &mut Reader) -> Result<Self, DecodeError>;

    fn to_jute(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

macro_rules! primitive {
    ($type:ty, $bytes:literal, $read:ident, |$value:ident, $out:ident| $write:expr) => {
        impl Jute for $type {
            const BYTES_MIN: usize = $bytes;

            fn encode(&self, $out: &mut Vec<u8>) {
                let $value = self;
                $write
            }
            fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
                from.$read()
            }
        }
    };
}

primitive!(i32, 4, int, |v, out| out.extend_from_slice(&v.to_be_bytes()));
primitive!(i64, 8, long, |v, out| out.extend_from_slice(&v.to_be_bytes()));
primitive!(bool, 1, boolean, |v, out| out.push(u8::from(*v)));

/// Bytes of a text behind its length.
pub fn text_bytes(text: &str) -> usize {
    written_length(text)
}

/// A `ustring` that is not a `String`.
pub fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_length(written_length(text), out);
    write_text(text, out);
}

/// [`encode_text`] of what is known to be UTF-8: nearly every text is written as it is.
pub fn encode_utf8(text: &[u8], out: &mut Vec<u8>) {
    match is_written_as_it_is(text) {
        true => encode_buffer(Some(text), out),
        false => encode_text(&text_of(text), out),
    }
}

/// A `buffer` that is not `Bytes`.
pub fn encode_buffer(buffer: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(bytes) = buffer else { return (-1).encode(out) };
    encode_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    let length = i32::try_from(length).expect("a field is far below 2 GiB");
    out.extend_from_slice(&length.to_be_bytes());
}

impl Jute for Option<Bytes> {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).encode(out),
            Some(bytes) => bytes.encode(out),
        }
    }
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        from.buffer()
    }
}

impl Jute for Option<String> {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).encode(out),
            Some(text) => text.encode(out),
        }
    }
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        from.ustring()
    }
}

/// A buffer that is never null.
impl Jute for Bytes {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.len(), out);
        out.extend_from_slice(self);
    }
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        let offset = from.position();
        from.buffer()?.ok_or(DecodeError::Null { offset })
    }
}

impl Jute for String {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        encode_text(self, out);
    }
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        let offset = from.position();
        from.ustring()?.ok_or(DecodeError::Null { offset })
    }
}

impl<T: Jute> Jute for Vec<T> {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.len(), out);
        for item in self {
            item.encode(out);
        }
    }
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        let offset = from.position();
        from.vector()?.ok_or(DecodeError::Null { offset })
    }
}

impl<T: Jute> Jute for Option<Vec<T>> {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).encode(out),
            Some(items) => items.encode(out),
        }
    }
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        from.vector()
    }
}

/// Defines records: fields in wire order, one after another.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),* }

        impl $crate::jute::Jute for $name {
            const BYTES_MIN: usize = 0 $(+ <$type as $crate::jute::Jute>::BYTES_MIN)*;

            fn encode(&self, out: &mut Vec<u8>) {
                // Once, instead of field by field.
                out.reserve(<Self as $crate::jute::Jute>::BYTES_MIN);
                $($crate::jute::Jute::encode(&self.$field, out);)*
            }
            fn decode(from: &mut $crate::jute::Reader) -> Result<Self, $crate::jute::DecodeError> {
                let _ = &from;
                Ok($name { $($field: $crate::jute::Jute::decode(from)?),* })
            }
        }
    )*};
}
pub(crate) use records;

macro_rules! id_record {
    ($($id:ty),*) => {$(
        impl Jute for $id {
            const BYTES_MIN: usize = 8;

            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
            fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
                Ok(Self(from.long()?))
            }
        }
    )*};
}
id_record!(crate::base::Zxid, crate::base::SessionId, crate::base::ServerId, crate::base::Epoch);

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8]) -> Reader {
        Reader::new(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn nulls_are_minus_one_and_differ_from_empty() {
        assert_eq!(None::<Bytes>.to_jute(), [255, 255, 255, 255]);
        assert_eq!(Some(Bytes::new()).to_jute(), [0, 0, 0, 0]);
        assert_eq!(reader(&[255; 4]).buffer(), Ok(None));
        assert_eq!(reader(&[0; 4]).buffer(), Ok(Some(Bytes::new())));
        assert_eq!(reader(&[255; 4]).vector::<i32>(), Ok(None));
        assert_eq!(reader(&[0; 4]).vector::<i32>(), Ok(Some(Vec::new())));
        assert_eq!(String::decode(&mut reader(&[255; 4])), Err(DecodeError::Null { offset: 0 }));
    }

    #[test]
    fn text_that_is_known_to_be_utf8_is_written_as_any_other() {
        for text in ["", "a", "\u{e4}\u{ffff}", "a\u{1f600}b"] {
            let (mut as_text, mut as_utf8) = (Vec::new(), Vec::new());
            encode_text(text, &mut as_text);
            encode_utf8(text.as_bytes(), &mut as_utf8);
            assert_eq!(as_utf8, as_text, "{text}");
        }
    }

    #[test]
    fn any_byte_but_zero_reads_as_true() {
        assert_eq!(reader(&[0]).boolean(), Ok(false));
        assert_eq!(reader(&[1]).boolean(), Ok(true));
        assert_eq!(reader(&[7]).boolean(), Ok(true));
    }

    #[test]
    fn malformed_utf8_reads_as_replacement_characters() {
        assert_eq!(reader(&[0, 0, 0, 2, b'a', 0xff]).ustring(), Ok(Some("a\u{fffd}".into())));
    }

    #[test]
    fn a_length_past_the_end_is_short() {
        let error = DecodeError::Short { offset: 4, wanted: 5, left: 2 };
        assert_eq!(reader(&[0, 0, 0, 5, 1, 2]).buffer(), Err(error));
    }

    #[test]
    fn a_length_below_minus_one_is_refused() {
        for length in [-2, i32::MIN] {
            let refused = Err(DecodeError::Length { offset: 0, length });
            assert_eq!(reader(&length.to_be_bytes()).buffer(), refused);
            assert_eq!(reader(&length.to_be_bytes()).vector::<i32>().map(|_| None), refused);
        }
        let longest = reader(&i32::MAX.to_be_bytes()).buffer();
        let wanted = i32::MAX as usize;
        assert_eq!(longest, Err(DecodeError::Short { offset: 4, wanted, left: 0 }));
    }

    #[test]
    fn a_count_is_worth_no_more_memory_than_the_bytes_behind_it() {
        assert_eq!(reader(&[0; 40]).count_max::<i64>(), 5);
        assert_eq!(reader(&[0; 40]).count_max::<crate::jute::data::Acl>(), 3);
        let mut lie = reader(&[0, 31, 0, 0, 0, 0, 0, 1]);
        assert_eq!(lie.vector::<i32>(), Err(DecodeError::Short { offset: 8, wanted: 4, left: 0 }));
    }

    #[test]
    fn a_buffer_inside_a_record_is_a_slice_of_it() {
        let whole = Bytes::copy_from_slice(&[0, 0, 0, 3, 1, 2, 3]);
        let inside = Reader::new(whole.clone()).buffer().expect("three bytes").expect("not null");
        assert_eq!(inside.as_ptr(), whole[4..].as_ptr());
    }
}
