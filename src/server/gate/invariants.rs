//! What must hold of the gate between two steps of the service.
//!
//! - LI-2  a connection is paused only while it has held frames
//! - LI-4  what the gate counts is what its connections have: addresses, held frames, requests in
//!   process, bytes of large ones

use std::collections::BTreeMap;

use super::{Gate, Member};
use crate::base::invariant;

impl Gate {
    /// Costly: it looks at every connection.
    pub(in crate::server) fn invariants(&self, members: &[Member<'_>]) {
        let mut per_address: BTreeMap<&str, u32> = BTreeMap::new();
        for Member { ip, flow, .. } in members {
            *per_address.entry(ip).or_default() += 1;
            let (frames, bytes) = (flow.held.len(), flow.held_bytes);
            let there: usize = flow.held.iter().map(|frame| frame.len()).sum();
            invariant!(bytes == there, "LI-4", "{bytes} bytes are held, {there} are there");
            invariant!(!flow.is_paused || frames > 0, "LI-2", "paused, and nothing is held");
        }
        let (counted, there) = (self.connections, members.len());
        invariant!(counted == there, "LI-4", "{counted} connections counted, {there} are there");
        let counted = self.per_address.iter().map(|(ip, n)| (ip.as_str(), *n));
        let same = per_address.iter().map(|(ip, n)| (*ip, *n)).eq(counted);
        invariant!(same, "LI-4", "{:?} counted, {per_address:?} are there", self.per_address);
        let (counted, there) =
            (self.held, members.iter().map(|m| m.flow.held.len()).sum::<usize>());
        invariant!(counted == there, "LI-4", "{counted} frames counted, {there} are held");
        let admissions = members.iter().flat_map(|member| &member.admissions);
        let (counted, there) = (self.requests, admissions.clone().count());
        invariant!(counted == there, "LI-4", "{counted} requests counted, {there} are there");
        let (counted, there) = (self.large_bytes, admissions.map(|a| a.large_bytes).sum::<usize>());
        invariant!(counted == there, "LI-4", "{counted} large bytes counted, {there} are there");
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

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
        let admissions = vec![gate.admit(1).expect("no limit refuses it")];
        State { gate, flow, admissions }
    }

    fn check(state: &State) {
        let admissions = state.admissions.clone();
        state.gate.invariants(&[Member { ip: "ip", flow: &state.flow, admissions }]);
    }

    const ROWS: &[Row<State>] = &[
        ("LI-4", good, |state| state.flow.held_bytes += 1),
        ("LI-2", good, |state| {
            state.flow = Flow { is_paused: true, ..Flow::default() };
            state.gate.held = 0;
        }),
        ("LI-4", good, |state| state.gate.connections += 1),
        ("LI-4", good, |state| _ = state.gate.per_address.insert("other".into(), 1)),
        ("LI-4", good, |state| state.gate.held += 1),
        ("LI-4", good, |state| state.gate.requests += 1),
        ("LI-4", good, |state| state.gate.large_bytes += 1),
    ];

    #[test]
    fn each_invariant_fires() {
        each_fires(include_str!("invariants.rs"), check, ROWS);
    }
}
