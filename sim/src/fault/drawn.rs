//! What one fault is drawn from.
//!
//! Every number has a key of its own: the fault's key and what the number is for. So no draw moves
//! another, and a fault can be left out while all others stay as they are.
//!
//! Not here: when faults begin, how long they last and how many there are (`scenario::chaos`).

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::ServerId;

use super::kind::AnyKind;
use crate::draw::Draws;
use crate::grammar::Links;
use crate::grammar::{Trigger, When};

/// A class of faults that [chaos] draws.
#[derive(Debug)]
pub struct Class {
    /// Its key in [chaos]. Draws are keyed by it.
    pub name: &'static str,
    /// `None` if the fault is not possible.
    pub draw: fn(&mut Drawing<'_>) -> Option<Vec<Step>>,
}

/// One thing that is done, and when.
#[derive(Debug)]
pub struct Step {
    pub when: When,
    pub fault: Box<AnyKind>,
}

impl Step {
    pub fn at(at: Duration, fault: impl Into<Box<AnyKind>>) -> Step {
        Step { when: When::At(at), fault: fault.into() }
    }

    /// On what happens first from a time on.
    pub fn on(from: Duration, trigger: Trigger, fault: impl Into<Box<AnyKind>>) -> Step {
        Step { when: When::On(from, trigger), fault: fault.into() }
    }
}

/// One fault that is to be drawn.
#[derive(Debug)]
pub struct Drawing<'a> {
    pub draws: Draws,
    /// The key of its draws.
    pub key: u64,
    pub begins: Duration,
    pub ends: Duration,
    /// All servers.
    pub servers: &'a [ServerId],
    pub observers: &'a [ServerId],
    /// Until when servers are down or paused for other faults.
    pub busy: &'a mut BTreeMap<ServerId, Duration>,
}

impl Drawing<'_> {
    pub fn unit(&self, what: &str, n: u64) -> f64 {
        self.draws.unit(what, self.key, n)
    }

    pub fn below(&self, what: &str, n: u64, bound: usize) -> usize {
        self.draws.below(what, self.key, n, bound.max(1) as u64) as usize
    }

    pub fn between_ms(&self, what: &str, low: u64, high: u64) -> Duration {
        let ms = Duration::from_millis;
        self.draws.between(what, self.key, 0, (ms(low), ms(high)))
    }

    /// A time up to this, short ones as likely as long ones.
    pub fn within(&self, what: &str, n: u64, most: Duration) -> Duration {
        let most = most.as_micros().max(2) as f64;
        Duration::from_micros(most.powf(self.unit(what, n)) as u64)
    }

    pub fn length(&self) -> Duration {
        self.ends.saturating_sub(self.begins)
    }

    /// The server it is about.
    pub fn server(&self) -> ServerId {
        self.servers[self.below("fault server", 0, self.servers.len())]
    }

    /// The same, if no other fault has it down or paused. It has no part in others meanwhile.
    pub fn idle_server(&mut self) -> Option<ServerId> {
        self.if_idle(self.server())
    }

    /// An observer, if there is one and no other fault has it down or paused.
    pub fn idle_observer(&mut self) -> Option<ServerId> {
        let place = self.below("fault server", 0, self.observers.len());
        self.if_idle(*self.observers.get(place)?)
    }

    fn if_idle(&mut self, server: ServerId) -> Option<ServerId> {
        if self.busy.get(&server).is_some_and(|until| *until >= self.begins) {
            return None;
        }
        self.busy.insert(server, self.ends);
        Some(server)
    }

    /// All servers but the one it is about.
    pub fn others(&self) -> Vec<ServerId> {
        let one = self.server();
        self.servers.iter().copied().filter(|server| *server != one).collect()
    }

    /// Another server, if there is one.
    pub fn other(&self) -> Option<ServerId> {
        let others = self.others();
        others.get(self.below("fault other", 0, others.len())).copied()
    }

    /// From the server it is about to another one, one way.
    pub fn link(&self) -> Option<Links> {
        Some(Links::one_way(&[self.server()], &[self.other()?]))
    }

    /// Some of these servers, at least one if there are any.
    pub fn some_of(&self, what: &str, servers: &[ServerId]) -> Vec<ServerId> {
        let is_in = |server: &ServerId| self.unit(what, server.0 as u64) < 0.6;
        let mut some: Vec<ServerId> = servers.iter().copied().filter(is_in).collect();
        if some.is_empty() {
            some.extend(servers.first());
        }
        some
    }

    /// From its beginning to its end.
    pub fn lasting(
        &self,
        fault: impl Into<Box<AnyKind>>,
        undone: impl Into<Box<AnyKind>>,
    ) -> Vec<Step> {
        vec![Step::at(self.begins, fault), Step::at(self.ends, undone)]
    }
}
