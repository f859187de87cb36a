//! Requests as bytes that are assembled once: only the xid and the keys change from one to the next.
//!
//!     length 4 | xid 4 | op 4 | path: length 4, ROOT/0000017 | what the operation has besides
//!                ^ patched              ^ patched, zero-padded decimal digits
//!
//! The digits of a key have a fixed width, so that no length ever changes.

use bytes::Bytes;

use crate::base::{SessionId, Zxid};
use crate::jute::Jute;
use crate::jute::client::{
    ConnectRequest, CreateRequest, DeleteRequest, MultiHeader, PathRequest, PathWatchRequest,
    RequestHeader, SetDataRequest, op, xid,
};
use crate::jute::data::{Acl, Id};

/// What stands in a path in place of a digit until the request is made. No path that a user gives has
/// it behind the root, and values are letters.
const DIGIT: char = '#';
const XID: usize = 4;
const EVERY_PERMISSION: i32 = 31;

/// The path of a node below the root: a fixed front and digits.
pub(super) fn path_of(root: &str, front: &str, digits: usize) -> String {
    let digits: String = std::iter::repeat_n(DIGIT, digits).collect();
    format!("{root}/{front}{digits}")
}

/// A request; see above.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where the digits of each key stand, and how many they are.
    keys: Vec<(usize, usize)>,
}

impl Template {
    pub(super) fn get(path: &str, watch: bool) -> Template {
        Template::new(op::GET_DATA, path, &PathWatchRequest { path: path.into(), watch })
    }

    pub(super) fn exists(path: &str) -> Template {
        Template::new(op::EXISTS, path, &PathWatchRequest { path: path.into(), watch: false })
    }

    pub(super) fn children(path: &str) -> Template {
        let request = PathWatchRequest { path: path.into(), watch: false };
        Template::new(op::GET_CHILDREN2, path, &request)
    }

    pub(super) fn sync(path: &str) -> Template {
        Template::new(op::SYNC, path, &PathRequest { path: path.into() })
    }

    pub(super) fn set(path: &str, value: &Bytes) -> Template {
        Template::new(op::SET_DATA, path, &set_request(path, value))
    }

    pub(super) fn create(path: &str, value: &Bytes) -> Template {
        let anyone = Id { scheme: "world".into(), id: "anyone".into() };
        let acl = Acl { perms: EVERY_PERMISSION, id: anyone };
        let request = CreateRequest {
            path: path.into(),
            data: Some(value.clone()),
            acl: Some(vec![acl]),
            flags: 0,
        };
        Template::new(op::CREATE, path, &request)
    }

    pub(super) fn delete(path: &str) -> Template {
        Template::new(op::DELETE, path, &DeleteRequest { path: path.into(), version: -1 })
    }

    /// One multi of so many setData.
    pub(super) fn multi(path: &str, value: &Bytes, sets: usize) -> Template {
        let mut body = Vec::new();
        for _ in 0..sets {
            MultiHeader { kind: op::SET_DATA, done: false, err: -1 }.encode(&mut body);
            set_request(path, value).encode(&mut body);
        }
        MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut body);
        Template::of_body(op::MULTI, path, &body)
    }

    fn new(op: i32, path: &str, request: &impl Jute) -> Template {
        Template::of_body(op, path, &request.to_jute())
    }

    fn of_body(op: i32, path: &str, body: &[u8]) -> Template {
        let mut bytes = framed(&RequestHeader { xid: 0, op }, body);
        let digits = runs_of_digits(path);
        let mut keys = Vec::new();
        let mut at = 0;
        // Each place of the path in the bytes: one, or as many as a multi has operations.
        while let Some(found) = bytes[at..].windows(path.len()).position(|w| w == path.as_bytes()) {
            let path_at = at + found;
            keys.extend(digits.iter().map(|(offset, width)| (path_at + offset, *width)));
            at = path_at + path.len();
        }
        for (at, width) in &keys {
            bytes[*at..at + width].fill(b'0');
        }
        Template { bytes, keys }
    }

    /// Appends the request with this xid. `key` says the next key, in the order of their places.
    pub(super) fn push(&self, xid: i32, out: &mut Vec<u8>, mut key: impl FnMut() -> u64) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let request = &mut out[start..];
        request[XID..XID + 4].copy_from_slice(&xid.to_be_bytes());
        for (at, width) in &self.keys {
            write_digits(&mut request[*at..at + width], key());
        }
    }
}

fn set_request(path: &str, value: &Bytes) -> SetDataRequest {
    SetDataRequest { path: path.into(), data: Some(value.clone()), version: -1 }
}

/// Offset and length of each run of digits in a path.
fn runs_of_digits(path: &str) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in path.match_indices(DIGIT) {
        match runs.last_mut() {
            Some((start, width)) if *start + *width == at => *width += 1,
            _ => runs.push((at, 1)),
        }
    }
    runs
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn framed(header: &impl Jute, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    header.encode(&mut bytes);
    bytes.extend_from_slice(body);
    let length = u32::try_from(bytes.len() - 4).expect("values have a limit far below 2 GiB");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The first message of a new session.
pub(super) fn connect(timeout_ms: i32) -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms,
        session: SessionId(0),
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    framed(&request, &[])
}

pub(super) fn ping() -> Vec<u8> {
    framed(&RequestHeader { xid: xid::PING, op: op::PING }, &[])
}

pub(super) fn close(xid: i32) -> Vec<u8> {
    framed(&RequestHeader { xid, op: op::CLOSE_SESSION }, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Reader;

    const ROOT: &str = "/bench";

    /// The header and what follows it.
    fn read(frame: &[u8]) -> (RequestHeader, Reader) {
        let length = u32::from_be_bytes(frame[..4].try_into().expect("four bytes"));
        assert_eq!(length as usize, frame.len() - 4);
        let mut reader = Reader::new(Bytes::copy_from_slice(&frame[4..]));
        (RequestHeader::decode(&mut reader).expect("a header"), reader)
    }

    #[test]
    fn a_request_is_what_the_codec_would_write() {
        let value = Bytes::from_static(b"abc");
        let set = Template::set(&path_of(ROOT, "", 7), &value);
        let mut out = b"before".to_vec();
        set.push(77, &mut out, || 1_234);
        let (header, mut reader) = read(&out[6..]);
        assert_eq!(header, RequestHeader { xid: 77, op: op::SET_DATA });
        let request = SetDataRequest::decode(&mut reader).expect("a request");
        assert_eq!(request, set_request("/bench/0001234", &value));
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn a_multi_has_a_key_for_each_of_its_operations() {
        let value = Bytes::from_static(b"v");
        let multi = Template::multi(&path_of(ROOT, "", 3), &value, 3);
        let mut out = Vec::new();
        let mut keys = [5, 70, 900].into_iter();
        multi.push(1, &mut out, || keys.next().expect("three keys"));
        let (_, mut reader) = read(&out);
        for path in ["/bench/005", "/bench/070", "/bench/900"] {
            let header = MultiHeader::decode(&mut reader).expect("a header");
            assert_eq!((header.kind, header.done), (op::SET_DATA, false));
            let request = SetDataRequest::decode(&mut reader).expect("a request");
            assert_eq!(request, set_request(path, &value));
        }
        assert!(MultiHeader::decode(&mut reader).expect("the end").done);
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn a_child_of_a_target_has_two_keys() {
        let path = format!("{}/{}", path_of(ROOT, "", 4), &path_of("", "", 2)[1..]);
        let delete = Template::delete(&path);
        let mut out = Vec::new();
        let mut keys = [12, 3].into_iter();
        delete.push(9, &mut out, || keys.next().expect("two keys"));
        let (_, mut reader) = read(&out);
        let request = DeleteRequest::decode(&mut reader).expect("a request");
        assert_eq!(request.path, "/bench/0012/03");
    }
}
