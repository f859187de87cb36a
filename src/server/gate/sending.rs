//! What the service asks before it answers: may it, now? (C-2)
//!
//! Apart from mod.rs since it is the other direction: what goes out. Counted is in outflow.rs and
//! turn.rs.

use bytes::Bytes;

use super::outflow::Awaits;
use super::{Flow, Gate};
use crate::base::{ConnId, Mono};

impl Gate {
    /// A step begins.
    pub(in crate::server) fn begin_step(&mut self, now: Mono) {
        self.outflow.set_now(now);
        self.turns.begin_step(now);
    }

    /// Whether one more request of this connection may be answered in this step.
    pub(in crate::server) fn takes_turn(&mut self, flow: &mut Flow) -> bool {
        self.turns.takes(&mut flow.taken)
    }

    /// The connection waits for its next turn.
    pub(in crate::server) fn await_turn(&mut self, conn: ConnId, flow: &mut Flow) {
        self.outflow.wait(conn, &mut flow.sent, Awaits::Turn);
        self.turns.wait(conn);
    }

    /// A connection whose turn it is.
    pub(in crate::server) fn next_in_turn(&mut self) -> Option<ConnId> {
        self.turns.next()
    }

    /// The longest reply there is.
    pub(in crate::server) fn reply_bytes_max(&self) -> usize {
        self.outflow.reply_bytes_max()
    }

    /// Whether the connection takes what it is sent.
    pub(in crate::server) fn may_send(&self, flow: &Flow) -> bool {
        self.outflow.may_send(&flow.sent)
    }

    /// Whether a reply of so many bytes may be made and sent now.
    pub(in crate::server) fn has_room(&self, flow: &Flow, bytes: usize) -> bool {
        self.outflow.has_room(&flow.sent, bytes)
    }

    /// The connection's oldest request waits, for room if its reply has so many bytes.
    pub(in crate::server) fn await_sending(
        &mut self,
        conn: ConnId,
        bytes: Option<usize>,
        flow: &mut Flow,
    ) {
        let awaits = bytes.map_or(Awaits::Drain, |bytes| flow.sent.room(bytes));
        self.outflow.wait(conn, &mut flow.sent, awaits);
    }

    /// It is tried again, and the frames behind it. False: it was not waiting.
    pub(in crate::server) fn go_on(&mut self, conn: ConnId, flow: &mut Flow) -> bool {
        let waited = self.outflow.go_on(conn, &mut flow.sent);
        if waited {
            self.recheck(conn);
        }
        waited
    }

    /// A connection whose reply there is room for now.
    pub(in crate::server) fn next_with_room(&self) -> Option<ConnId> {
        self.outflow.next_with_room()
    }

    /// A connection that may have to be asked whether what it was sent has left, since there is
    /// little room; then `ask_too` says whether it has.
    pub(in crate::server) fn next_unasked(&mut self) -> Option<ConnId> {
        self.outflow.next_unasked()
    }

    #[must_use]
    pub(in crate::server) fn ask_too(&mut self, conn: ConnId, flow: &mut Flow) -> bool {
        self.outflow.ask_too(conn, &mut flow.sent)
    }

    /// A connection that lets lie for too long what others wait for to leave, to be closed.
    pub(in crate::server) fn next_unread(&self, now: Mono) -> Option<ConnId> {
        self.outflow.next_unread(now)
    }

    /// The reply to a write is made, and waits behind others.
    pub(in crate::server) fn note_ready(&mut self, frame: &Bytes, flow: &mut Flow) {
        self.outflow.note_ready(&mut flow.sent, frame.len());
    }

    /// It is about to be written.
    pub(in crate::server) fn take_ready(&mut self, frame: &Bytes, flow: &mut Flow) {
        self.outflow.take_ready(&mut flow.sent, frame.len());
    }
}
