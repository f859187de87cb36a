//! What an operator is shown of the connections, and may reset: the matter of the four-letter words.
//! (ServerStats, NIOServerCnxnFactory)
//!
//! Apart from mod.rs because no client's request comes here.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::{ConnectionFlow, ConnectionLine, Service, ServiceStats, WaitingConnections};
use crate::base::{ConnId, Mono, Now, SessionId};
use crate::database::Database;
use crate::jute::data::Id;
use crate::metrics::{Counter, Summary};
use crate::runtime::ip_of;
use crate::server::auth::Permit;
use crate::server::connection::Connection;
use crate::server::gate::Asked;
use crate::server::watches::Watching;
use crate::session::SessionTracker;

impl Service {
    pub(super) fn count_word(&mut self, conn: ConnId) {
        self.stats.received += 1;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.received += 1;
        }
    }

    /// What answers a word counts as sent, and does not show itself.
    pub fn count_word_answer(&mut self) {
        self.stats.sent += 1;
    }

    /// A client that showed no certificate: of this machine, or of another.
    pub(super) fn count_without_certificate(&self, peer: &str) {
        let is_local = ip_of(peer).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.metrics.count(match is_local {
            true => Counter::NonMtlsLocalConnCount,
            false => Counter::NonMtlsRemoteConnCount,
        });
    }

    /// A request has left the queue.
    pub(super) fn count_queued(&self, now: Now, asked: &Asked) {
        let waited = now.mono.since(asked.received);
        self.metrics.record_ms(Summary::RequestThrottleQueueTime, waited);
        if asked.is_stale {
            self.metrics.count(Counter::StaleRequests);
        }
        if asked.is_throttled {
            self.metrics.count(Counter::ThrottledOps);
        }
    }

    /// `srst`: the packets are counted anew.
    pub fn reset_stats(&mut self) {
        self.stats = ServiceStats::default();
    }

    /// Whether somebody at the admin port may do everything with the root.
    pub fn permit_on_root(
        &self,
        client: &str,
        scheme: &str,
        proof: &[u8],
        db: &Database,
    ) -> Permit {
        self.authority.permit_on_root(ip_of(client), scheme, proof, db)
    }

    /// Who somebody at the admin port is; without a proof, nobody in particular. `None`: it proves nothing.
    pub fn visitor_ids(&self, client: &str, proof: Option<(&str, &[u8])>) -> Option<Vec<Id>> {
        let Some((scheme, proof)) = proof else { return Some(Vec::new()) };
        self.authority.proven_ids(ip_of(client), scheme, proof)
    }

    /// Whether this server tells somebody with these ids anything (`enforce.auth.schemes`).
    pub fn serves_ids(&self, ids: &[Id]) -> bool {
        self.authority.serves(ids)
    }

    /// `crst`: those of every connection do.
    pub fn reset_connection_stats(&mut self) {
        for connection in self.connections.values_mut() {
            (connection.received, connection.sent) = (0, 0);
            connection.stats.reset();
        }
    }

    /// Bytes that clients were sent and have not taken.
    pub fn unsent_bytes(&self) -> usize {
        self.gate.unsent_bytes()
    }

    /// How likely the next new session is turned away, from 0 to 1.
    pub fn drop_chance(&self) -> f64 {
        self.gate.session_drop_chance()
    }

    pub fn local_session_count(&self) -> usize {
        self.local.len()
    }

    /// The local sessions, where there may be some.
    pub fn local_sessions(&self) -> Option<&SessionTracker> {
        self.local.tracker()
    }

    pub fn stats(&self) -> &ServiceStats {
        &self.stats
    }

    pub fn outstanding_count(&self) -> usize {
        self.connections.values().map(|c| c.pending.len()).sum()
    }

    /// Whether anything that a client has asked is not answered yet.
    pub fn has_outstanding(&self) -> bool {
        self.gate.has_outstanding()
    }

    pub fn connections(&self) -> impl Iterator<Item = ConnId> {
        self.connections.keys().copied()
    }

    /// Every connection, those that ask a word included, for `stat` and `cons`.
    pub fn connection_lines(&self) -> impl Iterator<Item = ConnectionLine> {
        self.connections.values().map(|connection| line_of(connection))
    }

    /// How the connections are that have one of these sessions.
    pub fn connections_of(
        &self,
        wanted: impl Fn(SessionId) -> bool,
    ) -> impl Iterator<Item = (SessionId, ConnId, ConnectionLine, ConnectionFlow)> {
        let connections = self.connections.iter();
        connections.filter_map(move |(conn, connection)| {
            let session = connection.session().filter(|session| wanted(*session))?;
            Some((session, *conn, line_of(connection), flow_of(connection)))
        })
    }

    /// The connections that are not read from, or do not read; and the worst of them, so many.
    pub fn waiting_connections(&self, worst: usize) -> WaitingConnections {
        let mut waiting = WaitingConnections::default();
        for (conn, connection) in &self.connections {
            let flow = flow_of(connection);
            let is_unread = flow.unread_bytes > 0;
            waiting.paused += usize::from(flow.is_paused);
            waiting.unread += usize::from(is_unread);
            if flow.is_paused || is_unread {
                waiting.worst.push((flow.unread_bytes, *conn));
            }
        }
        waiting.worst.sort_by(|a, b| b.cmp(a));
        waiting.worst.truncate(worst);
        waiting
    }

    pub fn connection(&self, conn: ConnId) -> Option<(ConnectionLine, ConnectionFlow)> {
        let connection = self.connections.get(&conn)?;
        Some((line_of(connection), flow_of(connection)))
    }

    /// Paths that a connection watches for data and existence, and for children; each list in its order.
    pub fn watched_by(&self, conn: ConnId) -> [&BTreeSet<Arc<str>>; 2] {
        self.watches.of_conn(conn)
    }

    /// When each connection expires, the earliest first: its address and its session, 0 if it has none.
    pub fn connection_expiry(&self) -> impl Iterator<Item = (Mono, &str, SessionId)> {
        self.gate.expiry().filter_map(|(at, conn)| {
            let connection = self.connections.get(&conn)?;
            Some((at, &*connection.peer, connection.session().unwrap_or_default()))
        })
    }

    pub fn watch_count(&self) -> usize {
        self.watches.len()
    }

    pub fn watching(&self) -> Watching {
        self.watches.watching()
    }

    /// The data watches by their sessions. (DataTree.dumpWatches)
    pub fn watches_by_session(&self) -> impl Iterator<Item = (SessionId, Vec<&str>)> {
        self.watches.by_conn().map(|(conn, paths)| (self.session_of(conn), paths))
    }

    /// And by their paths.
    pub fn watches_by_path(&self) -> impl Iterator<Item = (&str, Vec<SessionId>)> {
        let sessions_of = |conns: Vec<ConnId>| -> Vec<SessionId> {
            conns.into_iter().map(|conn| self.session_of(conn)).collect()
        };
        self.watches.by_path().map(move |(path, conns)| (path, sessions_of(conns)))
    }

    /// 0 if it has none.
    fn session_of(&self, conn: ConnId) -> SessionId {
        let connection = self.connections.get(&conn);
        connection.and_then(|connection| connection.session()).unwrap_or_default()
    }
}

fn line_of(connection: &Connection) -> ConnectionLine {
    ConnectionLine {
        peer: connection.peer.clone(),
        session: connection.session_line(),
        queued: connection.pending.len(),
        received: connection.received,
        sent: connection.sent,
    }
}

fn flow_of(connection: &Connection) -> ConnectionFlow {
    let (is_paused, unread_bytes) = connection.flow.figures();
    ConnectionFlow { is_paused, unread_bytes }
}
