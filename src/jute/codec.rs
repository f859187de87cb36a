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
//! Java decodes malformed UTF-8 to U+FFFD instead of failing; so does this.

use bytes::Bytes;
use thiserror::Error;

use crate::base::limits::JUTE_FIELD_BYTES_MAX;

/// Why bytes are not the record they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("{wanted} bytes wanted at offset {offset}, {left} left")]
    Short { offset: usize, wanted: usize, left: usize },
    #[error("length {length} at offset {offset} is not between -1 and {max}")]
    Length { offset: usize, length: i32, max: usize },
    #[error("null where a value is needed, at offset {offset}")]
    Null { offset: usize },
    #[error("{what} {value} is not known")]
    Unknown { what: &'static str, value: i64 },
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
        if self.remaining() < len {
            return Err(DecodeError::Short {
                offset: self.pos,
                wanted: len,
                left: self.remaining(),
            });
        }
        let slice = self.buf.slice(self.pos..self.pos + len);
        self.pos += len;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let slice = self.bytes(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&slice);
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
            Ok(length) if length <= JUTE_FIELD_BYTES_MAX => Ok(Some(length)),
            _ if length == -1 => Ok(None),
            _ => Err(DecodeError::Length { offset, length, max: JUTE_FIELD_BYTES_MAX }),
        }
    }

    pub fn buffer(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.length()? {
            None => Ok(None),
            Some(length) => self.bytes(length).map(Some),
        }
    }

    pub fn ustring(&mut self) -> Result<Option<String>, DecodeError> {
        Ok(self.buffer()?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub fn vector<T: Jute>(&mut self) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length()? else { return Ok(None) };
        // What is left bounds the count, so that a lie costs no more memory than its bytes are worth.
        let count_max = self.remaining() / T::BYTES_MIN.max(1);
        let mut items = Vec::with_capacity(count.min(count_max));
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

    fn to_vec(&self) -> Vec<u8> {
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
        encode_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
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
        #[derive(Clone, Debug, PartialEq, Eq, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),* }

        impl $crate::jute::Jute for $name {
            const BYTES_MIN: usize = 0 $(+ <$type as $crate::jute::Jute>::BYTES_MIN)*;

            fn encode(&self, out: &mut Vec<u8>) {
                let _ = &out;
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
