//! What must hold of the gate between two steps of the service.
//!
//! - LI-2  a connection is paused only while it has held frames
//! - LI-4  what the gate counts is what its connections have: addresses, held frames, requests in
//!   process, bytes of large ones
//! - OF-1  what is on the way to clients is what each has, those that are closed included

use super::{Gate, Member};
use crate::base::invariant;

impl Gate {
    /// Costly: it looks at every connection.
    pub(in crate::server) fn invariants<'a>(
        &self,
        members: impl Iterator<Item = Member<'a>> + Clone,
    ) {
        let (mut connections, mut held, mut requests, mut large, mut sent) = (0, 0, 0, 0, 0);
        for Member { flow, requests: own, bytes: pending, large_bytes, .. } in members.clone() {
            let (frames, bytes) = (flow.held.len(), flow.held_bytes);
            let there: usize = flow.held.iter().map(|frame| frame.len()).sum();
            invariant!(bytes == there, "LI-4", "{bytes} bytes are held, {there} are there");
            invariant!(!flow.is_paused || frames > 0, "LI-2", "paused, and nothing is held");
            let bytes = flow.pending_bytes;
            invariant!(bytes == pending, "LI-4", "{bytes} bytes in process, {pending} are there");
            connections += 1;
            sent += flow.sent.bytes();
            held += frames;
            requests += own;
            large += large_bytes;
        }
        let Gate { connections: counted, .. } = *self;
        invariant!(counted == connections, "LI-4", "{counted} connections, not {connections}");
        for (ip, counted) in &self.per_address {
            let there = members.clone().filter(|member| member.ip == ip).count();
            invariant!(*counted as usize == there, "LI-4", "{counted} from {ip}, not {there}");
        }
        let counted = self.per_address.values().sum::<u32>() as usize;
        invariant!(counted == connections, "LI-4", "{counted} with address, not {connections}");
        invariant!(self.held == held, "LI-4", "{} frames are held, not {held}", self.held);
        let counted = self.requests;
        invariant!(counted == requests, "LI-4", "{counted} requests in process, not {requests}");
        let counted = self.large_bytes;
        invariant!(counted == large, "LI-4", "{counted} bytes of large ones, not {large}");
        let (closed, counted) = self.outflow.of_closed_and_all();
        let there = closed + sent;
        invariant!(counted == there, "OF-1", "{counted} bytes are on the way, not {there}");
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::outflow::Sent;
    use super::super::{Admission, Flow};
    use super::*;
    use crate::base::invariant::testing::{Row, each_fires};
    use crate::base::{ConnId, Mono, ServerId};
    use crate::config::ServerConfig;

    struct State {
        gate: Gate,
        flow: Flow,
        admissions: Vec<Admission>,
    }

    /// One connection with a held frame and a request in process.
    fn good() -> State {
        let mut gate = Gate::new(&ServerConfig::defaults(ServerId(1)), 0);
        let mut flow = Flow::default();
        gate.accept(Mono(0), ConnId(1), "ip", &mut flow).expect("no limit refuses it");
        assert!(!gate.hold(ConnId(1), Bytes::from_static(b"frame"), &mut flow), "it is short");
        let admissions = vec![gate.admit(1, &mut flow).expect("no limit refuses it")];
        assert!(!gate.note_written(ConnId(1), b"frame", &mut flow), "it is short");
        State { gate, flow, admissions }
    }

    fn check(state: &State) {
        let member = Member::new("ip", &state.flow, state.admissions.iter().copied());
        state.gate.invariants([member].into_iter());
    }

    const ROWS: &[Row<State>] = &[
        ("LI-4", good, |state| state.flow.held_bytes += 1),
        ("LI-2", good, |state| {
            let sent = state.flow.sent.clone();
            state.flow = Flow { is_paused: true, pending_bytes: 1, sent, ..Flow::default() };
            state.gate.held = 0;
        }),
        ("LI-4", good, |state| state.flow.pending_bytes += 1),
        ("OF-1", good, |state| state.gate.outflow.note_ready(&mut Sent::default(), 1)),
        ("LI-4", good, |state| state.gate.connections += 1),
        ("LI-4", good, |state| _ = state.gate.per_address.insert("other".into(), 1)),
        ("LI-4", good, |state| state.gate.per_address.clear()),
        ("LI-4", good, |state| state.gate.held += 1),
        ("LI-4", good, |state| state.gate.requests += 1),
        ("LI-4", good, |state| state.gate.large_bytes += 1),
    ];

    #[test]
    fn each_invariant_fires() {
        each_fires(include_str!("invariants.rs"), check, ROWS);
    }
}
