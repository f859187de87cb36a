//! What an event of the network does.

use quorate::base::Stamp;

use super::event::NetEvent;
use crate::world::handle::{Event, World};

impl World {
    pub(crate) fn on_net(&self, at: Stamp, event: NetEvent) {
        let net = &mut *self.0.net.borrow_mut();
        match event {
            NetEvent::Connect { attempt } => net.on_connect(self, attempt),
            NetEvent::SynArrives { attempt, left } => net.on_syn(self, at, attempt, left),
            NetEvent::SynAnswered { attempt, left, accepted } => {
                net.on_syn_answer(self, at, attempt, left, accepted);
            }
            NetEvent::SynRetry { attempt } => net.send_syn(self, at, attempt),
            NetEvent::ConnectTimeout { attempt } => net.on_connect_timeout(at, attempt),
            NetEvent::RstArrives { conn, end, left } => net.on_rst(at, conn, end, left),
            NetEvent::WindowOpens { conn, dir, left, bytes } => {
                net.on_window(self, at, conn, dir, left, bytes);
            }
            NetEvent::Retransmit { conn, dir, tries } => {
                net.on_retransmit(self, at, conn, dir, tries)
            }
            NetEvent::AckOverdue { conn, dir, tries } => {
                net.on_ack_overdue(self, at, conn, dir, tries)
            }
            NetEvent::LinkTurn { link } => net.on_turn(self, at, link),
        }
    }

    /// Takes in what has arrived, a segment at a time: the observer may call back into the world.
    pub(crate) fn on_segment(&self, at: Stamp, conn: usize, dir: usize) {
        loop {
            let arrived = self.0.net.borrow_mut().take_arrived(self, at, conn, dir);
            match arrived {
                None => return,
                Some(None) => {}
                Some(Some(frame)) => {
                    let (from, to) = (self.machine(frame.from), self.machine(frame.to));
                    self.observer().delivered(frame.left, at, &from.name, &to.name, frame.label);
                }
            }
        }
    }

    pub(crate) fn push_net(&self, at: Stamp, event: NetEvent) {
        self.push(at, Event::Net(event));
    }
}
