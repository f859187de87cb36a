//! Which changes are audited, where `audit.enable` asks for it.
//!
//! A write is told of when it is applied, by the server that its client asked: be the client connected
//! still or not, for who hangs up at once would else leave no trace.

use super::Service;
use crate::jute::txn::{Proposal, Txn};
use crate::server::audit::{AuditEvent, Audited};
use crate::server::connection::{Connection, Wait};
use crate::tree::Applied;

impl Service {
    /// The user whose process this is, for what the server does of itself.
    pub fn set_process_user(&mut self, user: Option<String>) {
        self.audit.set_user(user);
    }

    /// The process is about to end with this exit code.
    pub fn note_end(&self, exit_code: i32) {
        self.audit.on_end(exit_code);
    }

    pub(super) fn audit_applied(&mut self, proposal: &Proposal, applied: &Applied) {
        for event in self.audited(proposal, applied) {
            event.log();
        }
    }

    fn audited(&mut self, proposal: &Proposal, applied: &Applied) -> Vec<AuditEvent> {
        let (session, cxid) = (proposal.header.client_id, proposal.header.cxid);
        if matches!(proposal.txn, Txn::CloseSession(_)) {
            self.audit.forget(session);
            return self.audit.ended(session, applied);
        }
        let write = self.audit.take_left(session, cxid).or_else(|| {
            let conn = self.by_session.get(&session)?;
            let connection = self.connections.get(conn)?;
            let (_, pending) = connection.oldest_write()?;
            let (op, body) = (pending.header.op, pending.body.clone());
            let auth = connection.auth.clone();
            (pending.header.xid == cxid).then_some(Audited { session, cxid, op, body, auth })
        });
        write.map(|write| write.events(&applied.outcome)).unwrap_or_default()
    }

    /// The connection is gone; what it has asked for may be done yet.
    pub(super) fn keep_audited(&mut self, connection: &Connection) {
        let Some(session) = connection.session() else { return };
        for pending in connection.pending.iter().filter(|pending| pending.wait == Wait::Commit) {
            let (cxid, op, body) = (pending.header.xid, pending.header.op, pending.body.clone());
            let auth = connection.auth.clone();
            self.audit.keep(Audited { session, cxid, op, body, auth });
        }
    }
}
