//! Who wants to hear of a change, and what each is told. (WatchManager, DataTree's triggers)
//!
//!     change    data table            child table
//!     created   Created(path)         ChildrenChanged(parent)
//!     changed   DataChanged(path)
//!     deleted   Deleted(path)         Deleted(path) to whom the data table did not tell it,
//!                                     ChildrenChanged(parent)
//!
//! exists watches stand in the data table. A connection gets at most one event per table and
//! trigger, and a one-shot watch goes with it, told or not.
//!
//! A registration is a set of modes, so that persistent and recursive watches, which a connection
//! may hold beside a one-shot one on the same path, become bits of it.
//!
//! Not here: whether the connection may read the node; the frame of the event (server).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::paths;
use crate::base::{ConnId, Zxid};
use crate::jute::client::event;

/// The table a watch is registered in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchKind {
    /// getData, and exists whether or not the node is there.
    Data,
    /// getChildren.
    Child,
}

/// An event for one connection. `zxid` is that of the transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fired {
    pub conn: ConnId,
    /// A value of `jute::client::event`.
    pub kind: i32,
    pub path: String,
    pub zxid: Zxid,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Created,
    Deleted,
    DataChanged,
}

/// How a connection watches a path: bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Modes(u8);

impl Modes {
    /// Goes with its first event.
    const STANDARD: u8 = 1;
}

/// Watches of one table, found by path and by connection.
#[derive(Debug, Default)]
pub struct WatchTable {
    by_path: BTreeMap<Arc<str>, BTreeMap<ConnId, Modes>>,
    by_conn: BTreeMap<ConnId, BTreeSet<Arc<str>>>,
    len: usize,
}

impl WatchTable {
    fn add(&mut self, path: &str, conn: ConnId) {
        let path = match self.by_path.get_key_value(path) {
            Some((path, _)) => path.clone(),
            None => path.into(),
        };
        let modes = self.by_path.entry(path.clone()).or_default().entry(conn).or_default();
        if *modes == Modes::default() {
            self.len += 1;
            self.by_conn.entry(conn).or_default().insert(path);
        }
        modes.0 |= Modes::STANDARD;
    }

    /// Takes the one-shot watches of a path, and answers who watched it.
    fn trigger(&mut self, path: &str) -> BTreeSet<ConnId> {
        let Some(watchers) = self.by_path.get_mut(path) else { return BTreeSet::new() };
        let told: BTreeSet<ConnId> = watchers.keys().copied().collect();
        watchers.retain(|_, modes| {
            modes.0 &= !Modes::STANDARD;
            *modes != Modes::default()
        });
        let gone: Vec<ConnId> =
            told.iter().filter(|conn| !watchers.contains_key(conn)).copied().collect();
        if watchers.is_empty() {
            self.by_path.remove(path);
        }
        self.len -= gone.len();
        for conn in gone {
            self.forget_path(conn, path);
        }
        told
    }

    fn forget_path(&mut self, conn: ConnId, path: &str) {
        if let Some(paths) = self.by_conn.get_mut(&conn) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_conn.remove(&conn);
            }
        }
    }

    fn remove_conn(&mut self, conn: ConnId) {
        for path in self.by_conn.remove(&conn).unwrap_or_default() {
            if let Some(watchers) = self.by_path.get_mut(&path) {
                self.len -= usize::from(watchers.remove(&conn).is_some());
                if watchers.is_empty() {
                    self.by_path.remove(&path);
                }
            }
        }
    }

    pub fn contains(&self, path: &str, conn: ConnId) -> bool {
        self.by_path.get(path).is_some_and(|watchers| watchers.contains_key(&conn))
    }

    /// Pairs of a path and a connection.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Watched paths with who watches them (four-letter word `wchp`).
    pub fn by_path(&self) -> impl Iterator<Item = (&str, Vec<ConnId>)> + '_ {
        self.by_path.iter().map(|(path, watchers)| (&**path, watchers.keys().copied().collect()))
    }

    /// Watching connections with what they watch (four-letter word `wchc`).
    pub fn by_conn(&self) -> impl Iterator<Item = (ConnId, Vec<&str>)> + '_ {
        self.by_conn.iter().map(|(conn, paths)| (*conn, paths.iter().map(|path| &**path).collect()))
    }
}

/// All watches of the connections of one server.
#[derive(Debug, Default)]
pub struct Watches {
    data: WatchTable,
    child: WatchTable,
}

impl Watches {
    /// `path` as the client wrote it: the root is "/".
    pub fn add(&mut self, kind: WatchKind, path: &str, conn: ConnId) {
        self.table_mut(kind).add(path, conn);
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

    fn table_mut(&mut self, kind: WatchKind) -> &mut WatchTable {
        match kind {
            WatchKind::Data => &mut self.data,
            WatchKind::Child => &mut self.child,
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
        change: Change,
        zxid: Zxid,
        fired: &mut Vec<Fired>,
    ) {
        if self.is_empty() {
            return;
        }
        let mut tell = |conns: &BTreeSet<ConnId>, kind, path: &str| {
            fired.extend(conns.iter().map(|conn| Fired {
                conn: *conn,
                kind,
                path: path.to_owned(),
                zxid,
            }));
        };
        let told = self.data.trigger(path);
        match change {
            Change::DataChanged => return tell(&told, event::DATA_CHANGED, path),
            Change::Created => tell(&told, event::CREATED, path),
            Change::Deleted => {
                tell(&told, event::DELETED, path);
                let also = self.child.trigger(path);
                tell(&also.difference(&told).copied().collect(), event::DELETED, path);
            }
        }
        let parent = match paths::parent(path) {
            None | Some("") => paths::ROOT,
            Some(parent) => parent,
        };
        tell(&self.child.trigger(parent), event::CHILDREN_CHANGED, parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnId = ConnId(1);
    const B: ConnId = ConnId(2);

    fn fire(watches: &mut Watches, path: &str, change: Change) -> Vec<(u64, i32, String)> {
        let mut fired = Vec::new();
        watches.fire_watches(path, change, Zxid(9), &mut fired);
        assert!(fired.iter().all(|event| event.zxid == Zxid(9)));
        fired.into_iter().map(|event| (event.conn.0, event.kind, event.path)).collect()
    }

    #[test]
    fn a_watch_fires_once() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Data, "/a", A);
        watches.add(WatchKind::Data, "/a", A);
        assert_eq!(watches.len(), 1);
        assert_eq!(fire(&mut watches, "/a", Change::DataChanged), [(1, 3, "/a".into())]);
        assert_eq!(fire(&mut watches, "/a", Change::DataChanged), []);
        assert!(watches.is_empty());
        assert_eq!(watches.table(WatchKind::Data).by_conn().count(), 0);
    }

    #[test]
    fn a_creation_tells_the_path_and_then_the_parent() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Child, "/", A);
        watches.add(WatchKind::Data, "/a", B);
        watches.add(WatchKind::Data, "/a", A);
        assert_eq!(
            fire(&mut watches, "/a", Change::Created),
            [(1, 1, "/a".into()), (2, 1, "/a".into()), (1, 4, "/".into())]
        );
    }

    #[test]
    fn a_deletion_tells_a_connection_once_and_the_parent_last() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Data, "/p/a", A);
        watches.add(WatchKind::Child, "/p/a", A);
        watches.add(WatchKind::Child, "/p/a", B);
        watches.add(WatchKind::Child, "/p", A);
        assert_eq!(
            fire(&mut watches, "/p/a", Change::Deleted),
            [(1, 2, "/p/a".into()), (2, 2, "/p/a".into()), (1, 4, "/p".into())]
        );
        assert!(watches.is_empty(), "the untold child watch of the first connection is gone too");
    }

    #[test]
    fn a_change_of_data_leaves_child_watches_alone() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Child, "/a", A);
        watches.add(WatchKind::Child, "/", A);
        assert_eq!(fire(&mut watches, "/a", Change::DataChanged), []);
        assert_eq!(watches.len(), 2);
    }

    #[test]
    fn a_lost_connection_takes_its_watches_along() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Data, "/a", A);
        watches.add(WatchKind::Data, "/a", B);
        watches.add(WatchKind::Child, "/a", A);
        watches.remove_conn(A);
        assert_eq!(watches.len(), 1);
        assert!(watches.table(WatchKind::Data).contains("/a", B));
        assert!(!watches.table(WatchKind::Data).contains("/a", A));
        watches.remove_conn(A);
        watches.remove_conn(B);
        assert!(watches.is_empty());
        assert_eq!(watches.table(WatchKind::Data).by_path().count(), 0);
    }
}
