//! What is watched: by an event it is known who was meant, and after a reconnect the server is told
//! again.      (ZKWatchManager, SendThread.primeConnection)
//!
//! Paths are as the server knows them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::event::EventKind;
use super::request::WatchedAs;
use crate::base::Zxid;
use crate::jute::Jute;
use crate::jute::client::{SetWatches, SetWatches2, op};

/// A request that tells of watches has about so many bytes of paths at most. (ClientCnxn)
const SET_WATCHES_BYTES_MAX: usize = 128 * 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Watches(BTreeMap<WatchedAs, BTreeSet<String>>);

impl Watches {
    pub(super) fn add(&mut self, kind: WatchedAs, path: String) {
        self.0.entry(kind).or_default().insert(path);
    }

    /// Takes what this event fires once. Answers whether anything watches.
    pub(super) fn fire(&mut self, kind: EventKind, path: &str) -> bool {
        let once: &[WatchedAs] = match kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => {
                &[WatchedAs::Data, WatchedAs::Exists]
            }
            EventKind::NodeChildrenChanged => &[WatchedAs::Children],
            EventKind::NodeDeleted => &[WatchedAs::Data, WatchedAs::Exists, WatchedAs::Children],
            _ => &[],
        };
        let mut fired = self.has(WatchedAs::Persistent, path);
        for kind in once {
            fired |= self.take(*kind, path);
        }
        // Recursive watches know nothing of children: those have events of their own.
        fired || (kind != EventKind::NodeChildrenChanged && self.is_below_recursive(path))
    }

    /// Takes all of this type at the path; what their watchers are told.
    pub(super) fn remove(&mut self, kind: i32, path: &str) -> BTreeSet<WatchedAs> {
        let of_kind = WatchedAs::ALL.into_iter().filter(|watched| watched.is_of(kind));
        of_kind.filter(|watched| self.take(*watched, path)).collect()
    }

    fn has(&self, kind: WatchedAs, path: &str) -> bool {
        self.0.get(&kind).is_some_and(|paths| paths.contains(path))
    }

    fn take(&mut self, kind: WatchedAs, path: &str) -> bool {
        self.0.get_mut(&kind).is_some_and(|paths| paths.remove(path))
    }

    fn is_below_recursive(&self, path: &str) -> bool {
        let Some(roots) = self.0.get(&WatchedAs::PersistentRecursive) else { return false };
        let mut rest = path;
        loop {
            if roots.contains(if rest.is_empty() { "/" } else { rest }) {
                return true;
            }
            match rest.rfind('/') {
                Some(at) => rest = &rest[..at],
                None => return false,
            }
        }
    }

    /// The requests, as op and record, that tell a server of everything: it fires at once what has
    /// happened since that zxid.
    pub(super) fn requests(&self, since: Zxid) -> Vec<(i32, Vec<u8>)> {
        let mut all =
            self.0.iter().flat_map(|(kind, paths)| paths.iter().map(|path| (*kind, path)));
        let mut next = all.next();
        let mut requests = Vec::new();
        while next.is_some() {
            let mut batch = SetWatches2 { relative_zxid: since, ..SetWatches2::default() };
            let mut bytes = 0;
            while let Some((kind, path)) = next.filter(|_| bytes < SET_WATCHES_BYTES_MAX) {
                let list = match kind {
                    WatchedAs::Data => &mut batch.data_watches,
                    WatchedAs::Exists => &mut batch.exist_watches,
                    WatchedAs::Children => &mut batch.child_watches,
                    WatchedAs::Persistent => &mut batch.persistent_watches,
                    WatchedAs::PersistentRecursive => &mut batch.persistent_recursive_watches,
                };
                bytes += path.len();
                list.push(path.clone());
                next = all.next();
            }
            requests.push(request(batch));
        }
        requests
    }
}

/// Servers before 3.6 know nothing of SetWatches2, and it is not needed without persistent watches.
fn request(batch: SetWatches2) -> (i32, Vec<u8>) {
    if !batch.persistent_watches.is_empty() || !batch.persistent_recursive_watches.is_empty() {
        return (op::SET_WATCHES2, batch.to_jute());
    }
    let SetWatches2 { relative_zxid, data_watches, exist_watches, child_watches, .. } = batch;
    let plain = SetWatches { relative_zxid, data_watches, exist_watches, child_watches };
    (op::SET_WATCHES, plain.to_jute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Reader;
    use crate::jute::client::watcher_type;

    #[test]
    fn what_fires_once_is_gone_and_what_persists_stays() {
        let mut watches = Watches::default();
        watches.add(WatchedAs::Data, "/a".into());
        assert!(!watches.fire(EventKind::NodeChildrenChanged, "/a"));
        assert!(watches.fire(EventKind::NodeDataChanged, "/a"));
        assert!(!watches.fire(EventKind::NodeDataChanged, "/a"));
        watches.add(WatchedAs::Persistent, "/a".into());
        assert!(watches.fire(EventKind::NodeChildrenChanged, "/a"));
        assert!(watches.fire(EventKind::NodeChildrenChanged, "/a"));
        watches.add(WatchedAs::PersistentRecursive, "/r".into());
        assert!(watches.fire(EventKind::NodeCreated, "/r/x/y"));
        assert!(!watches.fire(EventKind::NodeChildrenChanged, "/r/x"));
        assert!(!watches.fire(EventKind::NodeCreated, "/rest"));
        watches.add(WatchedAs::PersistentRecursive, "/".into());
        assert!(watches.fire(EventKind::NodeCreated, "/rest"));
    }

    #[test]
    fn watches_are_removed_by_type() {
        let mut watches = Watches::default();
        for kind in WatchedAs::ALL {
            watches.add(kind, "/a".into());
        }
        let removed = watches.remove(watcher_type::DATA, "/a");
        assert_eq!(removed, [WatchedAs::Data, WatchedAs::Exists].into());
        assert_eq!(watches.remove(watcher_type::ANY, "/a").len(), 3);
        assert!(watches.requests(Zxid(1)).is_empty());
    }

    #[test]
    fn servers_of_3_5_are_told_in_their_own_way_and_requests_stay_short() {
        let mut watches = Watches::default();
        watches.add(WatchedAs::Children, "/c".into());
        let requests = watches.requests(Zxid(7));
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].0, op::SET_WATCHES);
        for n in 0..50 {
            watches.add(WatchedAs::PersistentRecursive, format!("/{n}{}", "x".repeat(8000)));
        }
        let requests = watches.requests(Zxid(7));
        let read = |body: &[u8]| SetWatches2::decode(&mut Reader::new(body.to_vec().into()));
        let told: usize = requests
            .iter()
            .map(|(_, body)| read(body).expect("a record").persistent_recursive_watches.len())
            .sum();
        assert_eq!((requests.len(), told), (3, 50));
        assert!(requests.iter().all(|(_, body)| body.len() < SET_WATCHES_BYTES_MAX + 9000));
    }
}
