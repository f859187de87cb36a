//! The simulated network: hosts, directed links, connections.
//!
//! `connect` makes connections, `conn` is one and ends it, `flow` moves its bytes, `stream` is
//! what drivers hold, `faults` cuts, delays, holds and retransmits.
//!
//! A frame is what one write call hands over. Its latency is keyed by (link, plane, connection,
//! frame no.), so traffic elsewhere changes nothing. Whether a cut swallowed it is decided on
//! arrival, from the list of cuts between its departure and its arrival: every cut in between is
//! known by then, in whatever order the executor ran things.
//!
//! - NE-1  bytes of one direction arrive in the order they were written, or not at all
//! - NE-2  nothing passes a cut: no SYN, data, FIN, RST, acknowledgement or window update
//! - NE-3  a sender whose bytes are not acknowledged for RETRANSMIT_LIMIT is told TimedOut
//!
//! Not here: names and planes of hosts (`World`), when processes die (`lifecycle`).

mod conn;
mod connect;
mod faults;
mod flow;
mod stream;

pub use faults::RETRANSMIT_WAIT_MAX;
pub(crate) use faults::SendHook;
pub use stream::{SimListener, SimStream};

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::Stamp;

use super::World;
use super::hub::{Event, LATENCY_MIN};
use crate::draw::Key;
use conn::Conn;
use connect::{Attempt, Port};
use faults::Hold;

/// What a connection is for, by the port it goes to. Faults name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Plane {
    Election,
    Quorum,
    /// Client ports, and every port that is nothing else.
    Client,
    /// In a fault: each of them.
    All,
}

impl Plane {
    const EACH: [Plane; 3] = [Plane::Election, Plane::Quorum, Plane::Client];

    fn covers(self, other: Plane) -> bool {
        self == Plane::All || self == other
    }

    fn each(self) -> impl Iterator<Item = usize> {
        Plane::EACH.into_iter().filter(move |plane| self.covers(*plane)).map(|plane| plane as usize)
    }
}

/// What happens on the network besides data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NetEvent {
    /// A connection was asked for: SYN leaves.
    Connect {
        attempt: usize,
    },
    SynArrives {
        attempt: usize,
        left: Stamp,
    },
    SynAnswered {
        attempt: usize,
        left: Stamp,
        accepted: bool,
    },
    SynRetry {
        attempt: usize,
    },
    ConnectTimeout {
        attempt: usize,
    },
    /// RST for this end of a connection.
    RstArrives {
        conn: usize,
        end: usize,
        left: Stamp,
    },
    /// The reader of this direction has room for so many bytes more.
    WindowOpens {
        conn: usize,
        dir: usize,
        left: Stamp,
        bytes: usize,
    },
    Retransmit {
        conn: usize,
        dir: usize,
        tries: u32,
    },
    AckOverdue {
        conn: usize,
        dir: usize,
        tries: u32,
    },
}

impl NetEvent {
    pub(crate) fn id(&self) -> u64 {
        match self {
            NetEvent::Connect { attempt }
            | NetEvent::SynArrives { attempt, .. }
            | NetEvent::SynAnswered { attempt, .. }
            | NetEvent::SynRetry { attempt }
            | NetEvent::ConnectTimeout { attempt } => *attempt as u64,
            NetEvent::RstArrives { conn, .. }
            | NetEvent::WindowOpens { conn, .. }
            | NetEvent::Retransmit { conn, .. }
            | NetEvent::AckOverdue { conn, .. } => *conn as u64,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    low: Duration,
    high: Duration,
    extra: Duration,
}

#[derive(Clone, Copy)]
struct Cut {
    from: Stamp,
    until: Stamp,
}

/// What one host sees of another, in one direction: what was cut and how slow it is, by plane
/// and over time.
#[derive(Default)]
pub(crate) struct Link {
    cuts: [Vec<Cut>; 3],
    latencies: [Vec<(Stamp, Latency)>; 3],
}

impl Link {
    /// Whether something that left and arrived then met a cut.
    fn cut_between(&self, plane: Plane, left: Stamp, arrived: Stamp) -> bool {
        let cuts = &self.cuts[plane as usize];
        cuts.iter().rev().take_while(|cut| cut.until > left).any(|cut| cut.from <= arrived)
    }

    fn latency_at(&self, plane: Plane, at: Stamp) -> Option<Latency> {
        let history = &self.latencies[plane as usize];
        history.iter().rev().find(|(from, _)| *from <= at).map(|(_, latency)| *latency)
    }
}

pub(crate) struct Net {
    conns: Vec<Option<Box<Conn>>>,
    attempts: Vec<Option<Attempt>>,
    ports: BTreeMap<(usize, u16), Port>,
    links: Vec<Link>,
    link_of: BTreeMap<(usize, usize), usize>,
    default_latency: Latency,
    holds: Vec<Hold>,
    holds_made: u64,
    /// How many connections each (from, to, port) has had.
    ordinals: BTreeMap<(usize, usize, u16), u64>,
    local_ports: BTreeMap<usize, u16>,
}

impl Net {
    pub(crate) fn new((low, high): (Duration, Duration)) -> Net {
        Net {
            conns: vec![],
            attempts: vec![],
            ports: BTreeMap::new(),
            links: vec![],
            link_of: BTreeMap::new(),
            default_latency: Latency { low, high, extra: Duration::ZERO },
            holds: vec![],
            holds_made: 0,
            ordinals: BTreeMap::new(),
            local_ports: BTreeMap::new(),
        }
    }

    /// The index of the link, made when it is first used.
    fn link(&mut self, from: usize, to: usize) -> usize {
        let links = &mut self.links;
        *self.link_of.entry((from, to)).or_insert_with(|| {
            links.push(Link::default());
            links.len() - 1
        })
    }

    /// A keyed latency for something that leaves over this link at `left`.
    fn latency(&self, link: usize, plane: Plane, left: Stamp, key: Key) -> Duration {
        let latency = self.links[link].latency_at(plane, left).unwrap_or(self.default_latency);
        (key.duration(latency.low, latency.high) + latency.extra).max(LATENCY_MIN)
    }
}

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
                    let (from, to) = (self.host(frame.from), self.host(frame.to));
                    self.observer().delivered(frame.left, at, &from.name, &to.name, frame.label);
                }
            }
        }
    }

    pub(crate) fn push_net(&self, at: Stamp, event: NetEvent) {
        self.push(at, Event::Net(event));
    }
}
