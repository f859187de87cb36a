//! One table of watches: who watches which path, and how. (WatchManager, WatchStats)
//!
//! A registration is a set of modes: a connection may hold all three on one path, each comes and
//! goes on its own, and an event reaches the connection once whichever of them wanted it.
//!
//! - WT-1  `by_path` and `by_conn` hold the same pairs, `len` of them, none without a mode
//! - WT-2  `recursive` counts the pairs with the recursive mode: while it is 0, a trigger looks at
//!   its own path and at no other

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::ConnId;
use crate::base::paths;

/// How a connection watches a path: a set of bits. (WatcherMode)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Modes(u8);

impl Modes {
    /// Goes with its first event.
    pub(super) const STANDARD: Modes = Modes(1);
    /// Stays until it is removed.
    pub(super) const PERSISTENT: Modes = Modes(2);
    /// Stays too, and hears of everything below the path.
    pub(super) const RECURSIVE: Modes = Modes(4);
    pub(super) const ANY: Modes = Modes(7);

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether they have a mode in common.
    fn meets(self, other: Modes) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, other: Modes) -> Modes {
        Modes(self.0 | other.0)
    }

    fn without(self, other: Modes) -> Modes {
        Modes(self.0 & !other.0)
    }
}

/// Watches of one table, found by path and by connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct WatchTable {
    by_path: BTreeMap<Arc<str>, BTreeMap<ConnId, Modes>>,
    by_conn: BTreeMap<ConnId, BTreeSet<Arc<str>>>,
    len: usize,
    recursive: usize,
}

impl WatchTable {
    pub(super) fn add(&mut self, path: &str, conn: ConnId, mode: Modes) {
        let path = match self.by_path.get_key_value(path) {
            Some((path, _)) => path.clone(),
            None => path.into(),
        };
        let modes = self.by_path.entry(path.clone()).or_default().entry(conn).or_default();
        if modes.is_empty() {
            self.len += 1;
            self.by_conn.entry(conn).or_default().insert(path);
        }
        if mode.meets(Modes::RECURSIVE) && !modes.meets(Modes::RECURSIVE) {
            self.recursive += 1;
        }
        *modes = modes.with(mode);
    }

    /// Takes modes away, and answers whether there were any of them to take.
    pub(super) fn remove(&mut self, path: &str, conn: ConnId, gone: Modes) -> bool {
        let Some(watchers) = self.by_path.get_mut(path) else { return false };
        let Some(modes) = watchers.get_mut(&conn) else { return false };
        if !modes.meets(gone) {
            return false;
        }
        if gone.meets(Modes::RECURSIVE) && modes.meets(Modes::RECURSIVE) {
            self.recursive -= 1;
        }
        *modes = modes.without(gone);
        if modes.is_empty() {
            watchers.remove(&conn);
            if watchers.is_empty() {
                self.by_path.remove(path);
            }
            self.len -= 1;
            self.forget_path(conn, path);
        }
        true
    }

    /// Takes the one-shot watches of a path, and answers who watched it, by itself or from above.
    pub(super) fn trigger(&mut self, path: &str) -> BTreeSet<ConnId> {
        let mut watching = self.trigger_path(path);
        if self.recursive > 0 {
            for above in ancestors(path) {
                let watchers = self.by_path.get(above).into_iter().flatten();
                let recursive = watchers.filter(|(_, modes)| modes.meets(Modes::RECURSIVE));
                watching.extend(recursive.map(|(conn, _)| *conn));
            }
        }
        watching
    }

    fn trigger_path(&mut self, path: &str) -> BTreeSet<ConnId> {
        let Some(watchers) = self.by_path.get_mut(path) else { return BTreeSet::new() };
        let watching: BTreeSet<ConnId> = watchers.keys().copied().collect();
        watchers.retain(|_, modes| {
            *modes = modes.without(Modes::STANDARD);
            !modes.is_empty()
        });
        let gone: Vec<ConnId> =
            watching.iter().filter(|conn| !watchers.contains_key(conn)).copied().collect();
        if watchers.is_empty() {
            self.by_path.remove(path);
        }
        self.len -= gone.len();
        for conn in gone {
            self.forget_path(conn, path);
        }
        watching
    }

    fn forget_path(&mut self, conn: ConnId, path: &str) {
        if let Some(paths) = self.by_conn.get_mut(&conn) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_conn.remove(&conn);
            }
        }
    }

    pub(super) fn remove_conn(&mut self, conn: ConnId) {
        for path in self.by_conn.remove(&conn).unwrap_or_default() {
            let Some(watchers) = self.by_path.get_mut(&path) else { continue };
            let modes = watchers.remove(&conn).unwrap_or_default();
            self.len -= usize::from(!modes.is_empty());
            self.recursive -= usize::from(modes.meets(Modes::RECURSIVE));
            if watchers.is_empty() {
                self.by_path.remove(&path);
            }
        }
    }

    /// Whether the connection holds one of these modes on this very path.
    pub(super) fn contains(&self, path: &str, conn: ConnId, modes: Modes) -> bool {
        let watchers = self.by_path.get(path);
        watchers.and_then(|watchers| watchers.get(&conn)).is_some_and(|held| held.meets(modes))
    }

    pub(super) fn by_path(&self) -> &BTreeMap<Arc<str>, BTreeMap<ConnId, Modes>> {
        &self.by_path
    }

    pub(super) fn by_conn(&self) -> &BTreeMap<ConnId, BTreeSet<Arc<str>>> {
        &self.by_conn
    }

    /// Pairs of a path and a connection.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// The paths above this one, the nearest first and "/" last. (PathParentIterator)
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    fn above(path: &str) -> Option<&str> {
        match path.rfind('/')? {
            0 if path == paths::ROOT => None,
            0 => Some(paths::ROOT),
            at => Some(&path[..at]),
        }
    }
    iter::successors(above(path), |path| above(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnId = ConnId(1);
    const B: ConnId = ConnId(2);

    /// WT-1 and WT-2, counted anew.
    fn assert_consistent(table: &WatchTable) {
        let pairs = |modes: Modes| {
            let watchers = table.by_path.values().flat_map(|watchers| watchers.values());
            watchers.filter(|held| held.meets(modes)).count()
        };
        assert_eq!(table.len(), pairs(Modes::ANY), "WT-1");
        assert_eq!(table.by_conn.values().map(BTreeSet::len).sum::<usize>(), table.len(), "WT-1");
        assert!(table.by_path.values().all(|watchers| !watchers.is_empty()), "WT-1");
        assert!(table.by_conn.values().all(|paths| !paths.is_empty()), "WT-1");
        assert_eq!(table.recursive, pairs(Modes::RECURSIVE), "WT-2");
    }

    fn trigger(table: &mut WatchTable, path: &str) -> Vec<ConnId> {
        let watching = table.trigger(path).into_iter().collect();
        assert_consistent(table);
        watching
    }

    #[test]
    fn the_modes_of_a_connection_on_a_path_are_one_entry() {
        let mut table = WatchTable::default();
        for mode in [Modes::STANDARD, Modes::PERSISTENT, Modes::RECURSIVE, Modes::RECURSIVE] {
            table.add("/a", A, mode);
            assert_consistent(&table);
        }
        assert_eq!(table.len(), 1);
        for mode in [Modes::STANDARD, Modes::PERSISTENT, Modes::RECURSIVE, Modes::ANY] {
            assert!(table.contains("/a", A, mode), "{mode:?}");
        }
        assert_eq!(trigger(&mut table, "/a"), [A], "once, though three modes wanted it");
        assert!(!table.contains("/a", A, Modes::STANDARD));
        assert!(table.contains("/a", A, Modes::PERSISTENT));
        assert_eq!(trigger(&mut table, "/a"), [A], "persistent watches stay");
    }

    #[test]
    fn a_mode_is_removed_without_the_others_and_only_if_it_is_there() {
        let mut table = WatchTable::default();
        table.add("/a", A, Modes::STANDARD);
        table.add("/a", A, Modes::RECURSIVE);
        table.add("/a", B, Modes::PERSISTENT);
        assert!(!table.remove("/a", A, Modes::PERSISTENT), "another connection's");
        assert!(!table.remove("/b", A, Modes::ANY));
        assert!(table.remove("/a", A, Modes::RECURSIVE));
        assert_consistent(&table);
        assert!(!table.remove("/a", A, Modes::RECURSIVE));
        assert!(table.contains("/a", A, Modes::STANDARD));
        assert!(table.remove("/a", A, Modes::STANDARD));
        assert_consistent(&table);
        assert_eq!(table.len(), 1);
        assert!(table.remove("/a", B, Modes::ANY));
        assert_consistent(&table);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn all_modes_are_removed_together() {
        let mut table = WatchTable::default();
        table.add("/a", A, Modes::PERSISTENT);
        table.add("/a", A, Modes::RECURSIVE);
        assert!(table.remove("/a", A, Modes::ANY));
        assert_consistent(&table);
        assert_eq!(table.len(), 0);
        assert!(!table.remove("/a", A, Modes::ANY));
    }

    #[test]
    fn a_recursive_watch_hears_of_every_depth_and_of_no_neighbour() {
        let mut table = WatchTable::default();
        table.add("/a", A, Modes::RECURSIVE);
        for path in ["/a", "/a/b", "/a/b/c"] {
            assert_eq!(trigger(&mut table, path), [A], "{path}");
        }
        for path in ["/", "/ab", "/b/a", "/ab/c"] {
            assert_eq!(trigger(&mut table, path), [], "{path}");
        }
        table.add("/", B, Modes::RECURSIVE);
        assert_eq!(trigger(&mut table, "/ab/c"), [B]);
        assert_eq!(trigger(&mut table, "/"), [B]);
        assert_eq!(trigger(&mut table, "/a/b"), [A, B]);
    }

    #[test]
    fn other_modes_of_the_ancestors_are_not_told_and_not_spent() {
        let mut table = WatchTable::default();
        table.add("/a", A, Modes::STANDARD);
        table.add("/a", A, Modes::PERSISTENT);
        table.add("/a", B, Modes::STANDARD);
        table.add("/a", B, Modes::RECURSIVE);
        assert_eq!(trigger(&mut table, "/a/b"), [B]);
        assert!(table.contains("/a", A, Modes::STANDARD));
        assert!(table.contains("/a", B, Modes::STANDARD), "its one shot is for the path itself");
    }

    #[test]
    fn a_lost_connection_takes_all_its_modes_along() {
        let mut table = WatchTable::default();
        table.add("/a", A, Modes::STANDARD);
        table.add("/a", A, Modes::RECURSIVE);
        table.add("/b", A, Modes::RECURSIVE);
        table.add("/a", B, Modes::RECURSIVE);
        table.remove_conn(A);
        assert_consistent(&table);
        assert_eq!(table.recursive, 1);
        table.remove_conn(A);
        table.remove_conn(B);
        assert_consistent(&table);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn the_ancestors_of_a_path_end_at_the_root() {
        let of = |path| ancestors(path).collect::<Vec<_>>();
        assert_eq!(of("/a/b/c"), ["/a/b", "/a", "/"]);
        assert_eq!(of("/a"), ["/"]);
        assert_eq!(of("/"), [""; 0]);
        assert_eq!(of(""), [""; 0]);
    }
}
