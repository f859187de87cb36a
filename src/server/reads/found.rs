//! What a read has found: how long its reply is, before a byte of it is made. (RD-1)
//!
//! Nothing is copied here until `into_reply`: a client that asks for much, and for much again, has
//! it counted against what it may have on the way, and is told where it is too much.

use bytes::Bytes;

use crate::base::{ConnId, Zxid};
use crate::database::Database;
use crate::jute::client::{MultiHeader, ReplyHeader, SetWatches2, code};
use crate::jute::data::{Id, Stat};
use crate::jute::{Jute, encode_buffer, encode_text, encode_utf8, text_bytes};
use crate::server::watches::{Fired, WatchKind, WatcherType, Watches};
use crate::tree::{AclList, ChildNames, Ephemerals};

/// Length, xid, zxid, code.
const HEADER_BYTES: usize = 4 + 16;
const STAT_BYTES: usize = 68;
const MULTI_HEADER_BYTES: usize = 9;

/// The reply of a read, and what else it does.
#[derive(Debug)]
pub(in crate::server) struct Found<'a> {
    /// A reply code.
    err: i32,
    body: Body<'a>,
    effect: Effect,
}

/// The record of a reply.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Empty,
    Number(i32),
    Text(Option<String>),
    Stat(Stat),
    Data(Option<&'a [u8]>, Stat),
    Children(ChildNames<'a>),
    Children2(ChildNames<'a>, Stat),
    /// With the hashes of digests hidden, or not.
    Acl(AclList, bool, Stat),
    Ephemerals(Ephemerals<'a>),
    /// Who one is: a record that is made, since there are few identities.
    Made(Vec<u8>),
    Multi(Vec<Part<'a>>),
}

/// The type of one operation of a multiRead, and its result.
pub(super) type Part<'a> = (i32, Result<Body<'a>, i32>);

/// What a request does to the watches of its connection when it is answered.
#[derive(Debug)]
pub(super) enum Effect {
    Nothing,
    Watch(WatchKind, String),
    Persistent(String),
    Recursive(String),
    Remove(String, WatcherType),
    /// With the bytes of the events that leave before the reply.
    Set(Box<SetWatches2>, usize),
}

impl<'a> Found<'a> {
    pub(super) fn new(result: Result<Body<'a>, i32>, effect: Effect) -> Found<'a> {
        match result {
            Ok(body) => Found { err: code::OK, body, effect },
            Err(err) => Found { err, body: Body::Empty, effect },
        }
    }

    /// Of a multiRead. Unlike other errors, its have a body.
    pub(super) fn of_parts(err: i32, parts: Vec<Part<'a>>) -> Found<'a> {
        Found { err, body: Body::Multi(parts), effect: Effect::Nothing }
    }

    pub(super) fn failed(err: i32) -> Found<'a> {
        Found::new(Err(err), Effect::Nothing)
    }

    /// Bytes of the reply with its length, and of the events before it.
    pub(in crate::server) fn bytes(&self) -> usize {
        let events = match self.effect {
            Effect::Set(_, events) => events,
            _ => 0,
        };
        HEADER_BYTES.saturating_add(self.body.bytes()).saturating_add(events)
    }

    /// Carries it out: the events that leave before the reply, and the reply.
    pub(in crate::server) fn into_reply(
        self,
        conn: ConnId,
        xid: i32,
        zxid: Zxid,
        db: &Database,
        watches: &mut Watches,
    ) -> (Vec<Fired>, Bytes) {
        let length = HEADER_BYTES + self.body.bytes();
        let mut out = Vec::with_capacity(length);
        ((length - 4) as i32).encode(&mut out);
        ReplyHeader { xid, zxid, err: self.err }.encode(&mut out);
        self.body.encode(&mut out);
        assert_eq!(out.len(), length, "RD-1: {self:?}");
        (self.effect.happen(conn, db, watches), out.into())
    }
}

impl Effect {
    fn happen(self, conn: ConnId, db: &Database, watches: &mut Watches) -> Vec<Fired> {
        match self {
            Effect::Nothing => {}
            Effect::Watch(kind, path) => watches.add(kind, &path, conn),
            Effect::Persistent(path) => watches.add_persistent(&path, conn),
            Effect::Recursive(path) => watches.add_recursive(&path, conn),
            Effect::Remove(path, what) => _ = watches.remove(&path, conn, what),
            Effect::Set(request, _) => return watches.set_watches(conn, &request, db.tree()),
        }
        Vec::new()
    }
}

impl Body<'_> {
    /// Of the record. Looks at the names of children no more than at data.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &str| 4 + text_bytes(text);
        match self {
            Body::Empty => 0,
            Body::Number(_) => 4,
            Body::Text(said) => 4 + said.as_deref().map_or(0, text_bytes),
            Body::Stat(_) => STAT_BYTES,
            Body::Data(data, _) => 4 + data.map_or(0, <[u8]>::len) + STAT_BYTES,
            Body::Children(names) => names_bytes(*names),
            Body::Children2(names, _) => names_bytes(*names) + STAT_BYTES,
            Body::Acl(list, hides, _) => {
                let id = |id: &Id| match hides_hash(*hides, id) {
                    true => text(&shown(id)),
                    false => text(&id.id),
                };
                let entry = |of: &Id| 4 + text(&of.scheme) + id(of);
                4 + list.iter().map(|acl| entry(&acl.id)).sum::<usize>() + STAT_BYTES
            }
            Body::Ephemerals(paths) => 4 + paths.iter().map(text).sum::<usize>(),
            Body::Made(record) => record.len(),
            Body::Multi(parts) => parts.iter().map(part_bytes).sum::<usize>() + MULTI_HEADER_BYTES,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Body::Empty => {}
            Body::Number(number) => number.encode(out),
            Body::Text(text) => text.encode(out),
            Body::Stat(stat) => stat.encode(out),
            Body::Data(data, stat) => {
                encode_buffer(*data, out);
                stat.encode(out);
            }
            Body::Children(names) => encode_names(*names, out),
            Body::Children2(names, stat) => {
                encode_names(*names, out);
                stat.encode(out);
            }
            Body::Acl(list, hides, stat) => {
                (list.len() as i32).encode(out);
                for acl in list.iter() {
                    acl.perms.encode(out);
                    encode_text(&acl.id.scheme, out);
                    match hides_hash(*hides, &acl.id) {
                        true => encode_text(&shown(&acl.id), out),
                        false => encode_text(&acl.id.id, out),
                    }
                }
                stat.encode(out);
            }
            Body::Ephemerals(paths) => {
                (paths.iter().count() as i32).encode(out);
                paths.iter().for_each(|path| encode_text(path, out));
            }
            Body::Made(record) => out.extend_from_slice(record),
            Body::Multi(parts) => encode_parts(parts, out),
        }
    }
}

fn names_bytes(names: ChildNames<'_>) -> usize {
    4 + 4 * names.count() + names.text_bytes()
}

fn encode_names(names: ChildNames<'_>, out: &mut Vec<u8>) {
    (names.count() as i32).encode(out);
    names.iter_utf8().for_each(|name| encode_utf8(name, out));
}

/// A digest without a colon has nothing to hide.
fn hides_hash(hides: bool, id: &Id) -> bool {
    hides && id.scheme == "digest" && id.id.contains(':')
}

/// `bob:x` of `bob:HASH`.
fn shown(id: &Id) -> String {
    let user = id.id.split(':').next().unwrap_or_default();
    format!("{user}:x")
}

/// Of one result of a multiRead.
pub(super) fn part_bytes((_, result): &Part<'_>) -> usize {
    MULTI_HEADER_BYTES + result.as_ref().map_or(4, Body::bytes)
}

fn encode_parts(parts: &[Part<'_>], out: &mut Vec<u8>) {
    const ERROR: i32 = -1;
    for (kind, result) in parts {
        match result {
            Ok(body) => {
                MultiHeader { kind: *kind, done: false, err: code::OK }.encode(out);
                body.encode(out);
            }
            Err(err) => {
                MultiHeader { kind: ERROR, done: false, err: *err }.encode(out);
                err.encode(out);
            }
        }
    }
    MultiHeader { kind: -1, done: true, err: -1 }.encode(out);
}
