//! Which connections between election ports exist, and what goes over them (QuorumCnxManager).
//!
//! Between two servers there is one connection, opened by the larger sid. The smaller one, when it
//! has something to say, connects, shakes hands, and closes: that asks the larger to connect back.
//!
//!     smaller sid                                larger sid
//!     Send -> Dial, Connected -> Close   ---->   Accepted -> Close, Dial
//!     Accepted -> Write the waiting message <--- Connected -> Write the waiting message
//!
//! A server is dialled only when there is something to tell it, one dial at a time, and a dial
//! that failed is not repeated before the next `Send` or `ConnectAll`. Dials to different servers
//! know nothing of each other: one that hangs delays nobody else (ZOOKEEPER-2930, 3756).
//!
//! - EC-1  at most one connection and one dial per server; a newer connection replaces the older
//! - EC-2  at most one message waits per server, the newest, and only without a connection
//! - EC-3  a new connection starts with a message: the waiting one, or else the last one written,
//!   since the server may have missed that
//! - EC-4  a link is known exactly as long as it is somebody's connection or dial
//! - EC-5  the connection in use was opened by the larger sid; nobody is connected to itself
//! - EC-6  strangers, servers outside the configuration, are remembered only while they are connected
//! - EC-7  only addresses of the configuration are dialled: whoever announces one may name anything
//!
//! A stranger cannot be called back, so that its connection stays, whatever its number. Observers of
//! Apache need not be in the configuration. The driver ends such a connection after a while.
//!
//! A message counts as delivered when it was written to a connection; whether it arrived is not
//! known. Elections do not depend on it: they ask again, and EC-3 covers broken connections.
//!
//! Frames are opaque here, and a server never sends to itself (core.rs counts its own votes).

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::packet::{Handshake, OBSERVER_ID};
use crate::base::{COSTLY_CHECKS, LinkId, ServerId, invariant};
use crate::config::ServerConfig;
use crate::runtime::HostPort;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message for another server; replaces the one that waits.
    Send { to: ServerId, body: Bytes },
    /// Dial every known server that is neither connected nor being dialled.
    ConnectAll,
    /// Dial this one, if it is neither.
    Connect { to: ServerId },
    /// Another server connected and shook hands. The link id is the driver's, an odd number.
    Accepted { link: LinkId, sid: i64 },
    /// A dial succeeded and its handshake was written, in one piece.
    Connected { link: LinkId },
    /// `refused`: nobody listens there.
    DialFailed { link: LinkId, refused: bool },
    /// One frame's body.
    Frame { link: LinkId, body: Bytes },
    /// What came over it is no notification: it goes.
    Misbehaved { link: LinkId },
    /// The connection ended. Not expected after `Close`, and harmless then.
    Lost { link: LinkId },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect, write the handshake, report `Connected` or `DialFailed`. Link ids are even.
    Dial {
        link: LinkId,
        sid: ServerId,
        to: HostPort,
        handshake: Bytes,
    },
    /// One frame's body; the length goes before it.
    Write {
        link: LinkId,
        body: Bytes,
    },
    /// Write out what was handed over, then close; for a dial in progress: give it up. Nothing
    /// more is said of this link, and what is still reported of it is ignored.
    Close {
        link: LinkId,
    },
    Deliver {
        link: LinkId,
        from: ServerId,
        body: Bytes,
    },
    /// The connection in use with this server has ended.
    Gone {
        sid: ServerId,
    },
    /// Nobody listens on this server's election port.
    Refused {
        sid: ServerId,
    },
}

/// What is known of one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Peer {
    /// The connection in use.
    link: Option<LinkId>,
    dial: Option<LinkId>,
    /// The message that waits for a connection.
    waiting: Option<Bytes>,
    /// The last message written.
    last: Option<Bytes>,
}

/// All election connections of one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Links {
    me: ServerId,
    handshake: Bytes,
    addresses: Rc<BTreeMap<ServerId, HostPort>>,
    peers: BTreeMap<ServerId, Peer>,
    /// Whose link this is, dials included. Closed links are not in it.
    owners: BTreeMap<LinkId, ServerId>,
    next_link: u64,
    /// The id that the next observer without one of its own gets.
    next_observer: i64,
}

impl Links {
    pub fn new(config: &ServerConfig) -> Links {
        let addresses: BTreeMap<_, _> =
            config.servers.iter().map(|(sid, spec)| (*sid, spec.election.clone())).collect();
        let handshake = match addresses.get(&config.my_id) {
            Some(election) => Handshake::v1(config.my_id, election).encode(),
            // A server that its own configuration lacks can be told apart, not called back.
            None => Handshake::v1(config.my_id, &HostPort::new("0.0.0.0", 0)).encode(),
        };
        Links {
            me: config.my_id,
            handshake,
            addresses: Rc::new(addresses),
            peers: BTreeMap::new(),
            owners: BTreeMap::new(),
            next_link: 2,
            next_observer: -1,
        }
    }

    pub fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Send { to, body } => self.on_send(to, body, out),
            Input::ConnectAll => self.on_connect_all(out),
            Input::Accepted { link, sid } => self.on_accepted(link, sid, out),
            Input::Connected { link } => self.on_connected(link, out),
            Input::Connect { to } => self.on_connect(to, out),
            Input::DialFailed { link, refused } => {
                let sid = self.on_gone(link).filter(|_| refused);
                out.extend(sid.map(|sid| Output::Refused { sid }));
            }
            Input::Lost { link } => {
                out.extend(self.on_gone(link).map(|sid| Output::Gone { sid }));
            }
            Input::Frame { link, body } => self.on_frame(link, body, out),
            Input::Misbehaved { link } => self.on_misbehaved(link, out),
        }
        if COSTLY_CHECKS {
            self.invariants();
        }
    }

    /// Whether no message waits for a connection.
    pub fn all_delivered(&self) -> bool {
        self.peers.values().all(|peer| peer.waiting.is_none())
    }

    /// The servers that there is a connection to, for logs and metrics.
    pub fn connected(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.peers.iter().filter(|(_, peer)| peer.link.is_some()).map(|(sid, _)| *sid)
    }

    fn on_send(&mut self, to: ServerId, body: Bytes, out: &mut Vec<Output>) {
        invariant!(to != self.me, "EC-5", "a server does not connect to itself");
        if !self.addresses.contains_key(&to) && !self.peers.contains_key(&to) {
            return; // A stranger that has gone.
        }
        let peer = self.peers.entry(to).or_default();
        peer.waiting = Some(body);
        if let Some(link) = peer.link {
            peer.write_first(link, out);
        } else {
            self.dial(to, out);
        }
    }

    fn on_connect_all(&mut self, out: &mut Vec<Output>) {
        let unconnected: Vec<ServerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.link.is_none())
            .map(|(sid, _)| *sid)
            .collect();
        for sid in unconnected {
            self.dial(sid, out);
        }
    }

    fn on_connect(&mut self, to: ServerId, out: &mut Vec<Output>) {
        if self.peers.get(&to).is_none_or(|peer| peer.link.is_none()) {
            self.dial(to, out);
        }
    }

    fn on_accepted(&mut self, link: LinkId, sid: i64, out: &mut Vec<Output>) {
        let mut sid = ServerId(sid);
        if sid == OBSERVER_ID {
            sid = ServerId(self.next_observer);
            self.next_observer -= 1;
        }
        if sid == self.me {
            // Two servers with one id, or a connection to ourselves: the driver logs it.
            out.push(Output::Close { link });
            return;
        }
        let is_member = self.addresses.contains_key(&sid);
        let peer = self.peers.entry(sid).or_default();
        if let Some(older) = peer.link.take() {
            self.owners.remove(&older);
            out.push(Output::Close { link: older });
        }
        if sid < self.me && is_member {
            out.push(Output::Close { link });
            self.dial(sid, out);
            return;
        }
        // What we dial meanwhile would only ask for this connection once more.
        if let Some(dial) = peer.dial.take() {
            self.owners.remove(&dial);
            out.push(Output::Close { link: dial });
        }
        peer.link = Some(link);
        peer.write_first(link, out);
        self.owners.insert(link, sid);
    }

    fn on_connected(&mut self, link: LinkId, out: &mut Vec<Output>) {
        let Some(peer) = self.owners.get(&link).and_then(|sid| self.peers.get_mut(sid)) else {
            return; // Given up while it came to be.
        };
        invariant!(peer.dial == Some(link), "EC-1", "{link} is connected twice");
        peer.dial = None;
        if self.owners[&link] > self.me {
            self.owners.remove(&link);
            out.push(Output::Close { link });
            return;
        }
        if let Some(older) = peer.link.replace(link) {
            self.owners.remove(&older);
            out.push(Output::Close { link: older });
        }
        peer.write_first(link, out);
    }

    /// Whose link it was; `None` if it was nobody's any more.
    fn on_gone(&mut self, link: LinkId) -> Option<ServerId> {
        let sid = self.owners.remove(&link)?;
        let peer = self.peers.get_mut(&sid).expect("a link has an owner");
        peer.link = peer.link.filter(|l| *l != link);
        peer.dial = peer.dial.filter(|l| *l != link);
        self.forget_stranger(sid);
        Some(sid)
    }

    fn on_frame(&mut self, link: LinkId, body: Bytes, out: &mut Vec<Output>) {
        if let Some(sid) = self.owners.get(&link) {
            out.push(Output::Deliver { link, from: *sid, body });
        }
    }

    fn on_misbehaved(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if self.owners.contains_key(&link) {
            self.on_gone(link);
            out.push(Output::Close { link });
        }
    }

    /// Dials a server of the configuration unless that is under way.
    fn dial(&mut self, sid: ServerId, out: &mut Vec<Output>) {
        let Some(to) = self.addresses.get(&sid) else { return };
        let peer = self.peers.entry(sid).or_default();
        if peer.dial.is_some() {
            return;
        }
        let link = LinkId(self.next_link);
        self.next_link += 2;
        peer.dial = Some(link);
        self.owners.insert(link, sid);
        let handshake = self.handshake.clone();
        out.push(Output::Dial { link, sid, to: to.clone(), handshake });
    }

    /// Servers outside the configuration are remembered as long as they are connected: anybody may
    /// connect under any number of ids.
    fn forget_stranger(&mut self, sid: ServerId) {
        let idle = self.peers.get(&sid).is_some_and(|p| p.link.is_none());
        if idle && !self.addresses.contains_key(&sid) {
            self.peers.remove(&sid);
        }
    }
}

impl Links {
    /// What must hold between two steps.
    fn invariants(&self) {
        let mut known = 0;
        for (sid, peer) in &self.peers {
            let Peer { link, dial, waiting, .. } = peer;
            for link in link.iter().chain(dial) {
                known += 1;
                let owner = self.owners.get(link);
                invariant!(owner == Some(sid), "EC-4", "{link} of {sid} belongs to {owner:?}");
            }
            invariant!(link.is_none() || link != dial, "EC-1", "{link:?} of {sid} is dialled too");
            let waits = waiting.is_some() && link.is_some();
            invariant!(!waits, "EC-2", "a message for {sid} waits, but {link:?} is there");
            let is_member = self.addresses.contains_key(sid);
            let dials = *sid < self.me && is_member;
            let ours = link.is_none_or(|link| link.0.is_multiple_of(2) == dials);
            invariant!(*sid != self.me && ours, "EC-5", "{} has {link:?} with {sid}", self.me);
            invariant!(link.is_some() || is_member, "EC-6", "the stranger {sid} has no connection");
            invariant!(dial.is_none() || is_member, "EC-7", "the stranger {sid} is dialled");
        }
        let owners = &self.owners;
        invariant!(owners.len() == known, "EC-4", "{known} links are in use of {owners:?}");
    }
}

impl Peer {
    /// Writes the waiting message, or the last one again.
    fn write_first(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if let Some(body) = self.waiting.take().or_else(|| self.last.take()) {
            self.last = Some(body.clone());
            out.push(Output::Write { link, body });
        }
    }
}

#[cfg(test)]
#[path = "links_test.rs"]
mod tests;
