//! The superuser's connection to one server: says where zxids stand, and clears up.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use quorate::jute::client::{
    AuthPacket, ConnectRequest, DeleteRequest, GetChildrenResponse, PathWatchRequest,
    RequestHeader, SetAclRequest, op, xid,
};
use quorate::jute::data::{Acl, perms};
use quorate::jute::{Jute, Reader};

use crate::wire::{Heard, Line, is_event};

const PATIENCE: Duration = Duration::from_secs(20);
const REPLY_HEAD: usize = 16;

/// Nodes that every server has, and what everybody may do with them.
const SHARED: [(&str, i32); 4] = [
    ("/", perms::ALL),
    ("/zookeeper", perms::ALL),
    ("/zookeeper/quota", perms::ALL),
    ("/zookeeper/config", perms::READ),
];

pub(crate) struct Admin {
    address: SocketAddr,
    line: Line,
}

impl Admin {
    pub(crate) fn new(address: SocketAddr) -> Admin {
        Admin { address, line: greeted(address) }
    }

    /// Of the newest transaction.
    pub(crate) fn last_zxid(&mut self) -> i64 {
        let header = RequestHeader { xid: xid::PING, op: op::PING };
        let reply = self.call(&header.to_jute());
        i64::from_be_bytes(reply[4..12].try_into().expect("eight bytes"))
    }

    /// Deletes all that a stream has made, and gives the nodes that all streams share to all.
    pub(crate) fn clear_up(&mut self) {
        for (path, perms) in SHARED {
            let acl = Acl { perms, ..Acl::open().remove(0) };
            let record = SetAclRequest { path: path.into(), acl: Some(vec![acl]), version: -1 };
            self.ask(op::SET_ACL, &record);
        }
        for parent in ["/zookeeper/quota", ""] {
            for child in self.children(if parent.is_empty() { "/" } else { parent }) {
                if child != "zookeeper" {
                    self.delete(&format!("{parent}/{child}"));
                }
            }
        }
    }

    fn children(&mut self, path: &str) -> Vec<String> {
        let record = PathWatchRequest { path: path.into(), watch: false };
        let Some(body) = self.ask(op::GET_CHILDREN, &record) else { return Vec::new() };
        let listed = GetChildrenResponse::decode(&mut Reader::new(body));
        listed.map(|listed| listed.children).unwrap_or_default()
    }

    /// The whole subtree.
    fn delete(&mut self, path: &str) {
        for child in self.children(path) {
            self.delete(&format!("{path}/{child}"));
        }
        let record = DeleteRequest { path: path.into(), version: -1 };
        self.ask(op::DELETE, &record);
    }

    /// The record of the reply, if it is no error.
    fn ask(&mut self, op: i32, record: &impl Jute) -> Option<Bytes> {
        let mut body = RequestHeader { xid: 1, op }.to_jute();
        record.encode(&mut body);
        let reply = self.call(&body);
        (reply[12..16] == [0; 4]).then(|| reply.slice(REPLY_HEAD..))
    }

    fn call(&mut self, body: &[u8]) -> Bytes {
        // The session may have died of a shrinking that took long.
        for _ in 0..3 {
            self.line.send_frame(body);
            loop {
                match self.line.hear() {
                    Heard::Frame(frame) if is_event(&frame) => {}
                    Heard::Frame(frame) if frame.len() >= REPLY_HEAD => return frame,
                    _ => break,
                }
            }
            self.line = greeted(self.address);
        }
        panic!("{} does not answer its superuser", self.address);
    }
}

/// A session left behind would expire in the middle of another run.
impl Drop for Admin {
    fn drop(&mut self) {
        let header = RequestHeader { xid: 1, op: op::CLOSE_SESSION };
        self.line.send_frame(&header.to_jute());
        self.line.hear();
    }
}

fn greeted(address: SocketAddr) -> Line {
    let line = Line::open(address, PATIENCE);
    let mut line = line.unwrap_or_else(|error| panic!("no connection to {address}: {error}"));
    let password = Some(Bytes::from_static(&[0; 16]));
    let request = ConnectRequest { timeout_ms: 40_000, password, ..Default::default() };
    line.send_frame(&request.to_jute());
    let auth = Some(Bytes::from_static(b"super:test"));
    let auth = AuthPacket { kind: 0, scheme: "digest".into(), auth };
    let mut body = RequestHeader { xid: xid::AUTH, op: op::AUTH }.to_jute();
    auth.encode(&mut body);
    assert!(matches!(line.hear(), Heard::Frame(_)), "{address} gives no session");
    line.send_frame(&body);
    line.hear();
    line
}
