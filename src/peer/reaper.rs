//! Deletes containers and TTL nodes that nobody uses any more. (ContainerManager)
//!
//! The leader (or a standalone server) looks through them at every interval:
//!
//!     container   empty, and it has had a child (or never had one for `never_used_max`, if set)
//!     TTL node    empty, and neither made nor set within its time
//!
//! and asks for the deletion of each, at most so many a minute, as a request of no session. The
//! answer is not waited for: a node that got a child meanwhile stays (NOTEMPTY), like in Apache.
//!
//! RE-1  the wall clock tells how old a node is, the monotonic one when to look
//!
//! Not here: the deletion itself (prepare/change.rs).

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Mono, Now, SessionId};
use crate::config::ContainerReaping;
use crate::jute::Jute;
use crate::jute::client::{DeleteContainerRequest, op};
use crate::prepare::Request;
use crate::tree::{DataTree, Owner};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reaper {
    check_interval: Duration,
    /// Between two deletions.
    spacing: Duration,
    never_used_max: Duration,
    next_check: Mono,
    next_deletion: Mono,
    /// Paths found by the last check that are not asked for yet.
    candidates: VecDeque<String>,
}

impl Reaper {
    /// The first check is one interval away. `None`: without an interval, or with no deletion a
    /// minute, there is nothing to do.
    pub(super) fn new(now: Now, config: &ContainerReaping) -> Option<Reaper> {
        let spacing = 60_000_u64.checked_div(config.per_minute_max.into())?;
        if config.check_interval.is_zero() {
            return None;
        }
        Some(Reaper {
            check_interval: config.check_interval,
            spacing: Duration::from_millis(spacing),
            never_used_max: config.never_used_max,
            next_check: now.mono + config.check_interval,
            next_deletion: now.mono,
            candidates: VecDeque::new(),
        })
    }

    pub(super) fn wake_at(&self) -> Mono {
        let check = if self.candidates.is_empty() { self.next_check } else { Mono(0) };
        self.next_deletion.max(check)
    }

    /// The next node to delete, if one is due. To be asked until there is none.
    pub(super) fn reap(&mut self, now: Now, tree: &DataTree) -> Option<Request> {
        if now.mono < self.next_deletion {
            return None;
        }
        if self.candidates.is_empty() && now.mono >= self.next_check {
            self.candidates = self.choose_candidates(now, tree);
            self.next_check = next_after(self.next_check, self.check_interval, now.mono);
        }
        let path = self.candidates.pop_front()?;
        tracing::info!(%path, "asking to delete a container or TTL node");
        self.next_deletion = now.mono + self.spacing;
        let record = DeleteContainerRequest { path: Some(path.into()) };
        Some(Request {
            session: SessionId(0),
            cxid: 0,
            op: op::DELETE_CONTAINER,
            body: record.to_jute().into(),
            ..Request::default()
        })
    }

    fn choose_candidates(&self, now: Now, tree: &DataTree) -> VecDeque<String> {
        let never_used_max = i64::try_from(self.never_used_max.as_millis()).unwrap_or(i64::MAX);
        let is_candidate = |path: &&str| {
            let Some(node) = tree.view(path).filter(|node| node.child_count == 0) else {
                return false;
            };
            let age_ms = now.wall_ms.saturating_sub(node.stat.mtime);
            match Owner::of(node.stat.ephemeral_owner) {
                Owner::Container if node.stat.cversion > 0 => true,
                Owner::Container => never_used_max != 0 && age_ms > never_used_max,
                Owner::Ttl(ttl) => ttl != 0 && age_ms > ttl,
                Owner::Nobody | Owner::Session(_) => false,
            }
        };
        tree.containers().chain(tree.ttls()).filter(is_candidate).map(String::from).collect()
    }
}

/// At the interval's own beat, and never in the past: what was missed is not made up for.
fn next_after(last: Mono, interval: Duration, now: Mono) -> Mono {
    let next = last + interval;
    if next > now { next } else { now + interval }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Zxid;
    use crate::jute::txn::{
        CreateContainerTxn, CreateTtlTxn, CreateTxn, DeleteTxn, SetDataTxn, Txn, TxnHeader,
    };

    /// A tree and its transactions: the zxid is the wall clock too.
    #[derive(Default)]
    struct Grove {
        tree: DataTree,
        zxid: i64,
    }

    impl Grove {
        fn apply(&mut self, txn: Txn) {
            self.zxid += 1;
            let (zxid, time) = (Zxid(self.zxid), self.zxid);
            self.tree.apply(&TxnHeader { zxid, time, ..TxnHeader::default() }, &txn);
        }

        fn container(&mut self, path: &str) {
            let txn =
                CreateContainerTxn { path: path.into(), parent_cversion: 1, ..<_>::default() };
            self.apply(Txn::CreateContainer(txn));
        }

        fn ttl(&mut self, path: &str, ttl: i64) {
            let path = path.into();
            let txn = CreateTtlTxn { path, parent_cversion: 1, ttl, ..<_>::default() };
            self.apply(Txn::CreateTtl(txn));
        }

        fn child(&mut self, path: &str) {
            let txn = CreateTxn { path: path.into(), parent_cversion: 1, ..<_>::default() };
            self.apply(Txn::Create(txn));
        }

        fn delete(&mut self, path: &str) {
            self.apply(Txn::Delete(DeleteTxn { path: path.into() }));
        }
    }

    fn at(mono_ms: u64, wall_ms: i64) -> Now {
        Now { mono: Mono(mono_ms * 1_000_000), wall_ms }
    }

    fn config() -> ContainerReaping {
        ContainerReaping { check_interval: Duration::from_secs(1), ..ContainerReaping::default() }
    }

    fn path_of(request: &Request) -> String {
        assert_eq!((request.session, request.cxid, request.op), (SessionId(0), 0, 20));
        let length = i32::from_be_bytes([0, 0, 0, request.body[3]]) as usize;
        String::from_utf8(request.body[4..4 + length].to_vec()).expect("a path")
    }

    /// Everything that is asked for at this moment.
    fn reap(reaper: &mut Reaper, now: Now, tree: &DataTree) -> Vec<String> {
        std::iter::from_fn(|| reaper.reap(now, tree)).map(|r| path_of(&r)).collect()
    }

    #[test]
    fn a_container_goes_when_it_has_had_children_and_has_none() {
        let mut grove = Grove::default();
        for path in ["/fresh", "/full", "/left"] {
            grove.container(path);
        }
        grove.child("/full/x");
        grove.child("/left/x");
        grove.delete("/left/x");
        grove.child("/plain");
        let config = ContainerReaping { per_minute_max: 100_000, ..config() };
        let mut reaper = Reaper::new(at(0, 0), &config).expect("it has an interval");
        assert_eq!(reap(&mut reaper, at(999, i64::MAX), &grove.tree), Vec::<String>::new());
        assert_eq!(reap(&mut reaper, at(1000, i64::MAX), &grove.tree), ["/left"]);
    }

    #[test]
    fn a_container_that_was_never_used_goes_when_a_time_is_set_and_over() {
        let mut grove = Grove::default();
        grove.container("/fresh");
        let never_used_max = Duration::from_millis(500);
        let config = ContainerReaping { never_used_max, per_minute_max: 100_000, ..config() };
        let mut reaper = Reaper::new(at(0, 0), &config).expect("it has an interval");
        assert_eq!(reap(&mut reaper, at(1000, 501), &grove.tree), Vec::<String>::new());
        assert_eq!(reap(&mut reaper, at(2000, 502), &grove.tree), ["/fresh"]);
    }

    #[test]
    fn a_ttl_node_goes_when_it_was_not_set_for_its_time() {
        let mut grove = Grove::default();
        grove.ttl("/t", 100);
        grove.ttl("/with-child", 1);
        grove.child("/with-child/x");
        let config = ContainerReaping { per_minute_max: 100_000, ..config() };
        let mut reaper = Reaper::new(at(0, 0), &config).expect("it has an interval");
        assert_eq!(reap(&mut reaper, at(1000, 101), &grove.tree), Vec::<String>::new());
        grove.apply(Txn::SetData(SetDataTxn { path: "/t".into(), data: None, version: 1 }));
        let set_at = grove.zxid;
        let none = reap(&mut reaper, at(2000, set_at + 100), &grove.tree);
        assert_eq!(none, Vec::<String>::new());
        assert_eq!(reap(&mut reaper, at(3000, set_at + 101), &grove.tree), ["/t"]);
        // It is asked for again until it is gone: another leader's answer may never have come.
        assert_eq!(reap(&mut reaper, at(4000, set_at + 101), &grove.tree), ["/t"]);
    }

    #[test]
    fn deletions_are_spaced_and_the_next_check_waits_for_them() {
        let mut grove = Grove::default();
        for path in ["/1", "/2", "/3"] {
            grove.ttl(path, 1);
        }
        let config = ContainerReaping { per_minute_max: 60, ..config() };
        let mut reaper = Reaper::new(at(0, 0), &config).expect("it has an interval");
        assert_eq!(reaper.wake_at(), at(1000, 0).mono);
        for (ms, path) in [(1000, "/1"), (2000, "/2"), (3000, "/3")] {
            assert_eq!(reaper.wake_at(), at(ms, 0).mono);
            assert_eq!(reap(&mut reaper, at(ms, 99), &grove.tree), [path]);
        }
        // The checks that were due meanwhile are one, and it comes a space behind the last.
        assert_eq!(reaper.wake_at(), at(4000, 0).mono);
        for path in ["/1", "/2", "/3"] {
            grove.delete(path);
        }
        assert_eq!(reap(&mut reaper, at(4000, 99), &grove.tree), Vec::<String>::new());
        assert_eq!(reaper.wake_at(), at(5000, 0).mono);
    }

    #[test]
    fn without_an_interval_or_a_deletion_a_minute_nothing_is_reaped() {
        let never = ContainerReaping { check_interval: Duration::ZERO, ..config() };
        assert!(Reaper::new(at(0, 0), &never).is_none());
        let none = ContainerReaping { per_minute_max: 0, ..config() };
        assert!(Reaper::new(at(0, 0), &none).is_none());
    }
}
