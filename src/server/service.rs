//! All client connections of one server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;

use super::auth::Authority;
use super::connection::{Connection, Pending, State, Wait, ip_of};
use super::limits::Limits;
use super::local_sessions::Local;
use super::reads::{self, Asker};
use super::replies;
use super::watches::Watches;
use crate::base::{ConnId, Mono, Now, ServerId, SessionId, Zxid};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::client::{ReplyHeader, RequestHeader, code, op, xid};
use crate::jute::txn::Proposal;
use crate::jute::{Jute, Reader};
use crate::prepare::{self, Request};
use crate::session::IdGenerator;
use crate::tree::Applied;

#[derive(Debug)]
pub enum Input {
    /// `peer` is `ip:port`, `subject` the distinguished name of a certificate TLS has verified.
    Accepted {
        conn: ConnId,
        peer: String,
        subject: Option<String>,
    },
    Frame {
        conn: ConnId,
        body: Bytes,
    },
    Lost {
        conn: ConnId,
    },
    /// Everything written before the last `NotifyDrained` has left.
    Drained {
        conn: ConnId,
    },
    /// The connection asked a four-letter word, which is answered elsewhere.
    Word {
        conn: ConnId,
    },
    /// The role begins to serve: clients are welcome.
    Serve,
    /// No leader is in sight, and the tree stands still: whoever asks for it may read.
    ServeReadOnly,
    /// The role ended: every client goes, and looks for another server.
    Stop,
    /// The oldest committed transaction was applied to the tree.
    Applied {
        proposal: Rc<Proposal>,
        applied: Applied,
    },
    /// The leader answered this connection's oldest open sync.
    SyncDone {
        conn: ConnId,
        zxid: Zxid,
    },
    /// The leader's word on a session that wants to go on here.
    Revalidated {
        session: SessionId,
        valid: bool,
    },
    /// The session goes on at another server, whatever its connection here believes.
    SessionMoved {
        session: SessionId,
    },
    /// The time of [`Service::next_deadline`] has come.
    Timer,
}

/// Random bits of the machine, drawn once, which make what is random here reproducible.
#[derive(Clone, Copy, Default)]
pub struct Seeds {
    /// For whom to turn away (`connection_throttle_freeze_time`).
    pub connection_throttle: u64,
    /// Every nonce of a challenge follows from them: they are secret.
    pub nonces: [u64; 2],
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seeds").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub enum Output {
    Write(ConnId, Bytes),
    /// Close after what is written has left.
    Close(ConnId),
    /// Read no more from this connection.
    Pause(ConnId),
    Resume(ConnId),
    /// Tell when everything written so far has left.
    NotifyDrained(ConnId),
    /// A write, to be prepared by the leader. `origin` is filled in by whoever routes it.
    Submit(Request),
    Sync {
        conn: ConnId,
        session: SessionId,
        cxid: i32,
        body: Bytes,
    },
    Revalidate {
        session: SessionId,
        timeout_ms: i32,
    },
    /// The session was heard of.
    Touch {
        session: SessionId,
        timeout_ms: i32,
    },
}

/// What `srvr`, `stat` and `mntr` tell of the connections. Latencies are in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct ServiceStats {
    pub received: u64,
    pub sent: u64,
    pub latency_min_ms: u64,
    pub latency_max_ms: u64,
    pub latency_sum_ms: u64,
    pub latency_count: u64,
}

/// One connection, for `stat`.
#[derive(Clone, Debug)]
pub struct ConnectionLine {
    /// `ip:port` of the other end.
    pub peer: String,
    pub has_session: bool,
    /// Requests that are not answered yet.
    pub queued: usize,
    pub received: u64,
    pub sent: u64,
}

/// A request of an open session, not yet taken up.
#[derive(Debug)]
pub(super) struct Asked {
    /// With its timeout in milliseconds.
    pub(super) session: (SessionId, i32),
    pub(super) header: RequestHeader,
    pub(super) body: Bytes,
    pub(super) received: Mono,
    /// It waited too long in the throttler's queue.
    pub(super) is_throttled: bool,
}

#[derive(Debug)]
pub struct Service {
    pub(super) connections: BTreeMap<ConnId, Connection>,
    pub(super) by_session: BTreeMap<SessionId, ConnId>,
    pub(super) local: Local,
    pub(super) session_timeout_min_ms: i32,
    pub(super) session_timeout_max_ms: i32,
    pub(super) per_address: BTreeMap<String, u32>,
    pub(super) limits: Limits,
    pub(super) watches: Watches,
    pub(super) sid: ServerId,
    ids: Option<IdGenerator>,
    pub(super) authority: Authority,
    serving: bool,
    pub(super) stats: ServiceStats,
}

impl Service {
    pub fn new(config: &ServerConfig, seeds: Seeds) -> Service {
        let millis = |d: std::time::Duration| i32::try_from(d.as_millis()).unwrap_or(i32::MAX);
        Service {
            connections: BTreeMap::new(),
            by_session: BTreeMap::new(),
            local: Local::new(config),
            session_timeout_min_ms: millis(config.session_timeout_min),
            session_timeout_max_ms: millis(config.session_timeout_max),
            per_address: BTreeMap::new(),
            limits: Limits::new(config, seeds.connection_throttle),
            watches: Watches::default(),
            sid: if config.is_standalone() { ServerId(1) } else { config.my_id },
            ids: None,
            authority: Authority::new(config, seeds.nonces),
            serving: false,
            stats: ServiceStats::default(),
        }
    }

    pub fn is_serving(&self) -> bool {
        self.serving
    }

    fn stop(&mut self, out: &mut Vec<Output>) {
        self.serving = false;
        self.limits.clear();
        let all: BTreeSet<ConnId> = self.connections.keys().copied().collect();
        for conn in all {
            self.drop_connection(conn, out);
        }
        self.local.end();
    }

    pub fn step(&mut self, now: Now, input: Input, db: &Database, out: &mut Vec<Output>) {
        match input {
            Input::Accepted { conn, peer, subject } => {
                self.on_accepted(now, conn, peer, out);
                self.identify(conn, subject);
            }
            Input::Frame { conn, body } => self.on_frame(now, conn, body, db, out),
            Input::Lost { conn } => self.forget(conn),
            Input::Drained { conn } => self.on_drained(conn, out),
            Input::Applied { proposal, applied } => {
                self.on_applied(now, &proposal, &applied, db, out);
            }
            Input::SyncDone { conn, zxid } => self.on_sync_done(now, conn, zxid, db, out),
            Input::Revalidated { session, valid } => {
                self.on_revalidated(now, session, valid, db, out);
            }
            Input::Timer => self.on_timer(now, out),
            // Nothing that was held becomes free by these.
            Input::Word { conn } => return self.count_word(conn),
            Input::Serve => return self.serving = true,
            Input::ServeReadOnly => return self.local.read_only = true,
            Input::Stop => return self.stop(out),
            Input::SessionMoved { session } => return self.on_session_moved(session),
        }
        self.settle(now, db, out);
    }

    /// A frame whose turn it is.
    pub(super) fn take_frame(
        &mut self,
        now: Now,
        conn: ConnId,
        body: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get(&conn) else { return };
        match connection.state {
            State::Greeting => self.on_connect_request(now, conn, body, db, out),
            State::Creating { .. } | State::Revalidating { .. } => {}
            State::Open { session, timeout_ms } => {
                if self.touch_session(now, session, timeout_ms, out) {
                    self.on_request(now, conn, (session, timeout_ms), body, db, out);
                }
            }
        }
    }

    fn on_request(
        &mut self,
        now: Now,
        conn: ConnId,
        session: (SessionId, i32),
        body: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let mut from = Reader::new(body);
        let Ok(header) = RequestHeader::decode(&mut from) else {
            return self.drop_connection(conn, out);
        };
        let (received, is_throttled) = (now.mono, false);
        let asked = Asked { session, header, body: from.rest(), received, is_throttled };
        if self.queues(asked.header.op) {
            return self.enqueue(conn, asked);
        }
        self.begin_request(now, conn, asked, db, out);
    }

    /// A request is taken up.
    pub(super) fn begin_request(
        &mut self,
        now: Now,
        conn: ConnId,
        asked: Asked,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Asked { session: (session, _), header, body, received, is_throttled } = asked;
        if !is_throttled && self.screen((now, received), conn, &header, &body, db, out) {
            return;
        }
        let Some(admission) = self.admit(conn, body.len(), is_throttled, out) else { return };
        let wait = match header.op {
            _ if is_throttled => Wait::Turn,
            op if self.has_moved(conn, op) => Wait::Moved,
            op if self.stays_here(session, op) => Wait::Turn,
            op if prepare::supports(op) && prepare::decodable(op, &body) => {
                self.upgrade_session(session, op, &body, out);
                self.submit(conn, session, &header, body.clone(), out);
                Wait::Commit
            }
            op::SYNC => {
                out.push(Output::Sync { conn, session, cxid: header.xid, body: body.clone() });
                Wait::SyncAnswer
            }
            _ => Wait::Turn,
        };
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.pending.push_back(Pending { header, body, wait, received, admission });
        self.answer_ready(now, conn, db, out);
    }

    fn submit(
        &mut self,
        conn: ConnId,
        session: SessionId,
        header: &RequestHeader,
        body: Bytes,
        out: &mut Vec<Output>,
    ) {
        let auth = self.connections.get(&conn).map(|c| c.auth.clone()).unwrap_or_default();
        out.push(Output::Submit(Request {
            session,
            cxid: header.xid,
            op: header.op,
            body,
            auth,
            origin: 0,
        }));
    }

    /// Answers from the oldest request on, up to the first that has to wait.
    pub(super) fn answer_ready(
        &mut self,
        now: Now,
        conn: ConnId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        loop {
            let Some(connection) = self.connections.get_mut(&conn) else { return };
            let reached = db.last_applied();
            match connection.pending.front().map(|p| p.wait) {
                Some(Wait::Turn | Wait::Refused(_)) => {}
                Some(Wait::Moved) => return self.drop_connection(conn, out),
                Some(Wait::Reach(zxid)) if zxid <= reached => {}
                _ => return,
            }
            let Some(pending) = connection.pending.pop_front() else { return };
            self.note_latency(now, &pending);
            self.answer(conn, &pending, db, out);
        }
    }

    /// Everything but writes. The number of an operation Apache does not know ends the
    /// connection; one we do not have yet is Unimplemented and keeps it.
    fn answer(&mut self, conn: ConnId, pending: &Pending, db: &Database, out: &mut Vec<Output>) {
        let RequestHeader { xid, op } = pending.header;
        if let Wait::Refused(err) = pending.wait {
            return self.write(conn, replies::reply(xid, Zxid::ZERO, Err(err)), out);
        }
        let zxid = db.last_applied();
        if pending.admission.is_throttled {
            return self.write(conn, replies::reply(xid, zxid, Err(code::THROTTLED_OP)), out);
        }
        if op == op::PING {
            return self.write(conn, replies::reply(xid::PING, zxid, Ok(Vec::new())), out);
        }
        if !reads::is_known(op) {
            let unknown = replies::reply(xid, Zxid(-1), Err(code::UNIMPLEMENTED));
            self.write(conn, unknown, out);
            return self.drop_connection(conn, out);
        }
        if self.answer_here(conn, pending, db, out) {
            return;
        }
        let Some(connection) = self.connections.get(&conn) else { return };
        let Some(asker) = Asker::of(conn, connection, db) else { return };
        let answer = reads::read(op, &pending.body, &asker, db, &mut self.watches);
        for event in &answer.events {
            self.write(conn, replies::watch_event(event), out);
        }
        let header = ReplyHeader { xid, zxid, err: answer.err };
        self.write(conn, replies::frame(&header, &answer.body), out);
    }

    pub(super) fn note_latency(&mut self, now: Now, pending: &Pending) {
        let millis = now.mono.since(pending.received).as_millis() as u64;
        let stats = &mut self.stats;
        stats.latency_min_ms =
            if stats.latency_count == 0 { millis } else { stats.latency_min_ms.min(millis) };
        stats.latency_max_ms = stats.latency_max_ms.max(millis);
        stats.latency_sum_ms += millis;
        stats.latency_count += 1;
    }

    fn on_sync_done(
        &mut self,
        now: Now,
        conn: ConnId,
        zxid: Zxid,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        if let Some(connection) = self.connections.get_mut(&conn)
            && let Some(sync) = connection.pending.iter_mut().find(|p| p.wait == Wait::SyncAnswer)
        {
            sync.wait = Wait::Reach(zxid);
            self.answer_ready(now, conn, db, out);
        }
    }

    pub(super) fn write(&mut self, conn: ConnId, bytes: Bytes, out: &mut Vec<Output>) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.sent += 1;
            self.stats.sent += 1;
            out.push(Output::Write(conn, bytes.clone()));
            self.note_written(conn, &bytes, out);
        }
    }

    pub(super) fn drop_connection(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        out.push(Output::Close(conn));
        self.forget(conn);
    }

    fn forget(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        self.limits.forget(conn, &connection);
        self.watches.remove_conn(conn);
        if let Some(session) = connection.session()
            && self.by_session.get(&session) == Some(&conn)
        {
            self.by_session.remove(&session);
            self.forget_closing(session);
        }
        if let Some(count) = self.per_address.get_mut(ip_of(&connection.peer)) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(ip_of(&connection.peer));
            }
        }
    }

    pub(super) fn next_session_id(&mut self, now: Now) -> SessionId {
        let sid = self.sid;
        let wall_ms = u64::try_from(now.wall_ms).unwrap_or(0);
        self.ids.get_or_insert_with(|| IdGenerator::new(sid, wall_ms)).next_id()
    }

    pub fn stats(&self) -> &ServiceStats {
        &self.stats
    }

    pub fn watch_count(&self) -> usize {
        self.watches.len()
    }

    pub fn outstanding_count(&self) -> usize {
        self.connections.values().map(|c| c.pending.len()).sum()
    }

    /// A four-letter word counts as a packet of its connection, as in Apache.
    fn count_word(&mut self, conn: ConnId) {
        self.stats.received += 1;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.received += 1;
        }
    }

    /// Every connection, those that ask a word included, for `stat`.
    pub fn connection_lines(&self) -> impl Iterator<Item = ConnectionLine> {
        self.connections.values().map(|connection| ConnectionLine {
            peer: connection.peer.clone(),
            has_session: connection.session().is_some(),
            queued: connection.pending.len(),
            received: connection.received,
            sent: connection.sent,
        })
    }
}
