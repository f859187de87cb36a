//! Requests about watches and nothing else: addWatch, checkWatches, removeWatches, setWatches.
//!
//! None of them asks for a permission or for the node to be there: what an event tells is checked
//! when it is sent (CVE-2024-23944), and what setWatches catches up on is not.

use super::asker::{Answer, Asker};
use crate::database::Database;
use crate::jute::client::{ErrorResponse, SetWatches, SetWatches2, add_watch_mode, code, op};
use crate::jute::{DecodeError, Jute, Reader};
use crate::server::watches::{WatcherType, Watches};

type Reply = Result<Result<Vec<u8>, i32>, DecodeError>;

/// A path and a number. A path that is null is a path like any other here.
fn path_and_number(from: &mut Reader) -> Result<(String, i32), DecodeError> {
    Ok((from.ustring()?.unwrap_or_default(), from.int()?))
}

pub(super) fn add_watch(from: &mut Reader, asker: &Asker<'_>, watches: &mut Watches) -> Reply {
    let (path, mode) = path_and_number(from)?;
    match mode {
        add_watch_mode::PERSISTENT => watches.add_persistent(&path, asker.conn),
        add_watch_mode::PERSISTENT_RECURSIVE => watches.add_recursive(&path, asker.conn),
        _ => return Ok(Err(code::MARSHALLING_ERROR)),
    }
    Ok(Ok(ErrorResponse { err: code::OK }.to_jute()))
}

pub(super) fn check_watches(from: &mut Reader, asker: &Asker<'_>, watches: &Watches) -> Reply {
    let (path, number) = path_and_number(from)?;
    Ok(match WatcherType::of(number) {
        None => Err(code::MARSHALLING_ERROR),
        Some(what) if watches.contains(&path, asker.conn, what) => Ok(Vec::new()),
        Some(_) => Err(code::NO_WATCHER),
    })
}

/// No event tells of the removal: the client makes its own.
pub(super) fn remove_watches(from: &mut Reader, asker: &Asker<'_>, watches: &mut Watches) -> Reply {
    let (path, number) = path_and_number(from)?;
    Ok(match WatcherType::of(number) {
        None => Err(code::MARSHALLING_ERROR),
        Some(what) if watches.remove(&path, asker.conn, what) => Ok(Vec::new()),
        Some(_) => Err(code::NO_WATCHER),
    })
}

/// setWatches and setWatches2: the same but for the persistent ones.
pub(super) fn set_watches(
    op: i32,
    from: &mut Reader,
    asker: &Asker<'_>,
    db: &Database,
    watches: &mut Watches,
) -> Result<Answer, DecodeError> {
    let request = if op == op::SET_WATCHES2 {
        SetWatches2::decode(from)?
    } else {
        let SetWatches { relative_zxid, data_watches, exist_watches, child_watches } =
            Jute::decode(from)?;
        let none = SetWatches2::default();
        SetWatches2 { relative_zxid, data_watches, exist_watches, child_watches, ..none }
    };
    let events = watches.set_watches(asker.conn, &request, db.tree());
    Ok(Answer { events, ..Answer::default() })
}
