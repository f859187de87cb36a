//! Reads, answered from the tree as it stands.                         (FinalRequestProcessor)
//!
//! nodes.rs has the reads one by one, multi.rs is multiRead, watches.rs the requests about watches
//! and nothing else. They say what they have found (found.rs); the service makes a reply of it
//! when it can be sent.
//!
//! Paths are not looked at: an odd one names no node. "" names the root as "/" does, yet a watch
//! on it hears nothing. A path that is null is a request that does not decode.
//!
//! - RD-1  the length of a reply is known before it is made: no reply is longer than
//!   `maxResponseBytes`. What would be is answered MARSHALLINGERROR; of a multiRead, the operations
//!   that would make it too long are.

mod asker;
mod found;
mod multi;
mod nodes;
mod watches;

use bytes::Bytes;

use super::watches::{WatchKind, Watches};
use crate::database::Database;
use crate::jute::client::{GetEphemeralsRequest, PathRequest, PathWatchRequest, code, op};
use crate::jute::{DecodeError, Jute, Reader};
use crate::prepare;
use crate::tree::AskedLists;

pub(super) use asker::Asker;
pub(super) use found::Found;
use found::{Body, Effect};

/// Whether Apache 3.9 knows this operation.
pub(super) fn is_known(op: i32) -> bool {
    matches!(op, 1..=9 | 11..=22 | 100..=107 | op::CLOSE_SESSION | op::CREATE_SESSION)
        && op != op::CHECK
}

/// What a request has found, if its reply has no more bytes than `bytes_max` (RD-1).
pub(super) fn read<'a>(
    op: i32,
    body: &Bytes,
    asker: &Asker<'_>,
    db: &'a Database,
    watches: &Watches,
    bytes_max: usize,
) -> Found<'a> {
    let mut from = Reader::new(body.clone());
    let found = match op {
        op::MULTI_READ => Ok(multi::multi_read(&mut from, asker, db, bytes_max)),
        op::SET_WATCHES | op::SET_WATCHES2 => watches::set_watches(op, &mut from, db),
        _ => find(op, &mut from, asker, db, watches),
    };
    let found = found.unwrap_or_else(|_| Found::failed(code::MARSHALLING_ERROR));
    let bytes = found.bytes();
    if bytes > bytes_max && op != op::MULTI_READ {
        tracing::debug!(conn = %asker.conn, op, bytes, "a reply is longer than maxResponseBytes");
        return Found::failed(code::MARSHALLING_ERROR);
    }
    found
}

fn find<'a>(
    op: i32,
    from: &mut Reader,
    asker: &Asker<'_>,
    db: &'a Database,
    watches: &Watches,
) -> Result<Found<'a>, DecodeError> {
    let mut asked = AskedLists::default();
    let watching = |wants: bool, kind, path| match wants {
        true => Effect::Watch(kind, path),
        false => Effect::Nothing,
    };
    let found = match op {
        op::EXISTS => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = nodes::exists(&path, asker, db);
            // Registered also where the node is missing: that is what exists watches are for.
            let watches = watch && matches!(found, Ok(_) | Err(code::NO_NODE));
            return Ok(Found::new(found, watching(watches, WatchKind::Data, path)));
        }
        op::GET_DATA => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = nodes::get_data(&path, asker, &mut asked, db);
            let watches = watch && found.is_ok();
            return Ok(Found::new(found, watching(watches, WatchKind::Data, path)));
        }
        op::GET_CHILDREN | op::GET_CHILDREN2 => {
            let PathWatchRequest { path, watch } = Jute::decode(from)?;
            let found = nodes::get_children(op, &path, asker, &mut asked, db);
            let watches = watch && found.is_ok();
            return Ok(Found::new(found, watching(watches, WatchKind::Child, path)));
        }
        op::ADD_WATCH => return watches::add_watch(from),
        op::CHECK_WATCHES | op::REMOVE_WATCHES => {
            return watches::check_watches(op, from, asker, watches);
        }
        op::GET_ACL => nodes::get_acl(&PathRequest::decode(from)?.path, asker, db),
        // Echoed even if it is null.
        op::SYNC => Ok(Body::Text(from.ustring()?)),
        op::GET_ALL_CHILDREN_NUMBER => {
            nodes::get_all_children_number(&PathRequest::decode(from)?.path, asker, db)
        }
        op::GET_EPHEMERALS => {
            let prefix = GetEphemeralsRequest::decode(from)?.prefix_path;
            Ok(nodes::get_ephemerals(prefix, asker.session, db))
        }
        op::WHO_AM_I => Ok(nodes::who_am_i(asker.ids)),
        // A write whose record does not decode came here instead of to the leader.
        op if prepare::supports(op) => Err(code::MARSHALLING_ERROR),
        _ => Err(code::UNIMPLEMENTED),
    };
    Ok(Found::new(found, Effect::Nothing))
}
