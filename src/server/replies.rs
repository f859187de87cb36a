//! Frames for clients.

use bytes::Bytes;

use super::watches::Fired;
use crate::base::{SessionId, Zxid};
use crate::jute::Jute;
use crate::jute::client::{
    ConnectResponse, Create2Response, CreateResponse, ErrorResponse, MultiHeader, ReplyHeader,
    StatResponse, WatcherEvent, code, event, op, xid,
};
use crate::jute::txn::kind;
use crate::session::password;
use crate::tree::Outcome;

/// A frame with its length.
pub(super) fn frame(record: &impl Jute, body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(20 + body.len());
    out.extend_from_slice(&[0; 4]);
    record.encode(&mut out);
    out.extend_from_slice(body);
    let length = (out.len() - 4) as i32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out.into()
}

/// A reply; the body stands only where there is no error.
pub(super) fn reply(xid: i32, zxid: Zxid, result: Result<Vec<u8>, i32>) -> Bytes {
    match result {
        Ok(body) => frame(&ReplyHeader { xid, zxid, err: code::OK }, &body),
        Err(err) => frame(&ReplyHeader { xid, zxid, err }, &[]),
    }
}

/// A session that is open. `read_only`: what the client is told of it, if it asked.
pub(super) fn connected(session: SessionId, timeout_ms: i32, read_only: Option<bool>) -> Bytes {
    let password = Some(Bytes::copy_from_slice(&password(session)));
    let response =
        ConnectResponse { protocol_version: 0, timeout_ms, session, password, read_only };
    frame(&response, &[])
}

/// A session that is not (or no longer) alive: timeout 0, id 0, an empty password. `read_only` is
/// what the client is told of it, if it asked.
pub(super) fn refused(read_only: Option<bool>) -> Bytes {
    let password = Some(Bytes::from_static(&[0; 16]));
    frame(&ConnectResponse { password, read_only, ..ConnectResponse::default() }, &[])
}

pub(super) fn watch_event(fired: &Fired) -> Bytes {
    let header = ReplyHeader { xid: xid::NOTIFICATION, zxid: fired.zxid, err: 0 };
    let body = WatcherEvent {
        kind: fired.kind,
        state: event::STATE_SYNC_CONNECTED,
        path: fired.path.to_string(),
    };
    frame(&header, &body.to_jute())
}

/// The body of a write's reply, from what applying it gave.
pub(super) fn write_body(op: i32, outcome: &Outcome) -> Result<Vec<u8>, i32> {
    if outcome.err != code::OK {
        return Err(outcome.err);
    }
    let path = || outcome.path.clone().unwrap_or_default();
    let stat = || outcome.stat.clone().unwrap_or_default();
    Ok(match op {
        op::CREATE => CreateResponse { path: path() }.to_jute(),
        op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
            Create2Response { path: path(), stat: stat() }.to_jute()
        }
        op::SET_DATA | op::SET_ACL => StatResponse { stat: stat() }.to_jute(),
        op::MULTI => multi_body(&outcome.multi),
        _ => Vec::new(),
    })
}

/// One result after another, each behind a header. Whatever makes a node and answers its Stat is
/// labelled create2. (MultiResponse)
fn multi_body(parts: &[(i32, Outcome)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, outcome) in parts {
        let label = match *kind {
            op::CREATE_CONTAINER | op::CREATE_TTL => op::CREATE2,
            kind => kind,
        };
        match write_body(label, outcome) {
            Ok(body) if label != kind::ERROR => {
                MultiHeader { kind: label, done: false, err: code::OK }.encode(&mut out);
                out.extend_from_slice(&body);
            }
            result => {
                // Also where nothing is wrong with a part: another one failed.
                let err = result.err().unwrap_or(code::OK);
                MultiHeader { kind: kind::ERROR, done: false, err }.encode(&mut out);
                ErrorResponse { err }.encode(&mut out);
            }
        }
    }
    MultiHeader { kind: kind::ERROR, done: true, err: -1 }.encode(&mut out);
    out
}
