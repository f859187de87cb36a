//! Reads, answered from the tree as it stands.                         (FinalRequestProcessor)
//!
//! multi.rs is multiRead, watches.rs the requests about watches and nothing else.
//!
//! Paths are not looked at: an odd one names no node. "" names the root as "/" does, yet a watch
//! on it hears nothing. A path that is null is a request that does not decode.

mod multi;
#[cfg(test)]
mod reads_test;
mod watches;

use bytes::Bytes;

use super::connection::Connection;
use super::watches::{Fired, WatchKind, Watches};
use crate::base::{ConnId, SessionId};
use crate::database::Database;
use crate::jute::client::{
    ClientInfo, GetAclResponse, GetAllChildrenNumberResponse, GetChildren2Response,
    GetChildrenResponse, GetDataResponse, GetEphemeralsRequest, GetEphemeralsResponse, PathRequest,
    PathWatchRequest, StatResponse, WhoAmIResponse, code, op,
};
use crate::jute::data::{Acl, Id, perms};
use crate::jute::{DecodeError, Jute, Reader};
use crate::prepare;
use crate::tree::AclRules;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) conn: ConnId,
    pub(super) session: SessionId,
    /// What the connection has proven, its address among it.
    pub(super) ids: &'a [Id],
    pub(super) rules: AclRules,
}

impl Asker<'_> {
    /// `None` while the connection has no session.
    pub(super) fn of<'a>(
        conn: ConnId,
        connection: &'a Connection,
        db: &Database,
    ) -> Option<Asker<'a>> {
        let session = connection.session()?;
        Some(Asker { conn, session, ids: &connection.auth, rules: db.tree().acl_rules() })
    }

    /// Whether this list gives one of the wanted permissions.
    pub(super) fn may(&self, wanted: i32, list: &[Acl]) -> bool {
        self.rules.check(list, wanted, self.ids)
    }
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    /// A reply code.
    pub(super) err: i32,
    /// Empty where there is an error, but for one of multiRead's.
    pub(super) body: Vec<u8>,
    /// Watch events that leave before the reply (setWatches).
    pub(super) events: Vec<Fired>,
}

impl From<Result<Vec<u8>, i32>> for Answer {
    fn from(result: Result<Vec<u8>, i32>) -> Answer {
        match result {
            Ok(body) => Answer { body, ..Answer::default() },
            Err(err) => Answer { err, ..Answer::default() },
        }
    }
}

/// Whether Apache 3.9 knows this operation.
pub(super) fn is_known(op: i32) -> bool {
    matches!(op, 1..=9 | 11..=22 | 100..=107 | op::CLOSE_SESSION | op::CREATE_SESSION)
        && op != op::CHECK
}

pub(super) fn read(
    op: i32,
    body: &Bytes,
    asker: &Asker<'_>,
    db: &Database,
    watches: &mut Watches,
) -> Answer {
    let mut from = Reader::new(body.clone());
    let answer = match op {
        op::MULTI_READ => Ok(multi::multi_read(&mut from, asker, db)),
        op::SET_WATCHES | op::SET_WATCHES2 => {
            watches::set_watches(op, &mut from, asker, db, watches)
        }
        _ => answer(op, &mut from, asker, db, watches).map(Answer::from),
    };
    answer.unwrap_or_else(|_| Err(code::MARSHALLING_ERROR).into())
}

fn answer(
    op: i32,
    from: &mut Reader,
    asker: &Asker<'_>,
    db: &Database,
    watches: &mut Watches,
) -> Result<Result<Vec<u8>, i32>, DecodeError> {
    Ok(match op {
        op::EXISTS => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = exists(&path, asker, db);
            // Registered also where the node is missing: that is what exists watches are for.
            if watch && matches!(found, Ok(_) | Err(code::NO_NODE)) {
                watches.add(WatchKind::Data, &path, asker.conn);
            }
            found
        }
        op::GET_DATA => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = get_data(&path, asker, db);
            if watch && found.is_ok() {
                watches.add(WatchKind::Data, &path, asker.conn);
            }
            found
        }
        op::GET_CHILDREN | op::GET_CHILDREN2 => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = get_children(op, &path, asker, db);
            if watch && found.is_ok() {
                watches.add(WatchKind::Child, &path, asker.conn);
            }
            found
        }
        op::GET_ACL => get_acl(&PathRequest::decode(from)?.path, asker, db),
        // Echoed even if it is null.
        op::SYNC => Ok(from.ustring()?.to_jute()),
        op::GET_ALL_CHILDREN_NUMBER => {
            get_all_children_number(&PathRequest::decode(from)?.path, asker, db)
        }
        op::GET_EPHEMERALS => {
            let prefix = GetEphemeralsRequest::decode(from)?.prefix_path;
            Ok(get_ephemerals(prefix.as_deref(), asker.session, db))
        }
        op::WHO_AM_I => Ok(who_am_i(asker.ids)),
        op::ADD_WATCH => watches::add_watch(from, asker, watches)?,
        op::CHECK_WATCHES => watches::check_watches(from, asker, watches)?,
        op::REMOVE_WATCHES => watches::remove_watches(from, asker, watches)?,
        // A write whose record does not decode came here instead of to the leader.
        op if prepare::supports(op) => Err(code::MARSHALLING_ERROR),
        _ => Err(code::UNIMPLEMENTED),
    })
}

/// The node must be there and readable, in this order.
fn require_readable(path: &str, asker: &Asker<'_>, db: &Database) -> Result<(), i32> {
    let node = db.tree().view(path).ok_or(code::NO_NODE)?;
    if asker.may(perms::READ, &node.acl) { Ok(()) } else { Err(code::NO_AUTH) }
}

/// Whoever may read the node or administer it sees its ACL; only the latter sees digests.
fn get_acl(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    let (mut acl, stat) = db.tree().get_acl(path)?;
    if !asker.may(perms::READ | perms::ADMIN, &acl) {
        return Err(code::NO_AUTH);
    }
    if !asker.may(perms::ADMIN, &acl) {
        for entry in acl.iter_mut().filter(|entry| entry.id.scheme == "digest") {
            // A digest without a colon has nothing to hide.
            if let Some((user, _)) = entry.id.id.split_once(':') {
                entry.id.id = format!("{user}:x");
            }
        }
    }
    Ok(GetAclResponse { acl, stat }.to_jute())
}

fn exists(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    if path.contains('\0') {
        return Err(code::BAD_ARGUMENTS);
    }
    require_readable(path, asker, db)?;
    let stat = db.tree().exists(path)?;
    Ok(StatResponse { stat }.to_jute())
}

fn get_data(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    require_readable(path, asker, db)?;
    let (data, stat) = db.tree().get_data(path)?;
    Ok(GetDataResponse { data, stat }.to_jute())
}

fn get_children(op: i32, path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    require_readable(path, asker, db)?;
    let (children, stat) = db.tree().get_children(path)?;
    Ok(match op {
        op::GET_CHILDREN => GetChildrenResponse { children }.to_jute(),
        _ => GetChildren2Response { children, stat }.to_jute(),
    })
}

fn get_all_children_number(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    require_readable(path, asker, db)?;
    let number = db.tree().all_children_number(path)?;
    let total_number = i32::try_from(number).unwrap_or(i32::MAX);
    Ok(GetAllChildrenNumberResponse { total_number }.to_jute())
}

/// The prefix is one of the text, not of the names: "/a" finds "/ab". Who owns a node needs no
/// permission to find it.
fn get_ephemerals(prefix: Option<&str>, session: SessionId, db: &Database) -> Vec<u8> {
    // What Java's trim takes.
    let trimmed = prefix.unwrap_or_default().trim_matches(|c| c <= ' ');
    let prefix = match trimmed {
        "" | "/" => "",
        _ => prefix.unwrap_or_default(),
    };
    let owned = db.tree().ephemerals(session).filter(|path| path.starts_with(prefix));
    GetEphemeralsResponse { ephemerals: owned.map(str::to_owned).collect() }.to_jute()
}

/// Every id of the connection; of a digest only the user. (AuthUtil.getClientInfos)
fn who_am_i(ids: &[Id]) -> Vec<u8> {
    let info = |id: &Id| {
        let user = match id.scheme.as_str() {
            "digest" => id.id.split(':').next().unwrap_or_default(),
            _ => &id.id,
        };
        ClientInfo { auth_scheme: id.scheme.clone(), user: user.to_owned() }
    };
    WhoAmIResponse { client_info: ids.iter().map(info).collect() }.to_jute()
}
