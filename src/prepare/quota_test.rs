//! Which writes a quota stops, as `prepare` answers them.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::base::{Now, SessionId, Zxid};
use crate::jute::Jute;
use crate::jute::client::{CreateRequest, MultiHeader, SetDataRequest, op};
use crate::jute::data::Acl;
use crate::jute::txn::{Proposal, Txn};
use crate::prepare::{Prepare, PrepareOptions, Request};
use crate::session::SessionTracker;

const SESSION: SessionId = SessionId(1);

struct World {
    prepare: Prepare,
    tree: DataTree,
    sessions: SessionTracker,
    zxid: i64,
    on_the_way: Vec<Proposal>,
}

impl World {
    /// /a with 4 bytes, and a quota on it.
    fn new(enforce: bool, limits: &str) -> World {
        let mut sessions = SessionTracker::new(Duration::from_secs(2));
        sessions.add(SESSION, 4000, Mono(0));
        let mut world = World {
            prepare: Prepare::new(PrepareOptions {
                enforce_quota: enforce,
                ..PrepareOptions::default()
            }),
            tree: DataTree::new(),
            sessions,
            zxid: 0,
            on_the_way: Vec::new(),
        };
        let stats = "/zookeeper/quota/a/zookeeper_stats";
        let quota = [("/zookeeper/quota/a", ""), ("/zookeeper/quota/a/zookeeper_limits", limits)];
        for (path, data) in [("/a", "four")].into_iter().chain(quota).chain([(stats, "")]) {
            assert_eq!(world.create(path, data), Ok(()), "{path}");
            world.catch_up();
        }
        world
    }

    fn ask(&mut self, op: i32, body: Vec<u8>) -> Result<(), i32> {
        self.zxid += 1;
        let request = Request { session: SESSION, op, body: body.into(), ..Request::default() };
        let now = Now { mono: Mono(0), wall_ms: 0 };
        let zxid = Zxid(self.zxid);
        let proposal = self.prepare.prepare(&request, zxid, now, &self.tree, &mut self.sessions);
        let result = match &proposal.txn {
            Txn::Error(error) => Err(error.err),
            _ => Ok(()),
        };
        self.on_the_way.push(proposal);
        result
    }

    fn create(&mut self, path: &str, data: &str) -> Result<(), i32> {
        let data = Some(Bytes::copy_from_slice(data.as_bytes()));
        let create = CreateRequest { path: path.into(), data, acl: Some(Acl::open()), flags: 0 };
        self.ask(op::CREATE, create.to_jute())
    }

    fn set(&mut self, path: &str, data: &str) -> Result<(), i32> {
        let data = Some(Bytes::copy_from_slice(data.as_bytes()));
        let set = SetDataRequest { path: path.into(), data, version: -1 };
        self.ask(op::SET_DATA, set.to_jute())
    }

    fn catch_up(&mut self) {
        for proposal in self.on_the_way.drain(..) {
            self.tree.apply(&proposal.header, &proposal.txn);
            self.prepare.applied(proposal.zxid());
        }
    }
}

#[test]
fn a_create_beyond_the_hard_count_is_refused_at_and_below_the_path() {
    let mut world = World::new(true, "count=-1,bytes=-1=;countHardLimit=2");
    assert_eq!(world.create("/a/x", ""), Ok(()));
    world.catch_up();
    assert_eq!(world.create("/a/y", ""), Err(code::QUOTA_EXCEEDED));
    assert_eq!(world.create("/a/x/y", ""), Err(code::QUOTA_EXCEEDED));
    assert_eq!(world.create("/b", ""), Ok(()), "another subtree");
    assert_eq!(world.set("/a/x", "long data"), Ok(()), "it changes no count");
}

#[test]
fn a_write_beyond_the_hard_bytes_is_refused_and_one_up_to_them_is_not() {
    let mut world = World::new(true, "byteHardLimit=6");
    assert_eq!(world.create("/a/x", "333"), Err(code::QUOTA_EXCEEDED));
    assert_eq!(world.create("/a/x", "22"), Ok(()));
    world.catch_up();
    assert_eq!(world.set("/a", "5five"), Err(code::QUOTA_EXCEEDED));
    assert_eq!(world.create("/a/y", ""), Ok(()), "it brings no bytes");
    assert_eq!(world.set("/a", "4444"), Ok(()));
    assert_eq!(world.set("/a", "1"), Ok(()));
}

#[test]
fn data_on_the_way_is_what_a_write_replaces_and_usage_is_the_trees() {
    let mut world = World::new(true, "byteHardLimit=10");
    assert_eq!(world.set("/a", "0123456789"), Ok(()));
    // 4 applied, and 10 on the way to be replaced by 16: 4 + 6.
    assert_eq!(world.set("/a", "0123456789abcdef"), Ok(()));
    world.catch_up();
    assert_eq!(world.set("/a", "0123456789abcdefg"), Err(code::QUOTA_EXCEEDED));
    assert_eq!(world.set("/a", "0123456789abcde"), Err(code::QUOTA_EXCEEDED), "still beyond it");
}

#[test]
fn a_multi_fails_as_a_whole_over_one_part_beyond_a_quota() {
    let mut world = World::new(true, "byteHardLimit=6");
    let create = |path: &str, data: &'static [u8]| {
        let (path, acl, data) = (path.to_owned(), Some(Acl::open()), Some(data.into()));
        CreateRequest { path, data, acl, flags: 0 }.to_jute()
    };
    let mut body = Vec::new();
    for (path, data) in [("/b", &b"long data"[..]), ("/a/x", &b"333"[..])] {
        body.extend(MultiHeader { kind: op::CREATE, done: false, err: -1 }.to_jute());
        body.extend(create(path, data));
    }
    body.extend(MultiHeader { kind: -1, done: true, err: -1 }.to_jute());
    world.ask(op::MULTI, body).expect("a multi is a transaction even if it fails");
    let Some(Txn::Multi(parts)) = world.on_the_way.last().map(|proposal| &proposal.txn) else {
        panic!("no multi");
    };
    let failed = |part: &Txn| match part {
        Txn::Error(error) => Some(error.err),
        _ => None,
    };
    assert_eq!(failed(&parts[1].1), Some(code::QUOTA_EXCEEDED));
    world.catch_up();
    assert_eq!(world.create("/b", ""), Ok(()), "nothing of it was done");
}

#[test]
fn soft_limits_and_quotas_that_are_not_enforced_refuse_nothing() {
    let mut soft = World::new(true, "count=1,bytes=1");
    assert_eq!(soft.create("/a/x", "data"), Ok(()));
    let mut lax = World::new(false, "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1");
    assert_eq!(lax.create("/a/x", "data"), Ok(()));
    assert_eq!(lax.set("/a", "more data"), Ok(()));
}

#[test]
fn a_hard_limit_of_one_quantity_leaves_the_other_soft() {
    let mut world = World::new(true, "count=1,bytes=100=;byteHardLimit=5");
    assert_eq!(world.create("/a/x", ""), Ok(()));
    assert_eq!(world.create("/a/y", "22"), Err(code::QUOTA_EXCEEDED), "100 means nothing");
}

#[test]
fn the_parent_is_looked_at_before_the_quota_and_the_version_after() {
    let mut world = World::new(true, "byteHardLimit=4");
    assert_eq!(world.create("/a/gone/x", "12345"), Err(code::NO_NODE));
    let data = Some(Bytes::from_static(b"12345"));
    let set = SetDataRequest { path: "/a".into(), data, version: 77 };
    assert_eq!(world.ask(op::SET_DATA, set.to_jute()), Err(code::QUOTA_EXCEEDED));
}

#[test]
fn limits_that_are_none_refuse_every_write_where_quotas_are_enforced() {
    for (enforce, result) in [(true, Err(code::MARSHALLING_ERROR)), (false, Ok(()))] {
        let mut world = World::new(enforce, "nonsense");
        assert_eq!(world.create("/a/x", ""), result);
    }
}

#[test]
fn the_same_warning_comes_once_an_interval() {
    let mut check = QuotaCheck::new(false);
    let exceeded = |wanted| Quantity { name: "nodes", wanted, soft: 1, hard: -1 };
    let at = |millis| Mono(0) + Duration::from_millis(millis);
    let told = |check: &QuotaCheck| check.warned.as_ref().map(|(at, _)| *at);
    check.warn("/a", &exceeded(2), at(0));
    check.warn("/a", &exceeded(2), at(99));
    assert_eq!(told(&check), Some(at(0)));
    check.warn("/a", &exceeded(2), at(100));
    assert_eq!(told(&check), Some(at(100)));
    check.warn("/a", &exceeded(3), at(101));
    assert_eq!(told(&check), Some(at(101)));
}
