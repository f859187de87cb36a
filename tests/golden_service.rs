//! The clients of a captured Apache ZooKeeper 3.9.3, served again: the same replies and events, byte
//! for byte and in the same order on each connection.
//!
//! Every read and every request about watches is sent as it was; so are create, delete, setData and
//! closeSession. Other writes are not sent: their transactions are applied as those of the capture,
//! so that zxids, times and nodes are the captured ones. What is proven by auth is left out.

mod golden_files;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use golden_files::{bytes, json_file, number, slice, text};
use quorate::base::{ConnId, Now, ServerId, SessionId, Zxid};
use quorate::config::ServerConfig;
use quorate::database::Database;
use quorate::jute::client::{
    CreateSessionRequest, ErrorResponse, GetChildren2Response, GetChildrenResponse,
    GetDataResponse, GetEphemeralsResponse, MultiHeader, ReplyHeader, op,
};
use quorate::jute::data::{Acl, Id};
use quorate::jute::txn::{
    CreateContainerTxn, CreateSessionTxn, CreateTtlTxn, CreateTxn, DeleteTxn, ErrorTxn, Proposal,
    SetAclTxn, SetDataTxn, Txn, TxnHeader,
};
use quorate::jute::{Jute, Reader};
use quorate::server::{Input, Output, Service};
use serde_json::Value;

/// The first session of the capture has an id that a server makes at this time.
const STARTED_MS: i64 = 0x72_dd10;
const WRITES_SENT: [&str; 4] = ["create", "delete", "setData", "closeSession"];
const WRITES_APPLIED: [&str; 7] =
    ["create2", "createContainer", "createTTL", "setACL", "multi", "deleteContainer", "reconfig"];
/// Answered by what auth has proven.
const LEFT_OUT: [&str; 5] = [
    "whoAmI digest",
    "getACL with ADMIN",
    "getACL of auth-scheme node",
    "whoAmI super",
    "whoAmI two digests",
];

struct Served {
    service: Service,
    db: Database,
    /// The wall clock of each transaction, as far as any Stat shows it.
    times: BTreeMap<i64, i64>,
    /// What each connection was sent and the capture has not been asked about yet.
    sent: BTreeMap<u64, VecDeque<Bytes>>,
    closed: BTreeSet<u64>,
    sessions: BTreeMap<u64, SessionId>,
}

fn now() -> Now {
    Now { wall_ms: STARTED_MS, ..Now::default() }
}

fn hex_number(value: &Value) -> i64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("hex text");
    u64::from_str_radix(digits, 16).expect("a hex number") as i64
}

impl Served {
    fn new(exchanges: &[Value]) -> Served {
        let mut config = ServerConfig::defaults(ServerId(1));
        config.session_timeout_min = Duration::from_secs(4);
        config.session_timeout_max = Duration::from_secs(40);
        let mut service = Service::new(&config);
        service.serve();
        let mut times = BTreeMap::new();
        exchanges.iter().for_each(|exchange| note_times(exchange, &mut times));
        Served {
            service,
            db: Database::empty(0),
            times,
            sent: BTreeMap::new(),
            closed: BTreeSet::new(),
            sessions: BTreeMap::new(),
        }
    }

    fn next_zxid(&self) -> Zxid {
        Zxid(self.db.last_applied().0 + 1)
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.service.step(now(), input, &mut self.db, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            let mut more = Vec::new();
            match output {
                Output::Write(conn, bytes) => self.sent.entry(conn.0).or_default().push_back(bytes),
                Output::Close(conn) => {
                    self.closed.insert(conn.0);
                }
                Output::Submit(request) if request.op == op::CREATE_SESSION => {
                    let asked = CreateSessionRequest::decode(&mut Reader::new(request.body));
                    let timeout = asked.expect("our own").timeout;
                    let txn = Txn::CreateSession(CreateSessionTxn { timeout });
                    self.apply(request.session, 0, self.next_zxid(), txn);
                }
                Output::Sync { conn, .. } => {
                    let reached = self.db.last_applied();
                    self.service.sync_done(now(), conn, reached, &mut self.db, &mut more);
                }
                Output::Revalidate { session, .. } => {
                    let valid = self.db.sessions().contains(session);
                    self.service.revalidated(now(), session, valid, &mut self.db, &mut more);
                }
                Output::Submit(_) | Output::Touch { .. } => {}
            }
            self.carry_out(more);
        }
    }

    fn apply(&mut self, client_id: SessionId, cxid: i32, zxid: Zxid, txn: Txn) {
        let time = self.times.get(&zxid.0).copied().unwrap_or_default();
        let header = TxnHeader { client_id, cxid, zxid, time, kind: txn_kind(&txn) };
        self.db.append(Rc::new(Proposal::new(header, txn, None)));
        self.db.commit_to(zxid);
        let (proposal, applied) = self.db.apply_next().expect("it was committed just now");
        let mut out = Vec::new();
        self.service.on_applied(now(), &proposal, &applied, &mut self.db, &mut out);
        self.carry_out(out);
    }

    /// Sends a request, or applies what it came to; false if it is left out.
    fn exchange(&mut self, conn: u64, frame: Bytes, exchange: &Value) -> bool {
        let request = &exchange["request"];
        let kind = text(request, "kind");
        if kind == "ConnectRequest" {
            let peer = format!("127.0.0.1:{}", 40_000 + conn);
            self.step(Input::Accepted { conn: ConnId(conn), peer, subject: None });
        }
        let left_out = LEFT_OUT.contains(&text(exchange, "name"));
        let applied = WRITES_APPLIED.contains(&kind);
        if left_out || matches!(kind, "auth" | "sasl" | "bad frame") {
            return false;
        }
        if !applied {
            self.step(Input::Frame { conn: ConnId(conn), body: frame.slice(4..) });
        }
        if kind == "ConnectRequest" {
            if let Some(reply) = exchange["replies"].get(0) {
                let session = SessionId(hex_number(&reply["body"]["sessionId"]));
                self.sessions.insert(conn, session);
            }
        } else if applied || (WRITES_SENT.contains(&kind) && !self.closed.contains(&conn)) {
            self.apply_written(conn, exchange);
        }
        !applied
    }

    /// What the capture's server made of a write.
    fn apply_written(&mut self, conn: u64, exchange: &Value) {
        let (request, replies) = (&exchange["request"], exchange["replies"].as_array());
        let reply = replies.and_then(|replies| replies.last()).expect("writes are answered");
        let zxid = Zxid(hex_number(&reply["header"]["zxid"]));
        if zxid == self.db.last_applied() {
            return; // It did not decode.
        }
        let cxid = number(&request["header"], "xid") as i32;
        let txn = match number(&reply["header"], "err") {
            0 => self.txn(text(request, "kind"), request, reply),
            err => Txn::Error(ErrorTxn { err: err as i32 }),
        };
        self.apply(self.sessions[&conn], cxid, zxid, txn);
    }

    fn txn(&self, kind: &str, request: &Value, reply: &Value) -> Txn {
        let (asked, said) = (&request["body"], &reply["body"]);
        let real_path = || text(said, "path").to_owned();
        let parent_cversion = || {
            let path = text(said, "path");
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            self.db.tree().view(parent).expect("a parent").stat.cversion + 1
        };
        let (data, acl) = (buffer(&asked["data"]), acl(&asked["acl"]));
        match kind {
            "create" | "create2" => Txn::Create(CreateTxn {
                path: real_path(),
                data,
                acl,
                ephemeral: matches!(number(asked, "flags"), 1 | 3),
                parent_cversion: parent_cversion(),
            }),
            "createContainer" => {
                let (path, parent_cversion) = (real_path(), parent_cversion());
                Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion })
            }
            "createTTL" => {
                let (path, parent_cversion) = (real_path(), parent_cversion());
                let ttl = number(asked, "ttl");
                Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl })
            }
            "delete" => Txn::Delete(DeleteTxn { path: text(asked, "path").into() }),
            "deleteContainer" => {
                let path = buffer(&asked["path"]).expect("a path").to_vec();
                Txn::Delete(DeleteTxn { path: String::from_utf8(path).expect("a path") })
            }
            "setData" => {
                let version = number(&said["stat"], "version") as i32;
                Txn::SetData(SetDataTxn { path: text(asked, "path").into(), data, version })
            }
            "setACL" => {
                let version = number(&said["stat"], "aversion") as i32;
                Txn::SetAcl(SetAclTxn { path: text(asked, "path").into(), acl, version })
            }
            "closeSession" => Txn::CloseSession(None),
            "multi" => self.multi(asked, said),
            other => panic!("no transaction of a {other}"),
        }
    }

    /// Its parts see each other: what one creates is a parent to the next. That holds here too, as
    /// a parent's cversion is taken as "one more" (-1) by whoever applies the part.
    fn multi(&self, asked: &Value, said: &Value) -> Txn {
        let ops = |of: &Value| of["ops"].as_array().cloned().unwrap_or_default();
        let mut parts = Vec::new();
        for (asked, said) in ops(asked).iter().zip(ops(said)) {
            let kind = number(&asked["header"], "type") as i32;
            let (body, result) = (&asked["body"], &said["body"]);
            if number(&said["header"], "type") == -1 {
                let err = number(&said["header"], "err") as i32;
                parts.push((-1, Txn::Error(ErrorTxn { err })));
                continue;
            }
            let path = || result["path"].as_str().unwrap_or(text(body, "path")).to_owned();
            let (data, acl, parent_cversion) = (buffer(&body["data"]), acl(&body["acl"]), -1);
            let txn = match kind {
                op::CREATE | op::CREATE2 => {
                    let ephemeral = matches!(number(body, "flags"), 1 | 3);
                    let path = path();
                    Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion })
                }
                op::CREATE_CONTAINER => {
                    let path = path();
                    Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion })
                }
                op::CREATE_TTL => {
                    let (path, ttl) = (path(), number(body, "ttl"));
                    Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl })
                }
                op::DELETE => Txn::Delete(DeleteTxn { path: path() }),
                op::SET_DATA => {
                    let version = number(&result["stat"], "version") as i32;
                    Txn::SetData(SetDataTxn { path: path(), data, version })
                }
                op::CHECK => continue,
                other => panic!("no transaction of a {other} in a multi"),
            };
            parts.push((kind, txn));
        }
        Txn::Multi(parts)
    }
}

/// Only a multi's type decides anything here.
fn txn_kind(txn: &Txn) -> i32 {
    match txn {
        Txn::Multi(_) => op::MULTI,
        Txn::CreateSession(_) => op::CREATE_SESSION,
        Txn::CloseSession(_) => op::CLOSE_SESSION,
        _ => op::SET_DATA,
    }
}

fn note_times(value: &Value, times: &mut BTreeMap<i64, i64>) {
    if value["czxid"].is_string() {
        times.insert(hex_number(&value["czxid"]), number(value, "ctime"));
        times.insert(hex_number(&value["mzxid"]), number(value, "mtime"));
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| note_times(item, times)),
        Value::Object(fields) => fields.values().for_each(|field| note_times(field, times)),
        _ => {}
    }
}

fn buffer(value: &Value) -> Option<Bytes> {
    let digits = value.as_str()?;
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    Some((0..digits.len()).step_by(2).map(byte).collect::<Vec<_>>().into())
}

fn acl(value: &Value) -> Option<Vec<Acl>> {
    let entry = |entry: &Value| Acl {
        perms: number(entry, "perms") as i32,
        id: Id { scheme: text(&entry["id"], "scheme").into(), id: text(&entry["id"], "id").into() },
    };
    Some(value.as_array()?.iter().map(entry).collect())
}

/// The reply with lists of names in order: Apache's come as its hash tables have them.
fn in_order(kind: &str, reply: &Bytes) -> Vec<u8> {
    let mut from = Reader::new(reply.slice(4..));
    let mut ordered = ReplyHeader::decode(&mut from).expect("a reply").to_jute();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    if from.remaining() == 0 {
        return ordered;
    }
    match kind {
        "getChildren" => {
            let names = GetChildrenResponse::decode(&mut from).expect("names").children;
            GetChildrenResponse { children: sorted(names) }.encode(&mut ordered);
        }
        "getChildren2" => {
            let GetChildren2Response { children, stat } = Jute::decode(&mut from).expect("names");
            GetChildren2Response { children: sorted(children), stat }.encode(&mut ordered);
        }
        "getEphemerals" => {
            let names = GetEphemeralsResponse::decode(&mut from).expect("paths").ephemerals;
            GetEphemeralsResponse { ephemerals: sorted(names) }.encode(&mut ordered);
        }
        "multiRead" => loop {
            let header = MultiHeader::decode(&mut from).expect("a result");
            header.encode(&mut ordered);
            match header.kind {
                _ if header.done => break,
                op::GET_DATA => {
                    GetDataResponse::decode(&mut from).expect("data").encode(&mut ordered);
                }
                op::GET_CHILDREN => {
                    let names = GetChildrenResponse::decode(&mut from).expect("names").children;
                    GetChildrenResponse { children: sorted(names) }.encode(&mut ordered);
                }
                _ => ErrorResponse::decode(&mut from).expect("an error").encode(&mut ordered),
            }
        },
        _ => {}
    }
    ordered.extend_from_slice(&from.rest());
    ordered
}

#[test]
fn the_clients_of_the_capture_get_the_same_replies_and_events() {
    let stream = bytes("client/3.9.3.bin");
    let index = json_file("client/3.9.3.json");
    let exchanges = index["exchanges"].as_array().expect("exchanges");
    let mut served = Served::new(exchanges);
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
    for exchange in exchanges {
        let name = text(exchange, "name");
        let conn = number(exchange, "conn") as u64;
        let request = &exchange["request"];
        let mut kind = "event";
        if !request.is_null() {
            kind = text(request, "kind");
            if !served.exchange(conn, slice(&stream, request), exchange) {
                continue;
            }
        }
        for reply in exchange["replies"].as_array().into_iter().flatten() {
            let what = format!("{name} on connection {conn}: {}", reply["kind"]);
            let expected = slice(&stream, reply);
            let sent = served.sent.entry(conn).or_default().pop_front();
            let sent = sent.unwrap_or_else(|| panic!("{what}: nothing was sent"));
            let kind = if reply["kind"] == "event" { "event" } else { kind };
            if matches!(kind, "getChildren" | "getChildren2" | "getEphemerals" | "multiRead") {
                assert_eq!(sent.len(), expected.len(), "{what}");
                assert_eq!(in_order(kind, &sent), in_order(kind, &expected), "{what}");
            } else {
                assert_eq!(sent, expected, "{what}");
            }
            *compared.entry(kind.to_owned()).or_default() += 1;
        }
        assert_eq!(served.sent.remove(&conn).unwrap_or_default(), VecDeque::new(), "{name}");
        // The capture did not wait for the end of a connection that was refused.
        if kind != "ConnectRequest" {
            let closed = exchange["closedByServer"] == true;
            assert_eq!(served.closed.contains(&conn), closed, "{name}: closed by the server");
        }
    }
    assert_eq!(served.sent.into_values().flatten().count(), 0, "more was sent than captured");
    for (kind, count) in [("event", 25), ("exists", 8), ("removeWatches", 5), ("multiRead", 3)] {
        assert!(compared[kind] >= count, "{kind}: {compared:?}");
    }
}
