//! The writes of a captured session, asked again: every reply is the captured one, byte for byte.
//!
//! A service, prepare and a tree stand in for a standalone server; nothing else is needed to
//! answer a write. Reads are left out: they take no zxid.

mod golden_files;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use golden_files::{bytes, json_file, number, slice, text};
use quorate::base::{ConnId, Mono, Now, ServerId, Zxid};
use quorate::config::ServerConfig;
use quorate::database::Database;
use quorate::jute::client::op;
use quorate::pipeline::Request;
use quorate::pipeline::prepare::{Prepare, PrepareOptions, supports};
use quorate::server::{Input, Output, Service};
use quorate::session::SessionTracker;
use serde_json::Value;

const CONN: ConnId = ConnId(1);

/// A server of one, without disk and sockets.
struct Alone {
    service: Service,
    prepare: Prepare,
    sessions: SessionTracker,
    db: Database,
    zxid: Zxid,
    /// What the capture's server had on its clock, by zxid.
    times: BTreeMap<i64, i64>,
}

impl Alone {
    fn new(times: BTreeMap<i64, i64>) -> Alone {
        let mut config = ServerConfig::defaults(ServerId(0));
        config.extended_types = true;
        let mut service = Service::new(&config);
        service.serve();
        Alone {
            service,
            prepare: Prepare::new(PrepareOptions::of(&config)),
            sessions: SessionTracker::new(Duration::from_secs(3)),
            db: Database::empty(500),
            zxid: Zxid::ZERO,
            times,
        }
    }

    /// What the connection hears, and whether it was closed.
    fn step(&mut self, now: Now, input: Input) -> (Vec<Bytes>, bool) {
        let mut out = Vec::new();
        self.service.step(now, input, &mut self.db, &mut out);
        let (mut frames, mut closed) = (Vec::new(), false);
        while !out.is_empty() {
            for output in std::mem::take(&mut out) {
                match output {
                    Output::Write(_, frame) => frames.push(frame),
                    Output::Close(_) => closed = true,
                    Output::Submit(request) => self.carry_out(&request, &mut out),
                    _ => {}
                }
            }
        }
        (frames, closed)
    }

    fn carry_out(&mut self, request: &Request, out: &mut Vec<Output>) {
        self.zxid = self.zxid.next();
        let wall_ms = self.times.get(&self.zxid.0).copied().unwrap_or_default();
        let now = Now { mono: Mono(0), wall_ms };
        let (tree, sessions) = (self.db.tree(), &mut self.sessions);
        let proposal = self.prepare.prepare(request, self.zxid, now, tree, sessions);
        self.db.append(Rc::new(proposal));
        self.db.commit_to(self.zxid);
        let (proposal, applied) = self.db.apply_next().expect("it was committed just now");
        self.prepare.applied(self.zxid);
        if let Some(digest) = &proposal.digest {
            // The one known difference: Apache foretells a container for flag 4.
            assert_eq!(digest.tree_digest as u64, self.db.tree().digest(), "{proposal}");
        }
        self.service.on_applied(now, &proposal, &applied, &mut self.db, out);
    }
}

/// When each transaction was made, as far as a Stat in some reply tells.
fn times(value: &Value, found: &mut BTreeMap<i64, i64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| times(item, found)),
        Value::Object(fields) => {
            for (zxid, time) in [("czxid", "ctime"), ("mzxid", "mtime")] {
                if let (Some(zxid), Some(time)) = (fields.get(zxid), fields.get(time)) {
                    let zxid = zxid.as_str().and_then(|hex| hex.strip_prefix("0x"));
                    let zxid = u64::from_str_radix(zxid.expect("hex text"), 16);
                    found.insert(zxid.expect("hex text") as i64, time.as_i64().expect("a time"));
                }
            }
            fields.values().for_each(|item| times(item, found));
        }
        _ => {}
    }
}

#[test]
fn every_write_is_answered_as_a_real_zookeeper_answers_it() {
    let stream = bytes("client/3.9.3.bin");
    let index = json_file("client/3.9.3.json");
    let exchanges = index["exchanges"].as_array().expect("exchanges");
    let mut known_times = BTreeMap::new();
    times(&index["exchanges"], &mut known_times);
    let mut server = Alone::new(known_times);
    // The session's id comes from the first clock.
    let begin = Now { mono: Mono(0), wall_ms: 0x0072_dd10 };
    let peer = "127.0.0.1:4000".to_string();
    server.step(begin, Input::Accepted { conn: CONN, peer, subject: None });

    let mut compared = BTreeSet::new();
    for exchange in exchanges {
        // A second client comes when the writes are over.
        if number(exchange, "conn") != 1 {
            break;
        }
        let (request, name) = (&exchange["request"], text(exchange, "name"));
        let op = request["header"]["type"].as_i64();
        let op = op.map_or(op::CREATE_SESSION, |op| op as i32);
        // What auth proves decides over writes.
        if !supports(op) && op != op::AUTH {
            continue;
        }
        let body = slice(&stream, request).slice(4..);
        let (heard, closed) = server.step(begin, Input::Frame { conn: CONN, body });
        let said = exchange["replies"].as_array().expect("replies").iter();
        let said: Vec<Bytes> = said.map(|reply| slice(&stream, reply)).collect();
        assert_eq!(heard, said, "{name}");
        assert!(!closed, "{name}");
        compared.insert(op);
    }
    let every_write = [
        op::CLOSE_SESSION,
        op::CREATE_SESSION,
        op::CREATE,
        op::DELETE,
        op::SET_DATA,
        op::SET_ACL,
        op::MULTI,
        op::CREATE2,
        op::RECONFIG,
        op::CREATE_CONTAINER,
        op::DELETE_CONTAINER,
        op::CREATE_TTL,
    ];
    let never: Vec<i32> = every_write.into_iter().filter(|op| !compared.contains(op)).collect();
    assert_eq!(never, [op::CLOSE_SESSION], "it ends the second part of the capture");
}

#[test]
fn create_session_by_a_client_that_has_one_is_answered_like_a_connect_request() {
    let stream = bytes("client/3.9.3.bin");
    let index = json_file("client/3.9.3.json");
    let connect = &index["exchanges"][0];
    let mut server = Alone::new(BTreeMap::new());
    let begin = Now { mono: Mono(0), wall_ms: 0x0072_dd10 };
    let peer = "127.0.0.1:4000".to_string();
    server.step(begin, Input::Accepted { conn: CONN, peer, subject: None });
    let body = slice(&stream, &connect["request"]).slice(4..);
    let welcome = slice(&stream, &connect["replies"][0]);
    let mut ask = |body| server.step(begin, Input::Frame { conn: CONN, body });
    assert_eq!(ask(body), (vec![welcome.clone()], false));

    let request = |xid: i32, op: i32, rest: &[u8]| {
        Bytes::from([&xid.to_be_bytes(), &op.to_be_bytes(), rest].concat())
    };
    let again = ask(request(7, op::CREATE_SESSION, &9000_i32.to_be_bytes()));
    assert_eq!(again, (vec![welcome], false));
    // Without its record it is an error with a zxid of its own, as with no other operation.
    let (heard, closed) = ask(request(8, op::CREATE_SESSION, &[]));
    let refused = [0, 0, 0, 16, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3, 255, 255, 255, 251];
    assert_eq!((heard, closed), (vec![Bytes::copy_from_slice(&refused)], false));
    let (heard, closed) = ask(request(9, op::CLOSE_SESSION, &[]));
    assert_eq!((heard.len(), closed), (1, true));
}
