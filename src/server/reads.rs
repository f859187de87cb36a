//! Reads, answered from the tree as it stands.

use bytes::Bytes;

use crate::base::ConnId;
use crate::database::Database;
use crate::jute::client::{
    GetAclResponse, GetChildren2Response, GetChildrenResponse, GetDataResponse, PathRequest,
    PathWatchRequest, SetWatches, StatResponse, code, op,
};
use crate::jute::data::{Id, perms};
use crate::jute::{DecodeError, Jute, Reader};
use crate::pipeline::prepare;
use crate::tree::{Fired, WatchKind};

pub(super) struct ReadResult {
    pub(super) reply: Result<Vec<u8>, i32>,
    /// Watch events that leave before the reply (setWatches).
    pub(super) events: Vec<Fired>,
}

/// Whether Apache 3.9 knows this operation.
pub(super) fn is_known(op: i32) -> bool {
    matches!(op, 1..=9 | 11..=22 | 100..=107 | op::CLOSE_SESSION | op::CREATE_SESSION)
        && op != op::CHECK
}

pub(super) fn read(
    op: i32,
    body: &Bytes,
    conn: ConnId,
    ids: &[Id],
    db: &mut Database,
) -> ReadResult {
    let mut events = Vec::new();
    let reply = match answer(op, body, conn, ids, db, &mut events) {
        Ok(reply) => reply,
        Err(_) => Err(code::MARSHALLING_ERROR),
    };
    ReadResult { reply, events }
}

fn answer(
    op: i32,
    body: &Bytes,
    conn: ConnId,
    ids: &[Id],
    db: &mut Database,
    events: &mut Vec<Fired>,
) -> Result<Result<Vec<u8>, i32>, DecodeError> {
    let mut from = Reader::new(body.clone());
    Ok(match op {
        op::EXISTS => exists(&PathWatchRequest::decode(&mut from)?, conn, ids, db),
        op::GET_DATA => get_data(&PathWatchRequest::decode(&mut from)?, conn, ids, db),
        op::GET_CHILDREN | op::GET_CHILDREN2 => {
            get_children(op, &PathWatchRequest::decode(&mut from)?, conn, ids, db)
        }
        op::GET_ACL => {
            let request = PathRequest::decode(&mut from)?;
            get_acl(&request.path, ids, db)
        }
        op::SYNC => Ok(PathRequest::decode(&mut from)?.to_jute()),
        op::SET_WATCHES => {
            let watches = SetWatches::decode(&mut from)?;
            *events = db.tree_mut().set_watches(conn, &watches);
            Ok(Vec::new())
        }
        // A write whose record does not decode came here instead of to the leader.
        op if prepare::supports(op) => Err(code::MARSHALLING_ERROR),
        _ => Err(code::UNIMPLEMENTED),
    })
}

/// A node that is there must be readable; one that is not there has its own error.
fn readable(path: &str, ids: &[Id], db: &Database) -> Result<(), i32> {
    let hidden = db.tree().view(path).is_some() && !db.tree().check_acl(path, perms::READ, ids);
    if hidden { Err(code::NO_AUTH) } else { Ok(()) }
}

/// Whoever may read the node or administer it sees its ACL; only the latter sees digests.
fn get_acl(path: &str, ids: &[Id], db: &Database) -> Result<Vec<u8>, i32> {
    let (mut acl, stat) = db.tree().get_acl(path)?;
    if !db.tree().check_acl(path, perms::READ | perms::ADMIN, ids) {
        return Err(code::NO_AUTH);
    }
    if !db.tree().check_acl(path, perms::ADMIN, ids) {
        for entry in acl.iter_mut().filter(|entry| entry.id.scheme == "digest") {
            let user = entry.id.id.split(':').next().unwrap_or_default();
            entry.id.id = format!("{user}:x");
        }
    }
    Ok(GetAclResponse { acl, stat }.to_jute())
}

fn exists(
    request: &PathWatchRequest,
    conn: ConnId,
    ids: &[Id],
    db: &mut Database,
) -> Result<Vec<u8>, i32> {
    let found = readable(&request.path, ids, db).and_then(|()| db.tree().exists(&request.path));
    // Registered also where the node is missing: that is what exists watches are for.
    if request.watch && matches!(found, Ok(_) | Err(code::NO_NODE)) {
        db.tree_mut().watches_mut().add(WatchKind::Data, &request.path, conn);
    }
    found.map(|stat| StatResponse { stat }.to_jute())
}

fn get_data(
    request: &PathWatchRequest,
    conn: ConnId,
    ids: &[Id],
    db: &mut Database,
) -> Result<Vec<u8>, i32> {
    readable(&request.path, ids, db)?;
    let (data, stat) = db.tree().get_data(&request.path)?;
    if request.watch {
        db.tree_mut().watches_mut().add(WatchKind::Data, &request.path, conn);
    }
    Ok(GetDataResponse { data, stat }.to_jute())
}

fn get_children(
    op: i32,
    request: &PathWatchRequest,
    conn: ConnId,
    ids: &[Id],
    db: &mut Database,
) -> Result<Vec<u8>, i32> {
    readable(&request.path, ids, db)?;
    let (children, stat) = db.tree().get_children(&request.path)?;
    if request.watch {
        db.tree_mut().watches_mut().add(WatchKind::Child, &request.path, conn);
    }
    Ok(match op {
        op::GET_CHILDREN => GetChildrenResponse { children }.to_jute(),
        _ => GetChildren2Response { children, stat }.to_jute(),
    })
}
