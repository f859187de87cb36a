//! Requests about watches and nothing else: addWatch, checkWatches, removeWatches, setWatches.
//!
//! None of them asks for a permission or for the node to be there: what an event tells is checked
//! when it is sent (CVE-2024-23944), and what setWatches catches up on is not.

use super::asker::Asker;
use super::found::{Body, Effect, Found};
use crate::database::Database;
use crate::jute::client::{SetWatches, SetWatches2, add_watch_mode, code, op};
use crate::jute::{DecodeError, Jute, Reader};
use crate::server::watches::{WatcherType, Watches, missed_bytes};

type Result<'a> = std::result::Result<Found<'a>, DecodeError>;

/// A path and a number. A path that is null is a path like any other here.
fn path_and_number(from: &mut Reader) -> std::result::Result<(String, i32), DecodeError> {
    Ok((from.ustring()?.unwrap_or_default(), from.int()?))
}

/// The body is an ErrorResponse.
pub(super) fn add_watch<'a>(from: &mut Reader) -> Result<'a> {
    let (path, mode) = path_and_number(from)?;
    let effect = match mode {
        add_watch_mode::PERSISTENT => Effect::Persistent(path),
        add_watch_mode::PERSISTENT_RECURSIVE => Effect::Recursive(path),
        _ => return Ok(Found::failed(code::MARSHALLING_ERROR)),
    };
    Ok(Found::new(Ok(Body::Number(code::OK)), effect))
}

/// checkWatches and removeWatches. No event tells of the removal: the client makes its own.
pub(super) fn check_watches<'a>(
    op: i32,
    from: &mut Reader,
    asker: &Asker<'_>,
    watches: &Watches,
) -> Result<'a> {
    let (path, number) = path_and_number(from)?;
    let Some(what) = WatcherType::of(number) else {
        return Ok(Found::failed(code::MARSHALLING_ERROR));
    };
    if !watches.contains(&path, asker.conn, what) {
        return Ok(Found::failed(code::NO_WATCHER));
    }
    let removes = op == op::REMOVE_WATCHES;
    let effect = if removes { Effect::Remove(path, what) } else { Effect::Nothing };
    Ok(Found::new(Ok(Body::Empty), effect))
}

/// setWatches and setWatches2: the same but for the persistent ones.
pub(super) fn set_watches<'a>(op: i32, from: &mut Reader, db: &Database) -> Result<'a> {
    let request = if op == op::SET_WATCHES2 {
        SetWatches2::decode(from)?
    } else {
        let SetWatches { relative_zxid, data_watches, exist_watches, child_watches } =
            Jute::decode(from)?;
        let none = SetWatches2::default();
        SetWatches2 { relative_zxid, data_watches, exist_watches, child_watches, ..none }
    };
    let events = missed_bytes(&request, db.tree());
    Ok(Found::new(Ok(Body::Empty), Effect::Set(Box::new(request), events)))
}
