//! How the connection of a client ends, and what ends with it.

use bytes::Bytes;

use super::{Output, Service};
use crate::base::ConnId;
use crate::metrics::Counter;
use crate::runtime::ip_of;

impl Service {
    pub(super) fn close_for_large_requests(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let peer = self.connections.get(&conn).map_or("", |connection| &connection.peer);
        tracing::warn!(peer, "closing a client: too many bytes of large requests are in process");
        self.metrics.count(Counter::LargeRequestsRejected);
        self.close(conn, out);
    }

    /// Closes a connection after the last word to it, if there is one.
    pub(super) fn send_away(&mut self, conn: ConnId, reply: Option<Bytes>, out: &mut Vec<Output>) {
        if let Some(reply) = reply {
            self.write(conn, reply, out);
        }
        self.close(conn, out);
    }

    pub(super) fn close(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        out.push(Output::Close(conn));
        self.forget(conn);
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        let Some(mut connection) = self.connections.remove(&conn) else { return };
        if self.audit.is_on() {
            self.keep_audited(&connection);
        }
        self.watches.remove_conn(conn);
        self.reaching.remove(&conn);
        if let Some(session) = connection.session()
            && self.by_session.get(&session) == Some(&conn)
        {
            self.by_session.remove(&session);
            self.local.on_disconnected(session);
        }
        for pending in &connection.pending {
            self.gate.give_back(conn, pending.admission, &mut connection.flow);
        }
        self.gate.forget(conn, ip_of(&connection.peer), &connection.flow);
    }
}
