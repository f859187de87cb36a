//! A service without sockets, for tests: frames in, what it does out.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{Input, Output, Seeds, Service};
use crate::base::{ConnId, Epoch, Mono, Now, ServerId, SessionId, Zxid};
use crate::config::{ServerConfig, ServerSpec};
use crate::database::Database;
use crate::jute::client::{
    ConnectRequest, ConnectResponse, CreateRequest, PathRequest, PathWatchRequest, ReplyHeader,
    RequestHeader, create_flags, op,
};
use crate::jute::data::Acl;
use crate::jute::txn::{
    CloseSessionTxn, CreateSessionTxn, CreateTxn, ErrorTxn, Proposal, Txn, TxnHeader, kind,
};
use crate::jute::{Jute, Reader};
use crate::metrics::Metrics;
use crate::session::password;

pub(super) const A: ConnId = ConnId(1);
pub(super) const B: ConnId = ConnId(2);

/// Server 1 of two, with ticks of a second.
pub(super) struct Bench {
    pub(super) service: Service,
    pub(super) db: Database,
    pub(super) now: Now,
    next_cxid: i32,
}

pub(super) fn config() -> ServerConfig {
    let mut config = ServerConfig::defaults(ServerId(1));
    config.tick_time = Duration::from_millis(1000);
    config.session_timeout_min = Duration::from_millis(2000);
    config.session_timeout_max = Duration::from_millis(20_000);
    for sid in [1, 2] {
        config.servers.insert(ServerId(sid), ServerSpec::test(sid));
    }
    config
}

impl Bench {
    /// A server of an ensemble that serves.
    pub(super) fn serving(config: &ServerConfig) -> Bench {
        let mut bench = Bench {
            service: Service::new(config, Seeds::default(), Metrics::default()),
            db: Database::empty(500),
            now: Now::default(),
            next_cxid: 0,
        };
        bench.step(Input::Serve);
        bench
    }

    /// A server without a leader that serves readers.
    pub(super) fn read_only(config: &ServerConfig) -> Bench {
        let mut bench = Bench::serving(config);
        bench.step(Input::Stop);
        bench.step(Input::ServeReadOnly);
        bench
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.service.step(self.now, input, &self.db, &mut out);
        out
    }

    pub(super) fn wait(&mut self, millis: u64) {
        self.now.mono = Mono(self.now.mono.0 + millis * 1_000_000);
    }

    pub(super) fn greet(&mut self, conn: ConnId, request: &ConnectRequest) -> Vec<Output> {
        let peer = format!("10.0.0.{}:4711", conn.0);
        self.step(Input::Accepted { conn, peer, subject: None });
        self.step(Input::Frame { conn, body: request.to_jute().into() })
    }

    /// The next request of a session.
    pub(super) fn ask(&mut self, conn: ConnId, op: i32, record: &impl Jute) -> Vec<Output> {
        self.next_cxid += 1;
        let mut body = RequestHeader { xid: self.next_cxid, op }.to_jute();
        record.encode(&mut body);
        self.step(Input::Frame { conn, body: body.into() })
    }

    /// A request that is all header.
    pub(super) fn ask_bare(&mut self, conn: ConnId, op: i32) -> Vec<Output> {
        self.ask(conn, op, &Nothing)
    }

    pub(super) fn get(&mut self, conn: ConnId, path: &str) -> Vec<Output> {
        self.ask(conn, op::EXISTS, &PathWatchRequest { path: path.into(), watch: false })
    }

    pub(super) fn sync(&mut self, conn: ConnId) -> Vec<Output> {
        self.ask(conn, op::SYNC, &PathRequest { path: "/".into() })
    }

    pub(super) fn create(&mut self, conn: ConnId, path: &str, flags: i32) -> Vec<Output> {
        self.ask(conn, op::CREATE, &create_request(path, flags))
    }

    pub(super) fn last_cxid(&self) -> i32 {
        self.next_cxid
    }

    /// The ensemble agreed on this, and it is applied here.
    pub(super) fn apply(&mut self, session: SessionId, cxid: i32, txn: Txn) -> Vec<Output> {
        let zxid = Zxid(self.db.last_logged().0.max(Zxid::new(Epoch(1), 0).0) + 1);
        let kind = match &txn {
            Txn::CreateSession(_) => kind::CREATE_SESSION,
            Txn::CloseSession(_) => kind::CLOSE_SESSION,
            Txn::Create(_) => kind::CREATE,
            _ => kind::ERROR,
        };
        let header = TxnHeader { client_id: session, cxid, zxid, time: 0, kind };
        self.db.append(Rc::new(Proposal::new(header, txn, None)));
        self.db.commit_to(zxid);
        let (proposal, applied) = self.db.apply_next().expect("it was just committed");
        self.step(Input::Applied { proposal, applied })
    }

    /// A global session over connection `conn`.
    pub(super) fn open_global(&mut self, conn: ConnId) -> SessionId {
        let out = self.greet(conn, &hello(SessionId(0)));
        let session = submitted(&out)[0].session;
        self.apply(session, 0, Txn::CreateSession(CreateSessionTxn { timeout: 10_000 }));
        session
    }

    /// A local session over connection `conn`.
    pub(super) fn open_local(&mut self, conn: ConnId) -> SessionId {
        let out = self.greet(conn, &hello(SessionId(0)));
        welcome(&out, conn).expect("it is open at once").session
    }
}

/// Of a client of today, with a timeout of ten seconds.
pub(super) fn hello(session: SessionId) -> ConnectRequest {
    let password = match session {
        SessionId(0) => Bytes::from_static(&[0; 16]),
        session => Bytes::copy_from_slice(&password(session)),
    };
    ConnectRequest {
        timeout_ms: 10_000,
        session,
        password: Some(password),
        read_only: Some(false),
        ..ConnectRequest::default()
    }
}

pub(super) fn create_request(path: &str, flags: i32) -> CreateRequest {
    CreateRequest { path: path.into(), data: None, acl: Some(Acl::open()), flags }
}

pub(super) fn created(path: &str, flags: i32) -> Txn {
    let ephemeral = flags & create_flags::EPHEMERAL != 0;
    let (path, acl) = (path.into(), Some(Acl::open()));
    Txn::Create(CreateTxn { path, data: None, acl, ephemeral, parent_cversion: -1 })
}

pub(super) fn failed(err: i32) -> Txn {
    Txn::Error(ErrorTxn { err })
}

pub(super) fn closed() -> Txn {
    Txn::CloseSession(Some(CloseSessionTxn::default()))
}

/// The answer to a ConnectRequest.
pub(super) fn welcome(out: &[Output], conn: ConnId) -> Option<ConnectResponse> {
    let frame = written(out, conn).into_iter().next()?;
    ConnectResponse::decode(&mut Reader::new(frame.slice(4..))).ok()
}

/// xid and code of each reply.
pub(super) fn replies(out: &[Output], conn: ConnId) -> Vec<(i32, i32)> {
    let header = |frame: Bytes| {
        let header = ReplyHeader::decode(&mut Reader::new(frame.slice(4..)));
        header.map(|header| (header.xid, header.err)).expect("a reply")
    };
    written(out, conn).into_iter().map(header).collect()
}

pub(super) fn written(out: &[Output], conn: ConnId) -> Vec<Bytes> {
    let to = |output: &Output| match output {
        Output::Write(to, bytes) if *to == conn => Some(bytes.clone()),
        _ => None,
    };
    out.iter().filter_map(to).collect()
}

pub(super) fn is_closed(out: &[Output], conn: ConnId) -> bool {
    out.iter().any(|output| matches!(output, Output::Close(closed) if *closed == conn))
}

pub(super) fn submitted(out: &[Output]) -> Vec<&crate::prepare::Request> {
    fn request(output: &Output) -> Option<&crate::prepare::Request> {
        match output {
            Output::Submit(request) => Some(request),
            _ => None,
        }
    }
    out.iter().filter_map(request).collect()
}

/// The operations that went to the leader.
pub(super) fn submitted_ops(out: &[Output]) -> Vec<i32> {
    submitted(out).iter().map(|request| request.op).collect()
}

pub(super) fn touched(out: &[Output]) -> Vec<(SessionId, i32)> {
    let touch = |output: &Output| match output {
        Output::Touch { session, timeout_ms } => Some((*session, *timeout_ms)),
        _ => None,
    };
    out.iter().filter_map(touch).collect()
}

/// The record of what has none.
struct Nothing;

impl Jute for Nothing {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut Reader) -> Result<Nothing, crate::jute::DecodeError> {
        Ok(Nothing)
    }
}
