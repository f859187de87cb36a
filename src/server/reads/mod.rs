//! Reads, answered from the tree as it stands.                         (FinalRequestProcessor)
//!
//! nodes.rs has the reads one by one, multi.rs is multiRead, watches.rs the requests about watches
//! and nothing else.
//!
//! Paths are not looked at: an odd one names no node. "" names the root as "/" does, yet a watch
//! on it hears nothing. A path that is null is a request that does not decode.

mod asker;
mod multi;
mod nodes;
mod watches;

use bytes::Bytes;

use super::watches::{WatchKind, Watches};
use crate::database::Database;
use crate::jute::client::{GetEphemeralsRequest, PathRequest, PathWatchRequest, code, op};
use crate::jute::{DecodeError, Jute, Reader};
use crate::prepare;

pub(super) use asker::{Answer, Asker};

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
            let found = nodes::exists(&path, asker, db);
            // Registered also where the node is missing: that is what exists watches are for.
            if watch && matches!(found, Ok(_) | Err(code::NO_NODE)) {
                watches.add(WatchKind::Data, &path, asker.conn);
            }
            found
        }
        op::GET_DATA => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = nodes::get_data(&path, asker, db);
            if watch && found.is_ok() {
                watches.add(WatchKind::Data, &path, asker.conn);
            }
            found
        }
        op::GET_CHILDREN | op::GET_CHILDREN2 => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = nodes::get_children(op, &path, asker, db);
            if watch && found.is_ok() {
                watches.add(WatchKind::Child, &path, asker.conn);
            }
            found
        }
        op::GET_ACL => nodes::get_acl(&PathRequest::decode(from)?.path, asker, db),
        // Echoed even if it is null.
        op::SYNC => Ok(from.ustring()?.to_jute()),
        op::GET_ALL_CHILDREN_NUMBER => {
            nodes::get_all_children_number(&PathRequest::decode(from)?.path, asker, db)
        }
        op::GET_EPHEMERALS => {
            let prefix = GetEphemeralsRequest::decode(from)?.prefix_path;
            Ok(nodes::get_ephemerals(prefix.as_deref(), asker.session, db))
        }
        op::WHO_AM_I => Ok(nodes::who_am_i(asker.ids)),
        op::ADD_WATCH => watches::add_watch(from, asker, watches)?,
        op::CHECK_WATCHES => watches::check_watches(from, asker, watches)?,
        op::REMOVE_WATCHES => watches::remove_watches(from, asker, watches)?,
        // A write whose record does not decode came here instead of to the leader.
        op if prepare::supports(op) => Err(code::MARSHALLING_ERROR),
        _ => Err(code::UNIMPLEMENTED),
    })
}
