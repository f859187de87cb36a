//! What goes back to clients: replies in the order of the requests, and watch events before them.
//! (FinalRequestProcessor, CommitProcessor)
//!
//! Apart from mod.rs because it begins at the other end: with what the leader or the tree says.
//!
//! C-2  a request is answered when those before it are, and what it waits for has come
//! C-4  the events of a transaction leave before the reply to it

use bytes::Bytes;

use super::{Output, Service};
use crate::base::{ConnId, Now, SessionId, Zxid};
use crate::database::Database;
use crate::jute::client::{ReplyHeader, RequestHeader, code, op, xid};
use crate::jute::data::perms;
use crate::jute::txn::{Proposal, Txn};
use crate::server::connection::{Pending, State, Wait};
use crate::server::local_sessions::Ending;
use crate::server::reads::{self, Asker};
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
        for fired in self.watches.fire_applied(proposal.zxid(), applied) {
            if self.may_read(&fired, db) {
                self.write(fired.conn, replies::watch_event(&fired), out);
            }
        }
        let session = proposal.header.client_id;
        if matches!(proposal.txn, Txn::CreateSession(_)) {
            self.local.on_global(session);
        }
        if let Some(conn) = self.by_session.get(&session).copied() {
            match &proposal.txn {
                Txn::CreateSession(_) => self.on_session_created(now, conn, session, db, out),
                Txn::CloseSession(_) => self.on_session_closed(conn, proposal, out),
                _ => self.on_written(now, conn, proposal, applied, db, out),
            }
        }
        self.answer_syncs(now, db, out);
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
        let oldest = connection.pending.front().map(|pending| pending.header.op);
        match connection.state {
            State::Creating { timeout_ms, read_only, .. } => {
                self.open(now, conn, session, timeout_ms, read_only, out);
                // What it asked meanwhile goes on before the syncs of others are answered.
                self.end_step(now, db, out);
            }
            // A client that has a session may ask for it by this operation too. The answer is
            // the one to a ConnectRequest.
            State::Open { timeout_ms, .. } if oldest == Some(op::CREATE_SESSION) => {
                self.take_oldest(conn);
                self.write(conn, replies::connected(session, timeout_ms, Some(false)), out);
                self.answer_ready(now, conn, db, out);
            }
            _ => {}
        }
    }

    /// Closed by its client, which gets a reply, or expired.
    fn on_session_closed(&mut self, conn: ConnId, proposal: &Proposal, out: &mut Vec<Output>) {
        let oldest = self.connections.get(&conn).and_then(|c| c.pending.front());
        let answer = oldest
            .filter(|p| p.header.op == op::CLOSE_SESSION && p.header.xid == proposal.header.cxid)
            .map(|p| replies::reply(p.header.xid, proposal.header.zxid, Ok(Vec::new())));
        self.send_away(conn, answer, out);
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
        let oldest = self.connections.get(&conn).and_then(|c| c.pending.front());
        let is_ours =
            oldest.is_some_and(|p| p.wait == Wait::Commit && p.header.xid == proposal.header.cxid);
        if !is_ours {
            return;
        }
        let Some(pending) = self.take_oldest(conn) else { return };
        if has_moved(&applied.outcome) {
            return self.close(conn, out);
        }
        self.note_latency(now, &pending);
        let RequestHeader { xid, op } = pending.header;
        let body = replies::write_body(op, &applied.outcome);
        let body = self.local.as_reported(proposal.header.client_id, op, &pending.body, body);
        self.write(conn, replies::reply(xid, proposal.header.zxid, body), out);
        self.answer_ready(now, conn, db, out);
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
            self.answer_ready(now, conn, db, out);
        }
    }

    /// Syncs that waited for the tree to come this far.
    fn answer_syncs(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        let reached = db.last_applied();
        let waits = |wait: &Wait| matches!(wait, Wait::Reach(zxid) if *zxid <= reached);
        let ready: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(_, c)| c.pending.front().is_some_and(|p| waits(&p.wait)))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in ready {
            self.answer_ready(now, conn, db, out);
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
                Some(Wait::Turn | Wait::Refused(_) | Wait::Throttled) => {}
                Some(Wait::Moved) => return self.close(conn, out),
                Some(Wait::Reach(zxid)) if zxid <= reached => {}
                _ => return,
            }
            let Some(pending) = self.take_oldest(conn) else { return };
            self.note_latency(now, &pending);
            self.answer(conn, &pending, db, out);
        }
    }

    /// Everything but writes. The number of an operation Apache does not know ends the
    /// connection; one we do not have yet is Unimplemented and keeps it.
    fn answer(&mut self, conn: ConnId, pending: &Pending, db: &Database, out: &mut Vec<Output>) {
        let RequestHeader { xid, op } = pending.header;
        let zxid = db.last_applied();
        let error = match pending.wait {
            Wait::Refused(err) => Some(replies::reply(xid, Zxid::ZERO, Err(err))),
            Wait::Throttled => Some(replies::reply(xid, zxid, Err(code::THROTTLED_OP))),
            _ => None,
        };
        if let Some(error) = error {
            return self.write(conn, error, out);
        }
        if op == op::PING {
            return self.write(conn, replies::reply(xid::PING, zxid, Ok(Vec::new())), out);
        }
        if !reads::is_known(op) {
            let unknown = replies::reply(xid, Zxid(-1), Err(code::UNIMPLEMENTED));
            return self.send_away(conn, Some(unknown), out);
        }
        let Some(connection) = self.connections.get(&conn) else { return };
        let State::Open { session, timeout_ms } = connection.state else { return };
        if let Some(ending) = self.local.ending(session, op) {
            return match ending {
                Ending::Welcome => {
                    let read_only = Some(self.is_read_only());
                    self.write(conn, replies::connected(session, timeout_ms, read_only), out);
                }
                Ending::Goodbye => {
                    self.send_away(conn, Some(replies::reply(xid, zxid, Ok(Vec::new()))), out);
                }
                Ending::NotReadOnly => {
                    self.write(conn, replies::reply(xid, zxid, Err(code::NOT_READ_ONLY)), out);
                }
            };
        }
        let Some(asker) = Asker::of(conn, connection, db) else { return };
        let answer = reads::read(op, &pending.body, &asker, db, &mut self.watches);
        for event in &answer.events {
            self.write(conn, replies::watch_event(event), out);
        }
        let header = ReplyHeader { xid, zxid, err: answer.err };
        self.write(conn, replies::frame(&header, &answer.body), out);
    }

    /// The oldest request of a connection is in process no longer.
    fn take_oldest(&mut self, conn: ConnId) -> Option<Pending> {
        let pending = self.connections.get_mut(&conn)?.pending.pop_front()?;
        self.gate.give_back(conn, pending.admission);
        Some(pending)
    }

    fn note_latency(&mut self, now: Now, pending: &Pending) {
        let millis = now.mono.since(pending.received).as_millis() as u64;
        let stats = &mut self.stats;
        stats.latency_min_ms =
            if stats.latency_count == 0 { millis } else { stats.latency_min_ms.min(millis) };
        stats.latency_max_ms = stats.latency_max_ms.max(millis);
        stats.latency_sum_ms += millis;
        stats.latency_count += 1;
    }

    pub(super) fn write(&mut self, conn: ConnId, bytes: Bytes, out: &mut Vec<Output>) {
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

/// The session speaks through another server: this connection is the one it left.
fn has_moved(outcome: &Outcome) -> bool {
    let moved = |outcome: &Outcome| outcome.err == code::SESSION_MOVED;
    moved(outcome) || outcome.multi.iter().any(|(_, part)| moved(part))
}
