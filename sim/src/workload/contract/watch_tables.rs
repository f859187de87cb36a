//! The reference for watches: which watches a connection has, and which events a change brings.
//! (WatchManager, facts 1.7)
//!
//!     change    data table            child table
//!     created   Created(path)         ChildrenChanged(parent)
//!     changed   DataChanged(path)
//!     deleted   Deleted(path)         Deleted(path) if the data table did not tell it,
//!                                     ChildrenChanged(parent)
//!
//! For one change a table brings one event, even if several watches are for it. One-shot watches
//! are removed by the change, also if no event is sent. A recursive watch is in the data table and
//! counts for all nodes below its own. No event goes to a client that may not read the node (for
//! ChildrenChanged: the parent).

use std::collections::BTreeMap;

use quorate::jute::client::event;

use crate::workload::model::{Change, parent_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Data,
    Child,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Standard = 1,
    Persistent = 2,
    Recursive = 4,
}

/// By path: the modes of the watches there, as bits.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchTables {
    data: BTreeMap<String, u8>,
    child: BTreeMap<String, u8>,
}

impl WatchTables {
    pub(super) fn add(&mut self, table: Table, path: &str, mode: Mode) {
        *self.table(table).entry(path.to_owned()).or_default() |= mode as u8;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.child.is_empty()
    }

    fn table(&mut self, table: Table) -> &mut BTreeMap<String, u8> {
        match table {
            Table::Data => &mut self.data,
            Table::Child => &mut self.child,
        }
    }

    /// The events of one change, in their order.
    pub(super) fn fire(&mut self, change: &Change) -> Vec<(i32, String)> {
        let mut events = Vec::new();
        let path = &change.path;
        let told = self.trigger(Table::Data, path) | self.watched_above(path);
        if told && change.readable {
            events.push((change.kind, path.clone()));
        }
        if change.kind == event::DELETED
            && self.trigger(Table::Child, path)
            && !told
            && change.readable
        {
            events.push((event::DELETED, path.clone()));
        }
        if let Some((parent, readable)) = &change.parent
            && self.trigger(Table::Child, parent)
            && *readable
        {
            events.push((event::CHILDREN_CHANGED, parent.clone()));
        }
        events
    }

    /// Whether anything watches just this path; one-shot watches go.
    fn trigger(&mut self, table: Table, path: &str) -> bool {
        let table = self.table(table);
        let Some(modes) = table.get_mut(path) else { return false };
        *modes &= !(Mode::Standard as u8);
        if *modes == 0 {
            table.remove(path);
        }
        true
    }

    fn watched_above(&self, path: &str) -> bool {
        let is_recursive =
            |path: &str| self.data.get(path).is_some_and(|modes| modes & Mode::Recursive as u8 > 0);
        let mut above = path;
        while !above.is_empty() {
            above = parent_of(above);
            if is_recursive(if above.is_empty() { "/" } else { above }) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, kind: i32) -> Change {
        let parent = parent_of(path);
        let parent = if parent.is_empty() { "/" } else { parent };
        let parent = (kind != event::DATA_CHANGED).then(|| (parent.to_owned(), true));
        Change { path: path.into(), kind, readable: true, parent }
    }

    #[test]
    fn a_one_shot_watch_goes_and_a_persistent_one_stays() {
        let mut tables = WatchTables::default();
        tables.add(Table::Data, "/a", Mode::Standard);
        tables.add(Table::Data, "/b", Mode::Persistent);
        let changed = |path: &str| vec![(event::DATA_CHANGED, path.to_owned())];
        for (path, times) in [("/a", 1), ("/b", 3)] {
            for n in 0..3 {
                let told = tables.fire(&change(path, event::DATA_CHANGED));
                assert_eq!(told, if n < times { changed(path) } else { vec![] }, "{path} {n}");
            }
        }
    }

    #[test]
    fn a_recursive_watch_hears_of_all_below_and_never_of_children() {
        let mut tables = WatchTables::default();
        tables.add(Table::Data, "/", Mode::Recursive);
        let told = tables.fire(&change("/a/b", event::CREATED));
        assert_eq!(told, [(event::CREATED, "/a/b".to_owned())]);
    }

    #[test]
    fn a_deletion_is_told_once_and_the_untold_child_watch_goes_too() {
        let mut tables = WatchTables::default();
        tables.add(Table::Data, "/a", Mode::Standard);
        tables.add(Table::Child, "/a", Mode::Standard);
        tables.add(Table::Child, "/", Mode::Standard);
        let told = tables.fire(&change("/a", event::DELETED));
        let expected =
            [(event::DELETED, "/a".to_owned()), (event::CHILDREN_CHANGED, "/".to_owned())];
        assert_eq!(told, expected);
        assert!(tables.is_empty());
    }

    #[test]
    fn who_may_not_read_is_not_told_and_loses_the_watch() {
        let mut tables = WatchTables::default();
        tables.add(Table::Data, "/a", Mode::Standard);
        let hidden = Change { readable: false, ..change("/a", event::DATA_CHANGED) };
        assert_eq!(tables.fire(&hidden), []);
        assert!(tables.is_empty());
    }
}
