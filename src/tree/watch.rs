//! Who wants to hear of a change, and what each is told. (WatchManager, DataTree's triggers)
//!
//!     change    data table            child table
//!     created   Created(path)         ChildrenChanged(parent)
//!     changed   DataChanged(path)
//!     deleted   Deleted(path)         Deleted(path) to whom the data table did not tell it,
//!                                     ChildrenChanged(parent)
//!
//!     registered by                   data table    child table
//!     getData, exists                 STANDARD
//!     getChildren                                   STANDARD
//!     addWatch persistent             PERSISTENT    PERSISTENT
//!     addWatch persistent recursive   RECURSIVE
//!
//! A connection gets at most one event per table and trigger, and a one-shot watch goes with it,
//! told or not. A recursive watch stands in the data table alone, and so never hears that children
//! changed: it hears of each child.
//!
//! An event carries the ACL of the node it speaks of, as it was at the change: a connection that
//! may not read the node is not told (CVE-2024-23944), yet its one-shot watch is gone all the same.
//!
//! Not here: one table (table.rs); who may read; the frame of the event (server).

mod table;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::acl::AclList;
use crate::base::paths;
use crate::base::{ConnId, Zxid};
use crate::jute::client::{event, watcher_type};

pub use table::{Modes, WatchTable};

/// The table a watch is registered in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchKind {
    /// getData, and exists whether or not the node is there.
    Data,
    /// getChildren.
    Child,
}

/// What checkWatches and removeWatches speak of. (Watcher.WatcherType)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatcherType {
    /// One-shot watches of the child table.
    Children,
    /// One-shot watches of the data table.
    Data,
    /// Every watch on the path.
    Any,
    Persistent,
    PersistentRecursive,
}

impl WatcherType {
    /// `None` for a number that is none of `jute::client::watcher_type`.
    pub fn of(number: i32) -> Option<WatcherType> {
        Some(match number {
            watcher_type::CHILDREN => WatcherType::Children,
            watcher_type::DATA => WatcherType::Data,
            watcher_type::ANY => WatcherType::Any,
            watcher_type::PERSISTENT => WatcherType::Persistent,
            watcher_type::PERSISTENT_RECURSIVE => WatcherType::PersistentRecursive,
            _ => return None,
        })
    }

    /// The modes it means in the data table and in the child table.
    fn modes(self) -> (Modes, Modes) {
        match self {
            WatcherType::Children => (Modes::default(), Modes::STANDARD),
            WatcherType::Data => (Modes::STANDARD, Modes::default()),
            WatcherType::Any => (Modes::ANY, Modes::ANY),
            WatcherType::Persistent => (Modes::PERSISTENT, Modes::PERSISTENT),
            WatcherType::PersistentRecursive => (Modes::RECURSIVE, Modes::default()),
        }
    }
}

/// An event for one connection. `zxid` is that of the transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fired {
    pub conn: ConnId,
    /// A value of `jute::client::event`.
    pub kind: i32,
    pub path: String,
    pub zxid: Zxid,
    /// Who may hear of it: the list of the node the path names, when it happened. `None`, of an
    /// event that setWatches catches up on: whoever asked for it.
    pub acl: Option<AclList>,
}

/// The lists of a node and of its parent when the node comes or goes.
#[derive(Debug)]
pub(super) struct EventAcls {
    pub(super) node: AclList,
    pub(super) parent: AclList,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    Created(&'a EventAcls),
    Deleted(&'a EventAcls),
    DataChanged(&'a AclList),
}

/// All watches of the connections of one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watches {
    data: WatchTable,
    child: WatchTable,
}

impl Watches {
    /// A one-shot watch. `path` as the client wrote it: the root is "/".
    pub fn add(&mut self, kind: WatchKind, path: &str, conn: ConnId) {
        match kind {
            WatchKind::Data => self.data.add(path, conn, Modes::STANDARD),
            WatchKind::Child => self.child.add(path, conn, Modes::STANDARD),
        }
    }

    pub fn add_persistent(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, Modes::PERSISTENT);
        self.child.add(path, conn, Modes::PERSISTENT);
    }

    pub fn add_recursive(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, Modes::RECURSIVE);
    }

    /// checkWatches. (DataTree.containsWatcher)
    pub fn contains(&self, path: &str, conn: ConnId, what: WatcherType) -> bool {
        let (data, child) = what.modes();
        self.data.contains(path, conn, data) || self.child.contains(path, conn, child)
    }

    /// removeWatches; false when there was nothing to remove. (DataTree.removeWatch)
    pub fn remove(&mut self, path: &str, conn: ConnId, what: WatcherType) -> bool {
        let (data, child) = what.modes();
        let removed = self.data.remove(path, conn, data);
        self.child.remove(path, conn, child) || removed
    }

    /// The connection is gone, and so are its watches.
    pub fn remove_conn(&mut self, conn: ConnId) {
        self.data.remove_conn(conn);
        self.child.remove_conn(conn);
    }

    pub fn table(&self, kind: WatchKind) -> &WatchTable {
        match kind {
            WatchKind::Data => &self.data,
            WatchKind::Child => &self.child,
        }
    }

    pub fn len(&self) -> usize {
        self.data.len() + self.child.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events of one change of one node, in the order in which they are sent.
    pub(super) fn fire_watches(
        &mut self,
        path: &str,
        change: Change<'_>,
        zxid: Zxid,
        fired: &mut Vec<Fired>,
    ) {
        if self.is_empty() {
            return;
        }
        let mut tell = |conns: &BTreeSet<ConnId>, kind, path: &str, acl: &AclList| {
            fired.extend(conns.iter().map(|conn| Fired {
                conn: *conn,
                kind,
                path: path.to_owned(),
                zxid,
                acl: Some(acl.clone()),
            }));
        };
        let told = self.data.trigger(path);
        let acls = match change {
            Change::DataChanged(acl) => return tell(&told, event::DATA_CHANGED, path, acl),
            Change::Created(acls) => {
                tell(&told, event::CREATED, path, &acls.node);
                acls
            }
            Change::Deleted(acls) => {
                tell(&told, event::DELETED, path, &acls.node);
                let also = self.child.trigger(path);
                let untold = also.difference(&told).copied().collect();
                tell(&untold, event::DELETED, path, &acls.node);
                acls
            }
        };
        let parent = match paths::parent(path) {
            None | Some("") => paths::ROOT,
            Some(parent) => parent,
        };
        tell(&self.child.trigger(parent), event::CHILDREN_CHANGED, parent, &acls.parent);
    }
}

#[cfg(test)]
mod watch_test;
