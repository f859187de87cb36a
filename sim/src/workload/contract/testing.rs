//! A small correct history, built call by call: transactions, connections, answers, events. A test
//! puts one mistake into it and asserts that the check finds it.

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate::base::{Epoch, ServerId, SessionId, Stamp, Zxid};
use quorate::jute::client::code;
use quorate::jute::txn::{
    CloseSessionTxn, CreateTxn, DeleteTxn, ErrorTxn, Proposal, SetDataTxn, Txn, TxnHeader, kind,
};

use super::{Evidence, Judgement, judge};
use crate::checkers::LeaderDeeds;
use crate::workload::history::{Connection, Frame, History, Outcome, Record, WatchEvent};
use crate::workload::model::Model;
use crate::workload::op::{Answer, Create, Op};

/// The session of most tests.
pub(super) const S: SessionId = SessionId(5);

pub(super) fn z(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

/// Builds what clients did and saw, and what was committed, in the order of the calls.
#[derive(Debug, Default)]
pub(super) struct ClientScript {
    pub(super) history: History,
    pub(super) sequence: Vec<Proposal>,
    pub(super) model: Model,
    pub(super) deeds: LeaderDeeds,
    pub(super) observers: BTreeSet<ServerId>,
    pub(super) strict_sync: bool,
    pub(super) now: u64,
    xid: i32,
}

impl ClientScript {
    /// One client's session on server 1, and `/a` with a child.
    pub(super) fn new() -> ClientScript {
        let mut script = ClientScript::default();
        script.connect(S, 1);
        script.write(ClientScript::create("/a", false));
        script.write(ClientScript::create("/a/b", false));
        script
    }

    pub(super) fn create(path: &str, ephemeral: bool) -> Op {
        let data = Bytes::from_static(b"v");
        Op::Create(Create { path: path.into(), data, ephemeral, ..Create::default() })
    }

    pub(super) fn set(path: &str, version: i32) -> Op {
        Op::Set { path: path.into(), data: Bytes::from_static(b"w"), version }
    }

    pub(super) fn tick(&mut self) -> Stamp {
        self.now += 10;
        Stamp(self.now)
    }

    /// A new connection; the answers that follow are its own.
    pub(super) fn connect(&mut self, session: SessionId, server: i64) {
        let opened = self.tick();
        self.history.sessions.insert(session, "c1".into());
        self.history.connect(Connection {
            client: "c1".into(),
            session,
            server: ServerId(server),
            opened,
            read_only: false,
            frames: Vec::new(),
        });
    }

    fn connection(&mut self) -> &mut Connection {
        self.history.connections.last_mut().expect("every script begins with a connection")
    }

    pub(super) fn read_only(&mut self) {
        self.connection().read_only = true;
    }

    /// A request that was asked, and is not answered yet; its number.
    pub(super) fn ask(&mut self, op: Op) -> usize {
        let invoked = self.tick();
        self.xid += 1;
        let (xid, connection) = (self.xid, self.connection());
        let (client, session, server) =
            (connection.client.clone(), connection.session, connection.server);
        let read_only = connection.read_only;
        let outcome = None;
        let record = Record { client, session, xid, server, read_only, op, invoked, outcome };
        self.history.invoke(record)
    }

    pub(super) fn answer(&mut self, n: usize, zxid: Zxid, err: i32, answer: Option<Answer>) {
        let at = self.tick();
        self.history.complete(n, Outcome::Reply { at, zxid, err, answer });
        self.connection().frames.push(Frame::Reply(n));
    }

    /// An answer at the state of now.
    pub(super) fn read(&mut self, op: Op, err: i32, answer: Option<Answer>) {
        let n = self.ask(op);
        let zxid = self.last();
        self.answer(n, zxid, err, answer);
    }

    /// A true answer to getData or exists.
    pub(super) fn get(&mut self, path: &str, watch: bool) {
        let path = path.to_owned();
        match (self.model.data(&path), self.model.stat(&path)) {
            (Some(data), Some(stat)) => {
                let answer = Some(Answer::Data(data, stat));
                self.read(Op::Get { path, watch }, code::OK, answer);
            }
            _ => self.read(Op::Exists { path, watch }, code::NO_NODE, None),
        }
    }

    pub(super) fn event(&mut self, zxid: Zxid, kind: i32, path: &str) {
        let (at, path) = (self.tick(), path.to_owned());
        self.connection().frames.push(Frame::Event(WatchEvent { at, zxid, kind, path }));
    }

    /// The zxid of the last transaction.
    pub(super) fn last(&self) -> Zxid {
        self.sequence.last().map_or(Zxid::ZERO, Proposal::zxid)
    }

    /// Commits a transaction.
    pub(super) fn commit(&mut self, session: SessionId, cxid: i32, kind: i32, txn: Txn) {
        let zxid = z(self.sequence.len() as u32 + 1);
        let header = TxnHeader { client_id: session, cxid, zxid, time: 1, kind };
        let proposal = Proposal::new(header, txn, None);
        self.model.apply(&proposal);
        self.sequence.push(proposal);
    }

    /// Commits what a request that was asked comes to.
    pub(super) fn commit_asked(&mut self, n: usize) {
        let record = self.history.records[n].clone();
        let (kind, txn) = match self.model.failure(&record.op) {
            Some(err) => (kind::ERROR, Txn::Error(ErrorTxn { err })),
            None => self.txn(&record.op),
        };
        self.commit(record.session, record.xid, kind, txn);
    }

    pub(super) fn txn(&self, op: &Op) -> (i32, Txn) {
        let cversion = |path: &str| {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            self.model.creations(parent).map_or(0, |(_, count)| count)
        };
        match op.clone() {
            Op::Create(Create { path, data, ephemeral, sequential, .. }) => {
                let count = cversion(&path);
                let path = if sequential { format!("{path}{count:010}") } else { path };
                let (data, acl, parent_cversion) = (Some(data), None, count + 1);
                let txn = CreateTxn { path, data, acl, ephemeral, parent_cversion };
                (kind::CREATE, Txn::Create(txn))
            }
            Op::Set { path, data, .. } => {
                let version = self.model.stat(&path).map_or(0, |stat| stat.version + 1);
                let txn = SetDataTxn { path, data: Some(data), version };
                (kind::SET_DATA, Txn::SetData(txn))
            }
            Op::Delete { path, .. } => (kind::DELETE, Txn::Delete(DeleteTxn { path })),
            op => panic!("{op:?} is no single write"),
        }
    }

    /// The answer to a write that was just committed.
    pub(super) fn done(&self, op: &Op) -> Option<Answer> {
        match (op, self.sequence.last().map(|proposal| &proposal.txn)) {
            (Op::Create(_), Some(Txn::Create(t))) => Some(Answer::Created(t.path.clone(), None)),
            (Op::Set { path, .. }, _) => self.model.stat(path).map(Answer::Stat),
            _ => Some(Answer::Nothing),
        }
    }

    /// A write, committed and answered as it should be.
    pub(super) fn write(&mut self, op: Op) {
        let err = self.model.failure(&op);
        let n = self.ask(op.clone());
        self.commit_asked(n);
        let (zxid, answer) = (self.last(), self.done(&op).filter(|_| err.is_none()));
        self.answer(n, zxid, err.unwrap_or(code::OK), answer);
    }

    /// Somebody else's write, of which nothing but the transaction is seen.
    pub(super) fn happen(&mut self, op: &Op) {
        let (kind, txn) = self.txn(op);
        self.commit(SessionId(77), self.sequence.len() as i32, kind, txn);
    }

    pub(super) fn close(&mut self, session: SessionId, listed: &[&str]) {
        let paths_to_delete = listed.iter().map(|path| (*path).to_owned()).collect();
        let txn = Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete }));
        self.commit(session, 0, kind::CLOSE_SESSION, txn);
    }

    pub(super) fn judge(&self) -> Judgement {
        judge(&Evidence {
            history: &self.history,
            sequence: &self.sequence,
            complete: true,
            observers: &self.observers,
            deeds: &self.deeds,
            strict_sync: self.strict_sync,
        })
    }

    #[track_caller]
    pub(super) fn assert_holds(&self) {
        let found = self.judge().found;
        assert!(found.is_empty(), "{found:#?}");
    }

    /// Just this property fails.
    #[track_caller]
    pub(super) fn assert_violates(&self, id: &str) {
        let found = self.judge().found;
        let ids: BTreeSet<&str> = found.iter().map(|violation| violation.id.as_str()).collect();
        assert_eq!(ids, BTreeSet::from([id]), "{found:#?}");
    }
}
