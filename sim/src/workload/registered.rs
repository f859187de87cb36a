//! Which watches a client believes to have.                        (ZKWatchManager.java)
//!
//! A watch is one of a client's own from the reply that set it to the event that takes it along.
//! On a new connection of the same session the client sets all of them again.

use std::collections::BTreeSet;

use quorate::base::Zxid;
use quorate::jute::client::{code, event};

use super::op::{Op, Rewatch};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Registered {
    pub(super) data: BTreeSet<String>,
    /// Of nodes that were missing.
    pub(super) exist: BTreeSet<String>,
    pub(super) child: BTreeSet<String>,
    pub(super) persistent: BTreeSet<String>,
    pub(super) recursive: BTreeSet<String>,
}

impl Registered {
    /// A request was answered with this error or none.
    pub(super) fn answered(&mut self, op: &Op, err: i32) {
        let (list, path) = match (op, err) {
            (Op::Get { path, watch: true } | Op::Exists { path, watch: true }, code::OK) => {
                (&mut self.data, path)
            }
            (Op::Exists { path, watch: true }, code::NO_NODE) => (&mut self.exist, path),
            (Op::List { path, watch: true }, code::OK) => (&mut self.child, path),
            (Op::AddWatch { path, recursive: false }, code::OK) => (&mut self.persistent, path),
            (Op::AddWatch { path, recursive: true }, code::OK) => (&mut self.recursive, path),
            _ => return,
        };
        list.insert(path.clone());
    }

    /// An event takes the one-shot watches along that it is for.
    pub(super) fn fired(&mut self, kind: i32, path: &str) {
        if kind != event::CHILDREN_CHANGED {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if matches!(kind, event::CHILDREN_CHANGED | event::DELETED) {
            self.child.remove(path);
        }
    }

    /// What a new connection begins with; `None` if nothing is watched.
    pub(super) fn again(&self, relative_zxid: Zxid) -> Option<Op> {
        if *self == Registered::default() {
            return None;
        }
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect();
        Some(Op::SetWatches(Box::new(Rewatch {
            relative_zxid,
            data: list(&self.data),
            exist: list(&self.exist),
            child: list(&self.child),
            persistent: list(&self.persistent),
            recursive: list(&self.recursive),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_one_shot_watches_along_and_no_others() {
        let mut own = Registered::default();
        assert_eq!(own.again(Zxid(3)), None);
        let path = || "/a".to_owned();
        own.answered(&Op::Get { path: path(), watch: true }, code::OK);
        own.answered(&Op::List { path: path(), watch: true }, code::OK);
        own.answered(&Op::AddWatch { path: path(), recursive: false }, code::OK);
        own.answered(&Op::Exists { path: "/b".into(), watch: true }, code::NO_NODE);
        own.answered(&Op::Get { path: "/b".into(), watch: true }, code::NO_NODE);
        own.fired(event::DATA_CHANGED, "/a");
        assert_eq!((own.data.len(), own.child.len(), own.persistent.len()), (0, 1, 1));
        own.fired(event::DELETED, "/a");
        assert_eq!((own.child.len(), own.persistent.len()), (0, 1));
        assert_eq!((own.exist.len(), own.data.len()), (1, 0));
    }
}
