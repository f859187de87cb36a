//! A request as the session sends it, and what it leaves behind when it is answered.

use bytes::Bytes;

use super::event::EventKind;
use crate::jute::Jute;
use crate::jute::client::{RequestHeader, code, watcher_type};

/// Which request an answer belongs to, for the one who asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Ticket(pub(super) u64);

/// What a path is watched for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WatchedAs {
    Data,
    /// Also a node that is not there.
    Exists,
    Children,
    Persistent,
    PersistentRecursive,
}

impl WatchedAs {
    pub(super) const ALL: [WatchedAs; 5] = [
        WatchedAs::Data,
        WatchedAs::Exists,
        WatchedAs::Children,
        WatchedAs::Persistent,
        WatchedAs::PersistentRecursive,
    ];

    /// Whether removeWatches of that type takes it. (ZKWatchManager.removeWatcher)
    pub(super) fn is_of(self, kind: i32) -> bool {
        match kind {
            watcher_type::CHILDREN => self == WatchedAs::Children,
            watcher_type::DATA => matches!(self, WatchedAs::Data | WatchedAs::Exists),
            watcher_type::PERSISTENT => self == WatchedAs::Persistent,
            watcher_type::PERSISTENT_RECURSIVE => self == WatchedAs::PersistentRecursive,
            _ => true,
        }
    }

    /// What its watcher is told when it is removed.
    pub(super) fn removal(self) -> EventKind {
        match self {
            WatchedAs::Data | WatchedAs::Exists => EventKind::DataWatchRemoved,
            WatchedAs::Children => EventKind::ChildWatchRemoved,
            WatchedAs::Persistent | WatchedAs::PersistentRecursive => {
                EventKind::PersistentWatchRemoved
            }
        }
    }
}

/// What an answer changes in the table of watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Afterwards {
    Nothing,
    /// The path, as the server knows it, is watched.
    Watch {
        path: String,
        kind: WatchedAs,
    },
    /// It is no longer. `local`: even if there is no connection.
    Unwatch {
        path: String,
        kind: i32,
        local: bool,
    },
    /// It is never sent: the answer is that there is a session.
    Reach,
    /// The session is over.
    Close,
}

impl Afterwards {
    /// Whether a watch is set, given the code of the reply.
    pub(super) fn is_watched(kind: WatchedAs, err: i32) -> bool {
        err == code::OK || (kind == WatchedAs::Exists && err == code::NO_NODE)
    }
}

/// One request, yet without its xid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) ticket: Ticket,
    pub(super) op: i32,
    /// The record behind the header.
    pub(super) body: Vec<u8>,
    pub(super) afterwards: Afterwards,
}

/// A frame: length, header, record.
pub(super) fn frame(xid: i32, op: i32, body: &[u8]) -> Bytes {
    let mut payload = RequestHeader { xid, op }.to_jute();
    payload.extend_from_slice(body);
    framed(&payload)
}

/// The length in front.
pub(super) fn framed(payload: &[u8]) -> Bytes {
    let length = i32::try_from(payload.len()).expect("a request is far below 2 GiB");
    let mut out = length.to_jute();
    out.extend_from_slice(payload);
    out.into()
}
