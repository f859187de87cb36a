//! Replies as they come: frames cut out of what a read brought, of which only the header is looked at.
//!
//!     length 4 | xid 4 | zxid 8 | err 4 | the record of the operation, which is passed over

use crate::jute::client::code;

const LENGTH: usize = 4;
const HEADER: usize = 16;
/// kind 4 | done 1 | err 4
const MULTI_HEADER: usize = 9;
/// A reply cannot be longer: nothing that the load asks for has an answer like that.
const REPLY_BYTES_MAX: usize = 256 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    pub(super) xid: i32,
    pub(super) err: i32,
    pub(super) body: &'a [u8],
}

/// What is no reply at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLength(pub(super) i32);

/// The next frame in front of `bytes`, and how many bytes it takes with its length; `None` while it is
/// not whole.
pub(super) fn cut(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, BadLength> {
    let Some(length) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    let end = match usize::try_from(length) {
        Ok(bytes) if bytes <= REPLY_BYTES_MAX => LENGTH + bytes,
        _ => return Err(BadLength(length)),
    };
    Ok(bytes.get(LENGTH..end).map(|frame| (frame, end)))
}

/// The session timeout that the answer to the first message grants: none without a session.
///
///     protocol 4 | timeout 4 | session 8 | password
pub(super) fn granted_timeout_ms(frame: &[u8]) -> i32 {
    if frame.len() < 8 { 0 } else { int(frame, 4) }
}

/// How many bytes the frame in front of `bytes` takes, as far as that is known.
pub(super) fn wanted(bytes: &[u8]) -> usize {
    let length = bytes.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    LENGTH + length.min(REPLY_BYTES_MAX)
}

/// The header of a frame; `None` if the frame is too short for one.
pub(super) fn reply(frame: &[u8]) -> Option<Reply<'_>> {
    let header = frame.first_chunk::<HEADER>()?;
    Some(Reply { xid: int(header, 0), err: int(header, 12), body: &frame[HEADER..] })
}

/// The int at an offset that lies inside.
fn int(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The error in the body of a multi's reply: a multi that failed answers 0 in its header, and an error
/// for each operation, of which one says why.
pub(super) fn multi_err(body: &[u8]) -> i32 {
    let mut first = None;
    let mut at = 0;
    while let Some(header) = body.get(at..).and_then(|rest| rest.first_chunk::<MULTI_HEADER>()) {
        let (kind, done, err) = (int(header, 0), header[4] != 0, int(header, 5));
        if kind != -1 || done {
            break;
        }
        if err != code::OK && err != code::RUNTIME_INCONSISTENCY {
            return err;
        }
        first = first.or(Some(err));
        // An error stands behind its header once more.
        at += MULTI_HEADER + 4;
    }
    first.unwrap_or(code::OK)
}

/// The number at the end of the path in a notification: the key of the node that changed.
pub(super) fn event_key(body: &[u8]) -> Option<u64> {
    let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = &body[body.len() - digits..];
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::Zxid;
    use crate::jute::Jute;
    use crate::jute::client::{ErrorResponse, MultiHeader, ReplyHeader, WatcherEvent, op};

    fn frame(header: &ReplyHeader, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        [&length.to_be_bytes()[..], &header.to_jute(), body].concat()
    }

    #[test]
    fn frames_are_cut_where_they_end() {
        let header = ReplyHeader { xid: 7, zxid: Zxid(3), err: -101 };
        let bytes = [frame(&header, b""), frame(&header, b"body")].concat();
        let (first, used) = cut(&bytes).expect("no bad length").expect("a whole frame");
        assert_eq!(reply(first), Some(Reply { xid: 7, err: -101, body: b"" }));
        let (second, end) = cut(&bytes[used..]).expect("no bad length").expect("a whole frame");
        assert_eq!(reply(second).map(|reply| reply.body), Some(&b"body"[..]));
        assert_eq!(used + end, bytes.len());
        for short in 0..used {
            assert_eq!(cut(&bytes[..short]), Ok(None), "{short} bytes");
        }
        assert_eq!(wanted(&bytes[used..used + 6]), end);
        assert_eq!(reply(&first[..15]), None);
        assert_eq!(cut(&(-1_i32).to_be_bytes()), Err(BadLength(-1)));
    }

    fn results(results: &[(i32, i32)]) -> Bytes {
        let mut body = Vec::new();
        for (kind, err) in results {
            MultiHeader { kind: *kind, done: false, err: *err }.encode(&mut body);
            if *kind == -1 {
                ErrorResponse { err: *err }.encode(&mut body);
            }
        }
        MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut body);
        body.into()
    }

    #[test]
    fn a_multi_that_failed_says_why_in_one_of_its_results() {
        assert_eq!(multi_err(&results(&[(op::SET_DATA, 0), (op::SET_DATA, 0)])), 0);
        assert_eq!(multi_err(&results(&[(-1, 0), (-1, -101), (-1, -2)])), -101);
        assert_eq!(multi_err(&results(&[(-1, -103), (-1, -2)])), -103);
    }

    #[test]
    fn an_event_has_the_key_at_its_end() {
        let event = WatcherEvent { kind: 3, state: 3, path: "/bench-12/0000345".into() };
        assert_eq!(event_key(&event.to_jute()), Some(345));
        let event = WatcherEvent { kind: -1, state: 3, path: "/a".into() };
        assert_eq!(event_key(&event.to_jute()), None);
    }
}
