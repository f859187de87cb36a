//! Whatever is asked, the tree comes out as it was foretold.

use bytes::Bytes;

use super::PrepareOptions;
use super::testing::{OTHER, SESSION, World, check, creation, multi, ttl_creation};
use crate::base::{SessionId, splitmix};
use crate::jute::Jute;
use crate::jute::client::{DeleteContainerRequest, DeleteRequest, SetAclRequest, op};
use crate::jute::data::{Acl, perms};
use crate::jute::txn::kind;
use crate::prepare::Request;

/// State of a [`splitmix`].
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        splitmix::next(&mut self.0) % end
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    /// Few names, so that requests meet.
    fn path(&mut self) -> String {
        let depth = self.below(3) + 1;
        (0..depth).map(|_| self.of(&["/a", "/b", "/c"])).collect()
    }

    fn version(&mut self) -> i32 {
        self.of(&[-1, -1, -1, 0, 1])
    }

    fn acl(&mut self) -> Vec<Acl> {
        let allowed = self.of(&[perms::ALL, perms::ALL, perms::ALL & !perms::DELETE]);
        vec![Acl { perms: allowed, ..Acl::open().remove(0) }]
    }

    /// What may stand in a multi.
    fn part(&mut self) -> (i32, Vec<u8>) {
        let path = self.path();
        match self.below(10) {
            0..=2 => {
                let op = self.of(&[op::CREATE, op::CREATE2]);
                let flags = self.of(&[0, 0, 1, 2, 3, 4]);
                (op, creation(&path, flags).to_jute())
            }
            3 => (op::CREATE_CONTAINER, creation(&path, self.of(&[4, 0, 2])).to_jute()),
            4 => (op::CREATE_TTL, ttl_creation(&path, self.of(&[5, 6]), 1000).to_jute()),
            5 => (op::DELETE, DeleteRequest { path, version: self.version() }.to_jute()),
            6 => (op::DELETE, DeleteRequest { path, version: -1 }.to_jute()),
            7 => check(&path, self.version()),
            _ => super::testing::set(&path, self.version()),
        }
    }

    fn request(&mut self) -> (i32, Bytes) {
        match self.below(12) {
            0..=3 => {
                let parts: Vec<_> = (0..self.below(5)).map(|_| self.part()).collect();
                (op::MULTI, multi(&parts))
            }
            4 => {
                let path = Some(Bytes::from(self.path()));
                (op::DELETE_CONTAINER, DeleteContainerRequest { path }.to_jute().into())
            }
            5 | 6 => {
                let (path, acl) = (self.path(), Some(self.acl()));
                let request = SetAclRequest { path, acl, version: self.version() };
                (op::SET_ACL, request.to_jute().into())
            }
            _ => {
                let (op, body) = self.part();
                (op, body.into())
            }
        }
    }
}

/// What came of a run: how often each kind of transaction was made, and failed multis.
#[derive(Default)]
struct Seen {
    kinds: std::collections::BTreeMap<i32, usize>,
    failed_multis: usize,
}

fn run(seed: u64, seen: &mut Seen) {
    let mut draw = Draw(seed);
    let mut world =
        World::with(PrepareOptions { extended_types: true, ..PrepareOptions::default() });
    for step in 0..400 {
        let session = draw.of(&[SESSION, SESSION, OTHER]);
        let (op, body) = match draw.below(60) {
            0 => (op::CLOSE_SESSION, Bytes::new()),
            _ => draw.request(),
        };
        let origin = super::testing::LINK;
        let request = Request { session, cxid: step, op, body, origin, ..Request::default() };
        let proposal = world.send(&request);
        *seen.kinds.entry(proposal.header.kind).or_default() += 1;
        if let crate::jute::txn::Txn::Multi(parts) = &proposal.txn {
            seen.failed_multis += usize::from(parts.iter().any(|(_, part)| part.is_error()));
        }
        if op == op::CLOSE_SESSION {
            revive(&mut world, session);
        }
        // Mostly the tree lags behind by a few transactions; `catch_up` holds every predicted
        // digest against the tree's.
        if draw.below(4) == 0 {
            world.catch_up();
            let (digest, state) = world.tree.audit_digests();
            assert_eq!((digest, state), (world.tree.digest(), world.tree.state_digest()));
        }
    }
    world.catch_up();
}

fn revive(world: &mut World, session: SessionId) {
    world.sessions.remove(session);
    world.sessions.add(session, 4000, crate::base::Mono(0));
}

#[test]
fn the_predicted_digest_is_the_trees_after_every_transaction() {
    let mut seen = Seen::default();
    for seed in 0..60 {
        run(seed, &mut seen);
    }
    for kind in [
        kind::ERROR,
        kind::CLOSE_SESSION,
        kind::CREATE,
        kind::DELETE,
        kind::SET_DATA,
        kind::SET_ACL,
        kind::MULTI,
        kind::CREATE2,
        kind::CREATE_CONTAINER,
        kind::DELETE_CONTAINER,
        kind::CREATE_TTL,
    ] {
        assert!(seen.kinds.get(&kind).is_some_and(|count| *count > 20), "{kind}: {:?}", seen.kinds);
    }
    assert!(seen.failed_multis > 100, "{}", seen.failed_multis);
}
