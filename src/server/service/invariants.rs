//! What must hold of the service between two of its steps.
//!
//! - C-2   the oldest request of a connection waits for something, be it that its reply can be sent:
//!   what has only its turn to wait for was answered
//! - SV-1  a session is heard through a connection that is there
//!
//! With these go the gate's own (gate/invariants.rs).

use super::Service;
use crate::base::{COSTLY_CHECKS, invariant};
use crate::runtime::ip_of;
use crate::server::connection::Wait;
use crate::server::gate::Member;

impl Service {
    pub(super) fn invariants(&self) {
        let (sessions, connections) = (self.by_session.len(), self.connections.len());
        invariant!(sessions <= connections, "SV-1", "{sessions} sessions of {connections}");
        if !COSTLY_CHECKS {
            return;
        }
        for (session, conn) in &self.by_session {
            let is_there = self.connections.contains_key(conn);
            invariant!(is_there, "SV-1", "{session} is heard through {conn}, which is gone");
        }
        for (conn, connection) in &self.connections {
            let oldest = connection.pending.front().map(|pending| pending.wait);
            let waits = connection.flow.awaits_sending() || oldest.is_none_or(Wait::is_in_process);
            invariant!(waits, "C-2", "{conn}: the oldest request is {oldest:?}");
        }
        self.gate.invariants(self.connections.values().map(|connection| {
            let in_process = connection.pending.iter().map(|pending| pending.admission);
            Member::new(ip_of(&connection.peer), &connection.flow, in_process)
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::bench::{A, Bench, config};
    use super::*;
    use crate::base::invariant::testing::{Row, each_fires};
    use crate::base::{ConnId, SessionId};

    /// A connection without a session.
    fn good() -> Service {
        let mut bench = Bench::serving(&config());
        let peer = "1.2.3.4:5".to_string();
        bench.step(crate::server::Input::Accepted { conn: A, peer, subject: None });
        bench.service
    }

    const ROWS: &[Row<Service>] = &[
        ("SV-1", good, |service| {
            for n in 0..=service.connections.len() as i64 {
                service.by_session.insert(SessionId(n), A);
            }
        }),
        ("SV-1", good, |service| {
            service.by_session.clear();
            service.by_session.insert(SessionId(1), ConnId(99));
        }),
        ("C-2", good, |service| {
            let connection = service.connections.get_mut(&A).expect("it is there");
            let admitted = service.gate.admit(1, &mut connection.flow);
            let admission = admitted.expect("no limit refuses it");
            connection.pending.push_back(super::super::Pending {
                header: crate::jute::client::RequestHeader::default(),
                body: bytes::Bytes::new(),
                wait: Wait::Turn,
                received: crate::base::Mono(0),
                admission,
                reply: None,
            });
        }),
    ];

    #[test]
    fn each_invariant_fires() {
        each_fires(include_str!("invariants.rs"), Service::invariants, ROWS);
    }
}
