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
//! Watches are of the connections of one server, and end with them. No transaction carries one and
//! no snapshot: so they stand here, and the tree only says what a transaction changed.
//!
//! Not here: one table (table.rs); who may read, and the frame of the event (service/answer.rs).

mod table;

use std::collections::BTreeSet;
use std::iter;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::paths;
use crate::base::{ConnId, Zxid};
use crate::jute::client::{SetWatches2, event, watcher_type};
use crate::jute::text_bytes;
use crate::tree::{AclList, Applied, Change, DataTree};

use table::{Modes, WatchTable};

/// The table a watch is registered in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WatchKind {
    /// getData, and exists whether or not the node is there.
    Data,
    /// getChildren.
    Child,
}

/// What checkWatches and removeWatches speak of. (Watcher.WatcherType)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WatcherType {
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
    pub(super) fn of(number: i32) -> Option<WatcherType> {
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
pub(super) struct Fired {
    pub(super) conn: ConnId,
    /// A value of `jute::client::event`.
    pub(super) kind: i32,
    /// One text for all who are told of a change.
    pub(super) path: Rc<str>,
    pub(super) zxid: Zxid,
    /// Who may hear of it: the list of the node the path names, when it happened. `None`, of an
    /// event that setWatches catches up on: whoever asked for it.
    pub(super) acl: Option<AclList>,
}

/// Connections with data watches, their paths, and pairs of the two. (WatchesSummary)
#[derive(Clone, Copy, Debug)]
pub struct Watching {
    pub connections: usize,
    pub paths: usize,
    pub watches: usize,
}

/// All watches of the connections of one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Watches {
    data: WatchTable,
    child: WatchTable,
}

impl Watches {
    /// A one-shot watch. `path` as the client wrote it: the root is "/".
    pub(super) fn add(&mut self, kind: WatchKind, path: &str, conn: ConnId) {
        match kind {
            WatchKind::Data => self.data.add(path, conn, Modes::STANDARD),
            WatchKind::Child => self.child.add(path, conn, Modes::STANDARD),
        }
    }

    pub(super) fn add_persistent(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, Modes::PERSISTENT);
        self.child.add(path, conn, Modes::PERSISTENT);
    }

    pub(super) fn add_recursive(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, Modes::RECURSIVE);
    }

    /// checkWatches. (DataTree.containsWatcher)
    pub(super) fn contains(&self, path: &str, conn: ConnId, what: WatcherType) -> bool {
        let (data, child) = what.modes();
        self.data.contains(path, conn, data) || self.child.contains(path, conn, child)
    }

    /// removeWatches; false when there was nothing to remove. (DataTree.removeWatch)
    pub(super) fn remove(&mut self, path: &str, conn: ConnId, what: WatcherType) -> bool {
        let (data, child) = what.modes();
        let removed = self.data.remove(path, conn, data);
        self.child.remove(path, conn, child) || removed
    }

    /// The connection is gone, and so are its watches.
    pub(super) fn remove_conn(&mut self, conn: ConnId) {
        self.data.remove_conn(conn);
        self.child.remove_conn(conn);
    }

    pub(super) fn len(&self) -> usize {
        self.data.len() + self.child.len()
    }

    /// How many there are in the data table.
    pub(super) fn watching(&self) -> Watching {
        let (connections, paths) = (self.data.by_conn().len(), self.data.by_path().len());
        Watching { connections, paths, watches: self.data.len() }
    }

    /// What one connection watches, in the data table and in the other one.
    pub(super) fn of_conn(&self, conn: ConnId) -> [&BTreeSet<Arc<str>>; 2] {
        static NOTHING: BTreeSet<Arc<str>> = BTreeSet::new();
        [&self.data, &self.child].map(|table| table.by_conn().get(&conn).unwrap_or(&NOTHING))
    }

    /// The data table by connection.
    pub(super) fn by_conn(&self) -> impl Iterator<Item = (ConnId, Vec<&str>)> {
        let conns = self.data.by_conn().iter();
        conns.map(|(conn, paths)| (*conn, paths.iter().map(|path| &**path).collect()))
    }

    /// The data table by path.
    pub(super) fn by_path(&self) -> impl Iterator<Item = (&str, Vec<ConnId>)> {
        let paths = self.data.by_path().iter();
        paths.map(|(path, watchers)| (&**path, watchers.keys().copied().collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events of an applied transaction, in the order in which they are sent.
    pub(super) fn fire_applied(&mut self, zxid: Zxid, applied: &Applied) -> Vec<Fired> {
        let mut fired = Vec::new();
        if self.is_empty() {
            return fired;
        }
        let parts = applied.outcome.multi.iter().map(|(_, part)| part);
        for outcome in iter::once(&applied.outcome).chain(parts) {
            if let (Some(path), Some(change)) = (&outcome.path, &outcome.change) {
                self.fire_watches(path, change, zxid, &mut fired);
            }
        }
        for (path, change) in &applied.ended {
            self.fire_watches(path, change, zxid, &mut fired);
        }
        fired
    }

    /// The events of one change of one node, in the order in which they are sent.
    fn fire_watches(&mut self, path: &str, change: &Change, zxid: Zxid, fired: &mut Vec<Fired>) {
        let mut add = |conns: &BTreeSet<ConnId>, kind, path: &str, acl: &AclList| {
            let path: Rc<str> = path.into();
            fired.extend(conns.iter().map(|conn| Fired {
                conn: *conn,
                kind,
                path: path.clone(),
                zxid,
                acl: Some(acl.clone()),
            }));
        };
        let watching = self.data.trigger(path);
        let acls = match change {
            Change::DataChanged(acl) => return add(&watching, event::DATA_CHANGED, path, acl),
            Change::Created(acls) => {
                add(&watching, event::CREATED, path, &acls.node);
                acls
            }
            Change::Deleted(acls) => {
                add(&watching, event::DELETED, path, &acls.node);
                let children = self.child.trigger(path);
                let others = children.difference(&watching).copied().collect();
                add(&others, event::DELETED, path, &acls.node);
                acls
            }
        };
        let parent = match paths::parent(path) {
            None | Some("") => paths::ROOT,
            Some(parent) => parent,
        };
        add(&self.child.trigger(parent), event::CHILDREN_CHANGED, parent, &acls.parent);
    }

    /// Registers again what a client watched on another server, and answers the events it missed
    /// since `relative_zxid`. (DataTree.setWatches)
    ///
    /// These events carry zxid -1: the transaction that caused one is not known any more.
    /// Nor are they kept from who may not read the node. A persistent watch catches up on nothing.
    pub(super) fn set_watches(
        &mut self,
        conn: ConnId,
        request: &SetWatches2,
        tree: &DataTree,
    ) -> Vec<Fired> {
        let mut fired = Vec::new();
        for (kind, path, event) in missed(request, tree) {
            match event {
                Some(kind) => {
                    let path = path.as_str().into();
                    fired.push(Fired { conn, kind, path, zxid: Zxid(-1), acl: None });
                }
                None => self.add(kind, path, conn),
            }
        }
        for path in &request.persistent_watches {
            self.add_persistent(path, conn);
        }
        for path in &request.persistent_recursive_watches {
            self.add_recursive(path, conn);
        }
        fired
    }
}

/// Bytes of the events that a setWatches catches up on, with their lengths.
pub(super) fn missed_bytes(request: &SetWatches2, tree: &DataTree) -> usize {
    /// Length, xid, zxid, code; type, state, and the length of the path.
    const EVENT_BYTES: usize = 4 + 16 + 12;
    let events = missed(request, tree).filter(|(_, _, event)| event.is_some());
    events.map(|(_, path, _)| EVENT_BYTES + text_bytes(path)).sum()
}

/// Each one-shot watch of the request, with the event that it has missed, if it has.
fn missed<'a>(
    request: &'a SetWatches2,
    tree: &DataTree,
) -> impl Iterator<Item = (WatchKind, &'a String, Option<i32>)> {
    let since = request.relative_zxid;
    let data = request.data_watches.iter().map(move |path| {
        let event = match tree.view(path) {
            None => Some(event::DELETED),
            Some(node) if node.stat.mzxid > since => Some(event::DATA_CHANGED),
            Some(_) => None,
        };
        (WatchKind::Data, path, event)
    });
    let exist = request.exist_watches.iter().map(|path| {
        let event = tree.view(path).map(|_| event::CREATED);
        (WatchKind::Data, path, event)
    });
    let child = request.child_watches.iter().map(move |path| {
        let event = match tree.view(path) {
            None => Some(event::DELETED),
            Some(node) if node.stat.pzxid > since => Some(event::CHILDREN_CHANGED),
            Some(_) => None,
        };
        (WatchKind::Child, path, event)
    });
    data.chain(exist).chain(child)
}

#[cfg(test)]
mod watches_test;
