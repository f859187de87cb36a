//! Every byte that clients and Apache ZooKeeper's servers sent each other, read and written again.

mod golden_files;

use std::collections::BTreeSet;

use bytes::Bytes;
use golden_files::{acl, buffer, bytes, hex, json_file, number, slice, stat, text};
use quorate::jute::client::{
    AuthPacket, CheckVersionRequest, ConnectRequest, ConnectResponse, Create2Response,
    CreateRequest, CreateResponse, CreateTtlRequest, DeleteRequest, GetAclResponse,
    GetChildren2Response, GetChildrenResponse, GetDataResponse, MultiHeader, PathRequest,
    PathWatchRequest, ReplyHeader, RequestHeader, SetAclRequest, SetDataRequest, SetWatches,
    StatResponse, WatcherEvent, op, op_name,
};
use quorate::jute::{DecodeError, Jute, Reader};
use serde_json::{Value, json};

/// What was read, in the words of the index, and the same written again.
type Again = (Value, Vec<u8>);

struct Frame {
    place: String,
    body: Bytes,
    entry: Value,
}

impl Frame {
    fn new(version: &str, stream: &Bytes, entry: &Value) -> Frame {
        let place = format!("{version} offset {} {}", entry["o"], entry["kind"]);
        let whole = slice(stream, entry);
        let mut from = Reader::new(whole);
        let length = from.int().unwrap_or_else(|e| panic!("{place}: {e}"));
        if entry["kind"] != "bad frame" {
            assert_eq!(length as usize, from.remaining(), "{place}: a frame is its length");
        }
        Frame { place, body: from.rest(), entry: entry.clone() }
    }

    /// Reads with `read`, and compares the bytes and the index's `body`.
    fn compare(&self, read: impl FnOnce(&mut Reader) -> Result<Again, DecodeError>) {
        let mut from = Reader::new(self.body.clone());
        let (said, again) = read(&mut from).unwrap_or_else(|e| panic!("{}: {e}", self.place));
        assert_eq!(from.remaining(), 0, "{}", self.place);
        assert_eq!(again, self.body, "{}", self.place);
        assert_eq!(said, self.entry, "{}", self.place);
    }

    /// The frame's head, and its body if the index has one.
    fn said(&self, head: Value, body: Option<Value>) -> Value {
        let mut said = self.entry.clone();
        if head != Value::Null {
            said["header"] = head;
        }
        if let Some(body) = body {
            said["body"] = body;
        }
        said
    }
}

/// All requests, or all replies and events, of both captures.
fn frames(replies: bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    for version in ["3.8.0", "3.9.3"] {
        let stream = bytes(&format!("client/{version}.bin"));
        let index = json_file(&format!("client/{version}.json"));
        for exchange in index["exchanges"].as_array().expect("exchanges") {
            let entries = match replies {
                true => exchange["replies"].as_array().cloned().unwrap_or_default(),
                false => exchange.get("request").cloned().into_iter().collect(),
            };
            let entries = entries.iter().filter(|entry| !entry.is_null());
            frames.extend(entries.map(|entry| Frame::new(version, &stream, entry)));
        }
    }
    assert!(frames.len() > 300, "only {} frames", frames.len());
    frames
}

fn again<T: Jute>(from: &mut Reader, said: impl FnOnce(&T) -> Value) -> Result<Again, DecodeError> {
    let record = T::decode(from)?;
    Ok((said(&record), record.to_jute()))
}

#[test]
fn every_request_is_written_as_it_was_read() {
    let mut compared = BTreeSet::new();
    for frame in frames(false) {
        match frame.entry["kind"].as_str() {
            Some("ConnectRequest") => frame.compare(|from| {
                let (body, bytes) = again(from, connect_request)?;
                Ok((frame.said(Value::Null, Some(body)), bytes))
            }),
            Some("bad frame") => {}
            _ if frame.entry["undecodable"] == true => compare_head(&frame),
            Some(name) => {
                let op = number(&frame.entry["header"], "type") as i32;
                if !name.starts_with("op ") {
                    assert_eq!(op_name(op), name, "{}", frame.place);
                }
                if !knows_request(op) {
                    compare_head(&frame);
                    continue;
                }
                frame.compare(|from| {
                    let header = RequestHeader::decode(from)?;
                    let mut bytes = header.to_jute();
                    let (body, rest) = request_body(op, from)?;
                    bytes.extend(rest);
                    Ok((frame.said(request_head(&header), Some(body)), bytes))
                });
                compared.insert(op);
            }
            None => panic!("{}: no kind", frame.place),
        }
    }
    assert_eq!(compared, BTreeSet::from(KNOWN_REQUESTS), "an operation was never captured");
}

const KNOWN_REQUESTS: [i32; 21] = [
    op::CREATE,
    op::DELETE,
    op::EXISTS,
    op::GET_DATA,
    op::SET_DATA,
    op::GET_ACL,
    op::SET_ACL,
    op::GET_CHILDREN,
    op::SYNC,
    op::PING,
    op::GET_CHILDREN2,
    op::CHECK,
    op::MULTI,
    op::CREATE2,
    op::CREATE_CONTAINER,
    op::CREATE_TTL,
    op::MULTI_READ,
    op::AUTH,
    op::SET_WATCHES,
    op::GET_ALL_CHILDREN_NUMBER,
    op::CLOSE_SESSION,
];

fn knows_request(op: i32) -> bool {
    KNOWN_REQUESTS.contains(&op)
}

fn compare_head(frame: &Frame) {
    let mut from = Reader::new(frame.body.clone());
    let header =
        RequestHeader::decode(&mut from).unwrap_or_else(|e| panic!("{}: {e}", frame.place));
    assert_eq!(header.to_jute(), frame.body[..8], "{}", frame.place);
    assert_eq!(request_head(&header), frame.entry["header"], "{}", frame.place);
}

fn request_head(header: &RequestHeader) -> Value {
    json!({ "xid": header.xid, "type": header.op })
}

fn connect_request(r: &ConnectRequest) -> Value {
    let mut said = json!({
        "protocolVersion": r.protocol_version, "lastZxidSeen": hex(r.last_zxid_seen.0),
        "timeOut": r.timeout_ms, "sessionId": hex(r.session.0), "passwd": buffer(&r.password),
    });
    if let Some(read_only) = r.read_only {
        said["readOnly"] = json!(read_only);
    }
    said
}

fn request_body(op: i32, from: &mut Reader) -> Result<Again, DecodeError> {
    match op {
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => again(from, |r: &CreateRequest| {
            json!({
                "path": r.path, "data": buffer(&r.data), "acl": acl(&r.acl), "flags": r.flags,
            })
        }),
        op::CREATE_TTL => again(from, |r: &CreateTtlRequest| {
            json!({
                "path": r.path, "data": buffer(&r.data), "acl": acl(&r.acl), "flags": r.flags,
                "ttl": r.ttl,
            })
        }),
        op::DELETE => {
            again(from, |r: &DeleteRequest| json!({ "path": r.path, "version": r.version }))
        }
        op::EXISTS | op::GET_DATA | op::GET_CHILDREN | op::GET_CHILDREN2 => {
            again(from, |r: &PathWatchRequest| json!({ "path": r.path, "watch": r.watch }))
        }
        op::GET_ACL | op::SYNC | op::GET_ALL_CHILDREN_NUMBER => {
            again(from, |r: &PathRequest| json!({ "path": r.path }))
        }
        op::SET_DATA => again(
            from,
            |r: &SetDataRequest| json!({ "path": r.path, "data": buffer(&r.data), "version": r.version }),
        ),
        op::SET_ACL => again(
            from,
            |r: &SetAclRequest| json!({ "path": r.path, "acl": acl(&r.acl), "version": r.version }),
        ),
        op::CHECK => {
            again(from, |r: &CheckVersionRequest| json!({ "path": r.path, "version": r.version }))
        }
        op::AUTH => again(
            from,
            |r: &AuthPacket| json!({ "type": r.kind, "scheme": r.scheme, "auth": buffer(&r.auth) }),
        ),
        op::SET_WATCHES => again(from, |r: &SetWatches| {
            json!({
                "relativeZxid": hex(r.relative_zxid.0), "dataWatches": r.data_watches,
                "existWatches": r.exist_watches, "childWatches": r.child_watches,
            })
        }),
        op::PING | op::CLOSE_SESSION => Ok((json!({}), Vec::new())),
        op::MULTI | op::MULTI_READ => multi(from, request_body),
        other => panic!("no record for {other}"),
    }
}

/// Entries until one that says `done`.
fn multi(
    from: &mut Reader,
    body: impl Fn(i32, &mut Reader) -> Result<Again, DecodeError>,
) -> Result<Again, DecodeError> {
    let (mut parts, mut bytes) = (Vec::new(), Vec::new());
    loop {
        let header = MultiHeader::decode(from)?;
        header.encode(&mut bytes);
        let head = json!({ "type": header.kind, "done": header.done, "err": header.err });
        if header.done {
            return Ok((json!({ "ops": parts, "end": head }), bytes));
        }
        let (body, rest) = body(header.kind, from)?;
        bytes.extend(rest);
        parts.push(json!({ "header": head, "body": body }));
    }
}

#[test]
fn every_reply_is_written_as_it_was_read() {
    let mut compared = BTreeSet::new();
    for frame in frames(true) {
        if frame.entry["kind"] == "ConnectResponse" {
            frame.compare(|from| {
                let (body, bytes) = again(from, connect_response)?;
                Ok((frame.said(Value::Null, Some(body)), bytes))
            });
            continue;
        }
        let record = match frame.entry["kind"].as_str() {
            Some("event") => "WatcherEvent",
            _ => frame.entry["record"].as_str().unwrap_or_default(),
        };
        let known = KNOWN_REPLIES.contains(&record);
        let mut from = Reader::new(frame.body.clone());
        let header =
            ReplyHeader::decode(&mut from).unwrap_or_else(|e| panic!("{}: {e}", frame.place));
        assert_eq!(header.to_jute(), frame.body[..16], "{}", frame.place);
        assert_eq!(reply_head(&header), frame.entry["header"], "{}", frame.place);
        if known {
            frame.compare(|from| {
                let header = ReplyHeader::decode(from)?;
                let mut bytes = header.to_jute();
                let (body, rest) = reply_body(record, from)?;
                bytes.extend(rest);
                Ok((frame.said(reply_head(&header), Some(body)), bytes))
            });
            compared.insert(record.to_owned());
        } else if record.is_empty() {
            assert_eq!(from.remaining(), 0, "{}: a header alone", frame.place);
        }
    }
    let known = KNOWN_REPLIES.iter().map(|name| name.to_string()).collect();
    assert_eq!(compared, known, "a record was never captured");
}

const KNOWN_REPLIES: [&str; 10] = [
    "CreateResponse",
    "Create2Response",
    "StatResponse",
    "GetDataResponse",
    "GetChildrenResponse",
    "GetChildren2Response",
    "GetACLResponse",
    "Path",
    "MultiResponse",
    "WatcherEvent",
];

fn reply_head(header: &ReplyHeader) -> Value {
    json!({ "xid": header.xid, "zxid": hex(header.zxid.0), "err": header.err })
}

fn connect_response(r: &ConnectResponse) -> Value {
    let mut said = json!({
        "protocolVersion": r.protocol_version, "timeOut": r.timeout_ms,
        "sessionId": hex(r.session.0), "passwd": buffer(&r.password),
    });
    if let Some(read_only) = r.read_only {
        said["readOnly"] = json!(read_only);
    }
    said
}

fn reply_body(record: &str, from: &mut Reader) -> Result<Again, DecodeError> {
    match record {
        "CreateResponse" => again(from, |r: &CreateResponse| json!({ "path": r.path })),
        "Create2Response" => {
            again(from, |r: &Create2Response| json!({ "path": r.path, "stat": stat(&r.stat) }))
        }
        "StatResponse" => again(from, |r: &StatResponse| json!({ "stat": stat(&r.stat) })),
        "GetDataResponse" => again(
            from,
            |r: &GetDataResponse| json!({ "data": buffer(&r.data), "stat": stat(&r.stat) }),
        ),
        "GetChildrenResponse" => {
            again(from, |r: &GetChildrenResponse| json!({ "children": r.children }))
        }
        "GetChildren2Response" => again(
            from,
            |r: &GetChildren2Response| json!({ "children": r.children, "stat": stat(&r.stat) }),
        ),
        "GetACLResponse" => again(
            from,
            |r: &GetAclResponse| json!({ "acl": acl(&Some(r.acl.clone())), "stat": stat(&r.stat) }),
        ),
        "Path" => again(from, |r: &PathRequest| json!({ "path": r.path })),
        "WatcherEvent" => again(
            from,
            |r: &WatcherEvent| json!({ "type": r.kind, "state": r.state, "path": r.path }),
        ),
        "MultiResponse" => multi(from, multi_result),
        other => panic!("no record for {other}"),
    }
}

/// The result of one entry of a multi; its type says which record it is, -1 is an error code.
fn multi_result(kind: i32, from: &mut Reader) -> Result<Again, DecodeError> {
    match kind {
        -1 => again(from, |err: &i32| json!({ "err": err })),
        op::CREATE => reply_body("CreateResponse", from),
        op::CREATE2 => reply_body("Create2Response", from),
        op::SET_DATA => reply_body("StatResponse", from),
        op::GET_DATA => reply_body("GetDataResponse", from),
        op::GET_CHILDREN => reply_body("GetChildrenResponse", from),
        _ => Ok((json!({}), Vec::new())),
    }
}

#[test]
fn a_frame_that_the_server_refused_is_refused_here() {
    let mut refused = 0;
    for frame in frames(false).iter().filter(|frame| frame.entry["undecodable"] == true) {
        let mut from = Reader::new(frame.body.clone());
        let header = RequestHeader::decode(&mut from).expect("the header is whole");
        match text(&frame.entry, "kind") {
            "create" => assert!(CreateRequest::decode(&mut from).is_err(), "{}", frame.place),
            // Apache answers this one: bytes behind a record are ignored.
            "exists" => {
                PathWatchRequest::decode(&mut from).expect("bytes behind a record do not matter");
                assert!(from.remaining() > 0, "{}", frame.place);
            }
            _ => continue,
        }
        assert!(knows_request(header.op));
        refused += 1;
    }
    assert_eq!(refused, 4);
}
