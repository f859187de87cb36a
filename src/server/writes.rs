//! What an applied transaction means to the clients here.       (FinalRequestProcessor, CommitProcessor)

use super::connection::{State, Wait};
use super::handshake::connect_response;
use super::reads::Asker;
use super::replies;
use super::service::{Output, Service};
use super::watches::Fired;
use crate::base::{ConnId, Now, SessionId};
use crate::database::Database;
use crate::jute::client::{code, op};
use crate::jute::data::perms;
use crate::jute::txn::{Proposal, Txn};
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
            self.local.sessions.remove(session);
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
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        match connection.state {
            State::Creating { timeout_ms, read_only, .. } => {
                self.open(now, conn, session, timeout_ms, read_only, db, out);
            }
            // A client that has a session may ask for it by this operation too. The answer is
            // the one to a ConnectRequest.
            State::Open { timeout_ms, .. }
                if connection
                    .pending
                    .front()
                    .is_some_and(|p| p.header.op == op::CREATE_SESSION) =>
            {
                connection.pending.pop_front();
                let response = connect_response(session, timeout_ms, Some(false));
                self.write(conn, replies::connected(&response), out);
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
        if let Some(answer) = answer {
            self.write(conn, answer, out);
        }
        self.drop_connection(conn, out);
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
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let is_ours = connection
            .pending
            .front()
            .is_some_and(|p| p.wait == Wait::Commit && p.header.xid == proposal.header.cxid);
        if !is_ours {
            return;
        }
        let Some(pending) = connection.pending.pop_front() else { return };
        if has_moved(&applied.outcome) {
            return self.drop_connection(conn, out);
        }
        self.note_latency(now, &pending);
        let body = replies::write_body(pending.header.op, &applied.outcome);
        let body = self.as_reported(proposal.header.client_id, &pending, body);
        let reply = replies::reply(pending.header.xid, proposal.header.zxid, body);
        self.write(conn, reply, out);
        self.answer_ready(now, conn, db, out);
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
}

/// The session speaks through another server: this connection is the one it left.
fn has_moved(outcome: &Outcome) -> bool {
    let moved = |outcome: &Outcome| outcome.err == code::SESSION_MOVED;
    moved(outcome) || outcome.multi.iter().any(|(_, part)| moved(part))
}
