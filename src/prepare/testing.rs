//! For the tests of this folder: a leader's `Prepare`, and a tree that has applied less than was
//! prepared.

use std::time::Duration;

use bytes::Bytes;

use super::{Prepare, PrepareOptions, read};
use crate::base::{Mono, Now, SessionId, Zxid};
use crate::jute::Jute;
use crate::jute::client::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteContainerRequest, DeleteRequest,
    MultiHeader, SetAclRequest, SetDataRequest, op,
};
use crate::jute::data::{Acl, Id};
use crate::jute::txn::{Proposal, SetAclTxn, Txn, TxnHeader, kind};
use crate::prepare::Request;
use crate::session::SessionTracker;
use crate::tree::DataTree;

pub(super) const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);
pub(super) const OTHER: SessionId = SessionId(0x0100_0000_0000_0002);
pub(super) const LINK: u64 = 7;

/// A leader's prepare, with a tree that lags behind until told to catch up.
pub(super) struct World {
    pub(super) prepare: Prepare,
    pub(super) tree: DataTree,
    pub(super) sessions: SessionTracker,
    pub(super) zxid: i64,
    pub(super) pending: Vec<Proposal>,
}

impl World {
    pub(super) fn new() -> World {
        World::with(PrepareOptions::default())
    }

    pub(super) fn with(options: PrepareOptions) -> World {
        let mut sessions = SessionTracker::new(Duration::from_millis(2000));
        for session in [SESSION, OTHER] {
            sessions.add(session, 4000, Mono(0));
        }
        let (prepare, tree) = (Prepare::new(options), DataTree::new());
        World { prepare, tree, sessions, zxid: 0, pending: Vec::new() }
    }

    pub(super) fn send(&mut self, request: &Request) -> Proposal {
        self.zxid += 1;
        let zxid = Zxid(self.zxid);
        let now = Now { mono: Mono(0), wall_ms: 1000 + self.zxid };
        let proposal = self.prepare.prepare(request, zxid, now, &self.tree, &mut self.sessions);
        assert_eq!(proposal.zxid(), zxid);
        self.pending.push(proposal.clone());
        proposal
    }

    pub(super) fn ask(&mut self, session: SessionId, op: i32, body: impl Jute) -> Result<Txn, i32> {
        self.ask_as(session, op, body, vec![])
    }

    pub(super) fn ask_as(
        &mut self,
        session: SessionId,
        op: i32,
        body: impl Jute,
        auth: Vec<Id>,
    ) -> Result<Txn, i32> {
        let body = Bytes::from(body.to_jute());
        assert!(decodable(op, &body));
        self.ask_bytes(session, op, body, auth)
    }

    pub(super) fn ask_bytes(
        &mut self,
        session: SessionId,
        op: i32,
        body: Bytes,
        auth: Vec<Id>,
    ) -> Result<Txn, i32> {
        let request = Request {
            session,
            cxid: 5,
            op,
            body,
            auth: auth.into(),
            origin: LINK,
            ..Request::default()
        };
        let proposal = self.send(&request);
        assert_eq!((proposal.header.client_id, proposal.header.cxid), (session, 5));
        match proposal.txn {
            Txn::Error(error) => {
                assert_eq!((proposal.header.kind, proposal.digest), (kind::ERROR, None), "PR-2");
                Err(error.err)
            }
            txn => {
                assert_eq!(proposal.header.kind, op);
                Ok(txn)
            }
        }
    }

    /// Applies everything, and holds every predicted digest against the tree's.
    pub(super) fn catch_up(&mut self) {
        for proposal in self.pending.drain(..) {
            self.tree.apply(&proposal.header, &proposal.txn);
            self.prepare.applied(proposal.zxid());
            if let Some(digest) = &proposal.digest {
                assert_eq!(digest.tree_digest as u64, self.tree.digest(), "PR-2 {proposal:?}");
            }
        }
        assert_eq!(self.prepare.outstanding(), 0);
        assert!(self.prepare.records.is_empty());
    }

    pub(super) fn create(&mut self, path: &str, flags: i32) -> Result<Txn, i32> {
        self.ask(SESSION, op::CREATE, creation(path, flags))
    }

    pub(super) fn created(&mut self, path: &str, flags: i32) -> String {
        match self.create(path, flags) {
            Ok(Txn::Create(create)) => create.path,
            other => panic!("not created: {other:?}"),
        }
    }

    pub(super) fn create_ttl(&mut self, path: &str, flags: i32, ttl: i64) -> Result<Txn, i32> {
        self.ask(SESSION, op::CREATE_TTL, ttl_creation(path, flags, ttl))
    }

    pub(super) fn delete_container(&mut self, path: &str) -> Result<Txn, i32> {
        let path = Some(Bytes::copy_from_slice(path.as_bytes()));
        self.ask(SessionId(0), op::DELETE_CONTAINER, DeleteContainerRequest { path })
    }

    pub(super) fn set_acl(&mut self, path: &str, acl: Vec<Acl>, version: i32) -> Result<Txn, i32> {
        let request = SetAclRequest { path: path.into(), acl: Some(acl), version };
        self.ask(SESSION, op::SET_ACL, request)
    }

    /// The parts of the transaction that a multi of these operations becomes.
    pub(super) fn multi(&mut self, ops: &[(i32, Vec<u8>)]) -> Result<Vec<(i32, Txn)>, i32> {
        match self.ask_bytes(SESSION, op::MULTI, multi(ops), vec![])? {
            Txn::Multi(parts) => Ok(parts),
            other => panic!("no multi: {other:?}"),
        }
    }

    pub(super) fn delete(&mut self, path: &str, version: i32) -> Result<Txn, i32> {
        self.ask(SESSION, op::DELETE, DeleteRequest { path: path.into(), version })
    }

    pub(super) fn set_data(&mut self, path: &str, version: i32) -> Result<Txn, i32> {
        let data = Some(Bytes::from_static(b"new"));
        self.ask(SESSION, op::SET_DATA, SetDataRequest { path: path.into(), data, version })
    }

    pub(super) fn close(&mut self, session: SessionId) -> Vec<String> {
        let request = Request { session, op: op::CLOSE_SESSION, ..Request::default() };
        match self.send(&request).txn {
            Txn::CloseSession(Some(close)) => close.paths_to_delete,
            other => panic!("not closed: {other:?}"),
        }
    }

    /// Past prepare: what another leader might have left.
    pub(super) fn apply(&mut self, txn: Txn) {
        self.catch_up();
        self.zxid += 1;
        let header = TxnHeader { client_id: OTHER, zxid: Zxid(self.zxid), ..Default::default() };
        self.tree.apply(&header, &txn);
    }

    pub(super) fn restrict(&mut self, path: &str, perms: i32) {
        let acl = Some(vec![Acl { perms, ..Acl::open().remove(0) }]);
        self.apply(Txn::SetAcl(SetAclTxn { path: path.into(), acl, version: 1 }));
    }
}

pub(super) fn creation(path: &str, flags: i32) -> CreateRequest {
    let data = Some(Bytes::from_static(b"data"));
    CreateRequest { path: path.into(), data, acl: Some(Acl::open()), flags }
}

pub(super) fn ttl_creation(path: &str, flags: i32, ttl: i64) -> CreateTtlRequest {
    let CreateRequest { path, data, acl, flags } = creation(path, flags);
    CreateTtlRequest { path, data, acl, flags, ttl }
}

/// The body of a multi.
pub(super) fn multi(ops: &[(i32, Vec<u8>)]) -> Bytes {
    let mut body = Vec::new();
    for (op, record) in ops {
        MultiHeader { kind: *op, done: false, err: -1 }.encode(&mut body);
        body.extend_from_slice(record);
    }
    MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut body);
    body.into()
}

pub(super) fn create(path: &str, flags: i32) -> (i32, Vec<u8>) {
    (op::CREATE, creation(path, flags).to_jute())
}

pub(super) fn delete(path: &str, version: i32) -> (i32, Vec<u8>) {
    (op::DELETE, DeleteRequest { path: path.into(), version }.to_jute())
}

pub(super) fn set(path: &str, version: i32) -> (i32, Vec<u8>) {
    let data = Some(Bytes::from_static(b"set"));
    (op::SET_DATA, SetDataRequest { path: path.into(), data, version }.to_jute())
}

pub(super) fn check(path: &str, version: i32) -> (i32, Vec<u8>) {
    (op::CHECK, CheckVersionRequest { path: path.into(), version }.to_jute())
}

/// Whether it may go to the leader.
pub(super) fn decodable(op: i32, body: &Bytes) -> bool {
    read(op, body).is_some()
}
