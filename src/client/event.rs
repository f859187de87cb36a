//! What a watcher is told.      (WatchedEvent, Watcher.Event)

use std::fmt;

use crate::jute::client::event;

/// What happened to a node; `None`: to the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    None,
    NodeCreated,
    NodeDeleted,
    NodeDataChanged,
    NodeChildrenChanged,
    /// These three are the client's own: it no longer watches.
    DataWatchRemoved,
    ChildWatchRemoved,
    PersistentWatchRemoved,
}

impl EventKind {
    pub(super) fn of(kind: i32) -> Option<EventKind> {
        match kind {
            event::CREATED => Some(EventKind::NodeCreated),
            event::DELETED => Some(EventKind::NodeDeleted),
            event::DATA_CHANGED => Some(EventKind::NodeDataChanged),
            event::CHILDREN_CHANGED => Some(EventKind::NodeChildrenChanged),
            _ => None,
        }
    }
}

/// How the connection stands. (Watcher.Event.KeeperState)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeeperState {
    Disconnected,
    SyncConnected,
    AuthFailed,
    ConnectedReadOnly,
    SaslAuthenticated,
    Expired,
    Closed,
}

/// One event. Its text is that of Apache's 3.9.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchedEvent {
    pub state: KeeperState,
    pub kind: EventKind,
    pub path: Option<String>,
    /// Of the transaction that caused it; -1 where none did, or where the server does not say so.
    pub zxid: i64,
}

impl WatchedEvent {
    /// What became of the connection.
    pub(super) fn of_state(state: KeeperState) -> WatchedEvent {
        WatchedEvent { state, kind: EventKind::None, path: None, zxid: -1 }
    }
}

impl fmt::Display for WatchedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WatchedEvent { state, kind, path, zxid } = self;
        let path = path.as_deref().unwrap_or("null");
        write!(f, "WatchedEvent state:{state:?} type:{kind:?} path:{path} zxid: {zxid}")
    }
}
