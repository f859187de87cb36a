//! All that the network of a world knows: links, connections, ports, holds.
//!
//! Not here: what changes it (`connect`, `close`, `flow`, `faults`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use quorate::base::Stamp;
use quorate::runtime::LabelKind;

use super::conn::{Conn, Segment};
use super::link::{Latency, Link};
use super::plane::Plane;
use crate::draw::Key;
use crate::world::process::Process;
use crate::world::time::LATENCY_MIN;

pub(crate) struct Net {
    pub(super) conns: Slots<Conn>,
    pub(super) attempts: Slots<Attempt>,
    pub(super) ports: BTreeMap<(usize, u16), Port>,
    pub(super) links: Vec<Link>,
    pub(super) link_of: BTreeMap<(usize, usize), usize>,
    pub(super) default_latency: Latency,
    /// Of links between two servers.
    default_bandwidth: Option<u64>,
    /// How much may be under way and unread in one direction before writes wait.
    pub(super) socket_buffer: usize,
    servers: BTreeSet<usize>,
    pub(super) holds: Vec<Hold>,
    pub(super) holds_made: u64,
    /// How many connections each (from, to, port) has had.
    pub(super) ordinals: BTreeMap<(usize, usize, u16), u64>,
    pub(super) local_ports: BTreeMap<usize, u16>,
}

impl Net {
    pub(crate) fn new(
        (low, high): (Duration, Duration),
        default_bandwidth: Option<u64>,
        socket_buffer: usize,
    ) -> Net {
        Net {
            conns: Slots::default(),
            attempts: Slots::default(),
            ports: BTreeMap::new(),
            links: vec![],
            link_of: BTreeMap::new(),
            default_latency: Latency { low, high, extra: Duration::ZERO },
            default_bandwidth,
            socket_buffer,
            servers: BTreeSet::new(),
            holds: vec![],
            holds_made: 0,
            ordinals: BTreeMap::new(),
            local_ports: BTreeMap::new(),
        }
    }

    /// The index of the link, made when it is first used.
    pub(super) fn link(&mut self, from: usize, to: usize) -> usize {
        let links = &mut self.links;
        let is_shaped = from != to && [from, to].iter().all(|host| self.servers.contains(host));
        let bandwidth = self.default_bandwidth.filter(|_| is_shaped);
        *self.link_of.entry((from, to)).or_insert_with(|| {
            links.push(Link { bandwidth, ..Link::default() });
            links.len() - 1
        })
    }

    pub(crate) fn add_server(&mut self, host: usize) {
        self.servers.insert(host);
    }

    /// A keyed latency for something that leaves over this link at `left`.
    pub(super) fn latency(&self, link: usize, plane: Plane, left: Stamp, key: Key) -> Duration {
        let latency = self.links[link].latency_at(plane, left).unwrap_or(self.default_latency);
        (key.duration(latency.low, latency.high) + latency.extra).max(LATENCY_MIN)
    }
}

/// Things by their number. A number is used once: what is gone leaves an empty place.
pub(super) struct Slots<T>(Vec<Option<Box<T>>>);

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots(Vec::new())
    }
}

impl<T> Slots<T> {
    pub(super) fn add(&mut self, one: T) -> usize {
        self.0.push(Some(Box::new(one)));
        self.0.len() - 1
    }

    pub(super) fn get(&self, n: usize) -> Option<&T> {
        self.0.get(n)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, n: usize) -> Option<&mut T> {
        self.0.get_mut(n)?.as_deref_mut()
    }

    pub(super) fn take(&mut self, n: usize) -> Option<Box<T>> {
        self.0.get_mut(n)?.take()
    }

    pub(super) fn take_where(&mut self, is_meant: impl Fn(&T) -> bool) {
        for slot in &mut self.0 {
            slot.take_if(|one| is_meant(one));
        }
    }

    /// One more than the highest number.
    pub(super) fn end(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        let slots = self.0.iter_mut().enumerate();
        slots.filter_map(|(n, slot)| Some((n, slot.as_deref_mut()?)))
    }
}

/// A connection that is being opened.
pub(super) struct Attempt {
    pub(super) process: Rc<Process>,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) port: u16,
    pub(super) local_port: u16,
    pub(super) plane: Plane,
    pub(super) at: Stamp,
    pub(super) key: Key,
    pub(super) tries: u32,
    pub(super) outcome: Option<(Stamp, Result<usize, io::ErrorKind>)>,
    pub(super) waker: Option<Waker>,
}

/// A port somebody listens on.
pub(super) struct Port {
    pub(super) process: Rc<Process>,
    pub(super) open_from: Stamp,
    pub(super) queue: VecDeque<(Stamp, usize)>,
    pub(super) waker: Option<Waker>,
}

impl Port {
    pub(super) fn takes(&self, at: Stamp) -> bool {
        self.open_from <= at && self.process.dead_at() > at
    }
}

pub(super) struct Hold {
    pub(super) id: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) plane: Plane,
    pub(super) kind: Option<LabelKind>,
}

impl Hold {
    pub(super) fn stops(&self, from: usize, to: usize, plane: Plane, segment: &Segment) -> bool {
        let named = match (self.kind, segment.held_as) {
            (None, _) => true,
            (Some(kind), Some(label)) => label.kind == kind,
            (Some(_), None) => false,
        };
        named && self.from == from && self.to == to && self.plane.covers(plane)
    }
}
