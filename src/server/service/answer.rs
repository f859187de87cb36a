//! What goes back to clients: replies in the order of the requests, and watch events before them.
//! (FinalRequestProcessor, CommitProcessor)
//!
//! Apart from mod.rs because it begins at the other end: with what the leader or the tree says.
//!
//! C-2  a request is answered when those before it are, what it waits for has come, and its reply
//!      can be sent: until then no byte of it is made, but for the replies to writes
//! C-4  the events of a transaction leave before the reply to it

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use super::{Output, Service};
use crate::base::{ConnId, Now, SessionId, Zxid};
use crate::database::Database;
use crate::jute::client::{RequestHeader, code, event, op, xid};
use crate::jute::data::perms;
use crate::jute::txn::{Proposal, Txn};
use crate::metrics::{Counter, Summary};
use crate::server::connection::{Pending, State, Wait};
use crate::server::gate::Admission;
use crate::server::local_sessions::Ending;
use crate::server::reads::{self, Asker, Found};
use crate::server::replies;
use crate::server::watches::Fired;
use crate::tree::{Applied, Outcome};

impl Service {
    /// Fires watches first, then answers the request that caused the transaction, then what
    /// waited behind it.
    pub(super) fn on_applied(
        &mut self,
        now: Now,
        proposal: &Proposal,
        applied: &Applied,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let fired = self.watches.fire_applied(proposal.zxid(), applied);
        let told_the_same = |a: &Fired, b: &Fired| a.kind == b.kind && Rc::ptr_eq(&a.path, &b.path);
        for fired in fired.chunk_by(told_the_same) {
            self.tell(fired, db, out);
        }
        let session = proposal.header.client_id;
        if matches!(proposal.txn, Txn::CreateSession(_)) {
            self.local.on_global(session);
        }
        if self.audit.is_on() {
            self.audit_applied(proposal, applied);
        }
        if let Some(conn) = self.by_session.get(&session).copied() {
            match &proposal.txn {
                Txn::CreateSession(_) => self.on_session_created(now, conn, session, db, out),
                Txn::CloseSession(_) => self.on_session_closed(now, conn, proposal, db, out),
                _ => self.on_written(now, conn, proposal, applied, db, out),
            }
        }
        self.answer_syncs(now, db, out);
    }

    /// One event, to all who watched.
    fn tell(&mut self, fired: &[Fired], db: &Database, out: &mut Vec<Output>) {
        let Some(first) = fired.first() else { return };
        let frame = replies::watch_event(first);
        self.metrics.record(watch_summary(first.kind), fired.len() as u64);
        for fired in fired {
            if self.may_read(fired, db) {
                self.write_event(fired.conn, frame.clone(), out);
            }
        }
    }

    /// Whether a watch event may go out: who may not read the node is not told of it, though the
    /// watch is spent (CVE-2024-23944). (NIOServerCnxn.process)
    fn may_read(&self, fired: &Fired, db: &Database) -> bool {
        let Some(acl) = &fired.acl else { return true };
        self.connections
            .get(&fired.conn)
            .and_then(|connection| Asker::of(fired.conn, connection, db))
            .is_some_and(|asker| asker.may(perms::READ, acl))
    }

    fn on_session_created(
        &mut self,
        now: Now,
        conn: ConnId,
        session: SessionId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let oldest = connection.oldest_write().map(|(at, pending)| (at, pending.header.op));
        match connection.state {
            State::Creating { timeout_ms, read_only, .. } => {
                self.note_session_created(now, conn, db);
                self.open(now, conn, session, timeout_ms, read_only, out);
                // What it asked meanwhile goes on before the syncs of others are answered.
                self.end_step(now, db, out);
            }
            // A client that has a session may ask for it by this operation too. The answer is
            // the one to a ConnectRequest.
            State::Open { timeout_ms, .. } => {
                if let Some((at, op::CREATE_SESSION)) = oldest {
                    let reply = replies::connected(session, timeout_ms, Some(false));
                    self.set_done(conn, at, Wait::Done, reply);
                    self.answer_ready(now, conn, db, out);
                }
            }
            _ => {}
        }
    }

    /// Closed by its client, which gets a reply, or expired.
    fn on_session_closed(
        &mut self,
        now: Now,
        conn: ConnId,
        proposal: &Proposal,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let oldest = self.connections.get(&conn).and_then(|c| c.oldest_write());
        let own = oldest.filter(|(_, p)| {
            p.header.op == op::CLOSE_SESSION && p.header.xid == proposal.header.cxid
        });
        let Some((at, pending)) = own else { return self.close(conn, out) };
        let reply = replies::reply(pending.header.xid, proposal.header.zxid, Ok(Vec::new()));
        self.set_done(conn, at, Wait::Closing, reply);
        self.answer_ready(now, conn, db, out);
    }

    fn on_written(
        &mut self,
        now: Now,
        conn: ConnId,
        proposal: &Proposal,
        applied: &Applied,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let oldest = self.connections.get(&conn).and_then(|c| c.oldest_write());
        let own = oldest.filter(|(_, p)| p.header.xid == proposal.header.cxid);
        let Some((at, pending)) = own else { return };
        if has_moved(&applied.outcome) {
            return self.close(conn, out);
        }
        let RequestHeader { xid, op } = pending.header;
        let body = replies::write_body(op, &applied.outcome);
        let body = self.local.as_reported(proposal.header.client_id, op, &pending.body, body);
        self.set_done(conn, at, Wait::Done, replies::reply(xid, proposal.header.zxid, body));
        self.answer_ready(now, conn, db, out);
    }

    /// A request is done, and this is its reply, to be sent in its turn. The request itself is in
    /// process no longer.
    fn set_done(&mut self, conn: ConnId, at: usize, wait: Wait, reply: Bytes) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let Some(pending) = connection.pending.get_mut(at) else { return };
        let admission = std::mem::replace(&mut pending.admission, Admission::NONE);
        self.gate.note_ready(&reply, &mut connection.flow);
        (pending.wait, pending.body, pending.reply) = (wait, Bytes::new(), Some(reply));
        self.gate.give_back(conn, admission, &mut connection.flow);
    }

    /// The leader answered this connection's oldest open sync.
    pub(super) fn on_sync_done(
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
            self.reaching.insert(conn);
            self.answer_ready(now, conn, db, out);
        }
    }

    /// Syncs that waited for the tree to come this far. Of all connections none is looked at but
    /// those that have one.
    fn answer_syncs(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        let reaching: Vec<ConnId> = self.reaching.iter().copied().collect();
        for conn in reaching {
            let front = self.connections.get(&conn).and_then(|c| c.pending.front());
            if front.is_some_and(|pending| matches!(pending.wait, Wait::Reach(_))) {
                self.answer_ready(now, conn, db, out);
            }
            let has_more = self.connections.get(&conn).is_some_and(|connection| {
                connection.pending.iter().any(|pending| matches!(pending.wait, Wait::Reach(_)))
            });
            if !has_more {
                self.reaching.remove(&conn);
            }
        }
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
                Some(Wait::Moved) => return self.close(conn, out),
                Some(Wait::Reach(zxid)) if zxid <= reached => {}
                Some(wait) if !wait.is_in_process() => {}
                _ => return,
            }
            if !self.gate.may_send(&connection.flow) {
                self.gate.await_sending(conn, None, &mut connection.flow);
                return self.set_idle(conn);
            }
            if !self.gate.takes_turn(&mut connection.flow) {
                self.gate.await_turn(conn, &mut connection.flow);
                return self.set_idle(conn);
            }
            let Some(reply) = self.next_reply(conn, db) else { return };
            if let Reply::Found(found) = &reply
                && let Some(connection) = self.connections.get_mut(&conn)
                && !self.gate.has_room(&connection.flow, found.bytes())
            {
                self.gate.await_sending(conn, Some(found.bytes()), &mut connection.flow);
                return self.set_idle(conn);
            }
            let Some(pending) = self.take_oldest(now, conn, reached) else { return };
            self.send(conn, pending.header.xid, reply, db, out);
        }
    }

    /// A connection whose oldest request waited to be sent: it is tried again.
    pub(super) fn go_on(&mut self, now: Now, conn: ConnId, db: &Database, out: &mut Vec<Output>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if self.gate.go_on(conn, &mut connection.flow) {
            self.answer_ready(now, conn, db, out);
        }
    }

    /// There is little room for replies: whoever has some on the way is asked whether they have left.
    pub(super) fn ask_who_was_not_asked(&mut self, out: &mut Vec<Output>) {
        while let Some(conn) = self.gate.next_unasked() {
            if let Some(connection) = self.connections.get_mut(&conn)
                && self.gate.ask_too(conn, &mut connection.flow)
            {
                out.push(Output::NotifyDrained(conn));
            }
        }
    }

    /// Requests of which only sending is left are in process no longer: nobody else is to wait for who
    /// does not read.
    fn set_idle(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if std::mem::take(&mut connection.counts_idle) {
            let idle = connection.pending.iter_mut().filter(|p| !p.wait.is_in_process());
            for pending in idle {
                let admission = std::mem::replace(&mut pending.admission, Admission::NONE);
                self.gate.give_back(conn, admission, &mut connection.flow);
            }
        }
    }

    /// The reply to the oldest request, not made yet. The number of an operation Apache does not know
    /// ends the connection; one we do not have yet is Unimplemented and keeps it.
    fn next_reply<'a>(&self, conn: ConnId, db: &'a Database) -> Option<Reply<'a>> {
        let connection = self.connections.get(&conn)?;
        let pending = connection.pending.front()?;
        let RequestHeader { xid, op } = pending.header;
        let zxid = db.last_applied();
        let empty = |xid, zxid, err: i32| {
            let result = if err == code::OK { Ok(Vec::new()) } else { Err(err) };
            replies::reply(xid, zxid, result)
        };
        match pending.wait {
            Wait::Refused(err) => return Some(Reply::Frame(empty(xid, Zxid::ZERO, err))),
            Wait::Throttled => return Some(Reply::Frame(empty(xid, zxid, code::THROTTLED_OP))),
            Wait::Done => return pending.reply.clone().map(Reply::Frame),
            Wait::Closing => return pending.reply.clone().map(Reply::Last),
            _ => {}
        }
        if op == op::PING {
            return Some(Reply::Frame(empty(xid::PING, zxid, code::OK)));
        }
        if !reads::is_known(op) {
            return Some(Reply::Last(empty(xid, Zxid(-1), code::UNIMPLEMENTED)));
        }
        let State::Open { session, timeout_ms } = connection.state else { return None };
        if let Some(ending) = self.local.ending(session, op) {
            return Some(match ending {
                Ending::Welcome => {
                    let read_only = Some(self.is_read_only());
                    Reply::Frame(replies::connected(session, timeout_ms, read_only))
                }
                Ending::Goodbye => Reply::Last(empty(xid, zxid, code::OK)),
                Ending::NotReadOnly => Reply::Frame(empty(xid, zxid, code::NOT_READ_ONLY)),
            });
        }
        let asker = Asker::of(conn, connection, db)?;
        let bytes_max = self.gate.reply_bytes_max();
        let found = reads::read(op, &pending.body, &asker, db, &self.watches, bytes_max);
        Some(Reply::Found(found))
    }

    fn send(
        &mut self,
        conn: ConnId,
        xid: i32,
        reply: Reply<'_>,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        match reply {
            Reply::Frame(frame) => self.write(conn, frame, out),
            Reply::Last(frame) => self.send_away(conn, Some(frame), out),
            Reply::Found(found) => {
                let zxid = db.last_applied();
                let (events, frame) = found.into_reply(conn, xid, zxid, db, &mut self.watches);
                for event in &events {
                    self.write_event(conn, replies::watch_event(event), out);
                }
                self.write(conn, frame, out);
            }
        }
    }

    /// The oldest request of a connection is answered, of a tree that has come to `reached`.
    fn take_oldest(&mut self, now: Now, conn: ConnId, reached: Zxid) -> Option<Pending> {
        let connection = self.connections.get_mut(&conn)?;
        let pending = connection.pending.pop_front()?;
        let millis = now.mono.since(pending.received).as_millis() as u64;
        self.metrics.record_request(pending.header.op, millis);
        let (op, xid) = (pending.last_op(), pending.header.xid);
        connection.stats.note_answer(now.mono, op, xid, reached, millis);
        if pending.header.op == op::PING && connection.pending.is_empty() {
            connection.pending = VecDeque::new(); // who only pings may do so for days
        }
        if let Some(reply) = &pending.reply {
            self.gate.take_ready(reply, &mut connection.flow);
        }
        self.gate.give_back(conn, pending.admission, &mut connection.flow);
        Some(pending)
    }

    fn write_event(&mut self, conn: ConnId, frame: Bytes, out: &mut Vec<Output>) {
        self.metrics.add(Counter::WatchBytes, frame.len() as u64);
        self.write_frame(conn, frame, out);
    }

    pub(super) fn write(&mut self, conn: ConnId, reply: Bytes, out: &mut Vec<Output>) {
        self.metrics.count_response(reply.len());
        self.write_frame(conn, reply, out);
    }

    fn write_frame(&mut self, conn: ConnId, bytes: Bytes, out: &mut Vec<Output>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.sent += 1;
        self.stats.sent += 1;
        let asks = self.gate.note_written(conn, &bytes, &mut connection.flow);
        out.push(Output::Write(conn, bytes));
        if asks {
            out.push(Output::NotifyDrained(conn));
        }
    }
}

/// What the oldest request of a connection is answered.
enum Reply<'a> {
    Frame(Bytes),
    /// The connection ends behind it.
    Last(Bytes),
    /// It is made when it can be sent.
    Found(Found<'a>),
}

/// Counts how many were told of an event of this kind. (WatchManager.triggerWatch)
fn watch_summary(kind: i32) -> Summary {
    match kind {
        event::CREATED => Summary::NodeCreatedWatchCount,
        event::DELETED => Summary::NodeDeletedWatchCount,
        event::DATA_CHANGED => Summary::NodeChangedWatchCount,
        _ => Summary::NodeChildrenWatchCount,
    }
}

/// The session speaks through another server: this connection is the one it left.
fn has_moved(outcome: &Outcome) -> bool {
    let moved = |outcome: &Outcome| outcome.err == code::SESSION_MOVED;
    moved(outcome) || outcome.multi.iter().any(|(_, part)| moved(part))
}
