//! A link with a bandwidth: what was written leaves in pieces, one after another.
//!
//!     write --> unsent (of its direction) --turn of the link--> flight
//!
//! All connections of the link take turns, a piece each: nobody waits behind more than a piece of
//! every other one. A piece is what the link carries in PIECE, so that a long write arrives bit by
//! bit. What a cut has swallowed is sent again through the link, and so is all behind it. A
//! direction that waits for its retransmission leaves the link to others.
//!
//! - NE-4  what leaves when follows from the bytes and stamps of this link alone. A turn is taken
//!   when everything that was written before it is known (`World::settled`), in whatever order the
//!   executor ran things; that is before its piece can arrive.
//!
//! Free of it are connects, RST and window updates: they are short.

use std::time::Duration;

use quorate::base::Stamp;

use super::conn::{Payload, Stall, Unsent};
use super::event::NetEvent;
use super::link::Link;
use super::state::Net;
use crate::world::handle::World;

/// How long a link is busy with one piece at most.
const PIECE: Duration = Duration::from_millis(10);
/// A piece is at least a packet, and at most what a kernel hands to a network card at once.
const PIECE_BYTES: (u64, u64) = (1_500, 64 * 1024);

impl Link {
    /// How many bytes leave in one turn; `None` is all of them.
    fn piece_bytes(&self) -> Option<usize> {
        let (least, most) = PIECE_BYTES;
        let in_time = |rate: u64| rate.saturating_mul(PIECE.as_millis() as u64) / 1000;
        self.bandwidth.map(|rate| in_time(rate).clamp(least, most) as usize)
    }

    /// How long so many bytes take to leave.
    fn time_for(&self, bytes: usize) -> Duration {
        let nanos = |rate: u64| bytes as u64 * 1_000_000_000 / rate.max(1);
        Duration::from_nanos(self.bandwidth.map_or(0, nanos))
    }
}

#[cfg(test)]
impl World {
    /// From now on this link carries so many bytes a second; `None` is no limit.
    pub(in crate::world) fn set_bandwidth(&self, from: &str, to: &str, bandwidth: Option<u64>) {
        let (from, to) = self.pair(from, to);
        let mut net = self.0.net.borrow_mut();
        let link = net.link(from, to);
        net.links[link].bandwidth = bandwidth;
    }
}

impl Net {
    /// Puts something in line behind what its direction has not sent yet.
    pub(super) fn put_in_line(&mut self, world: &World, (id, d): (usize, usize), one: Unsent) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (link, ready) = (conn.dirs[d].link, one.ready);
        conn.dirs[d].unsent.push_back(one);
        self.want_turn(world, link, (id, d), ready);
    }

    /// Everything in flight was lost: it is sent again, and what has not left follows it.
    pub(super) fn send_again(&mut self, world: &World, at: Stamp, (id, d): (usize, usize)) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let dir = &mut conn.dirs[d];
        dir.stall = Stall::Flowing;
        while let Some(lost) = dir.flight.pop_back() {
            let (payload, label, held_as) = (lost.payload, lost.label, lost.held_as);
            let again = Unsent { payload, sent: lost.sent, ready: at, label, held_as };
            dir.unsent.push_front(again);
        }
        let link = dir.link;
        self.want_turn(world, link, (id, d), at);
    }

    fn want_turn(&mut self, world: &World, link: usize, who: (usize, usize), ready: Stamp) {
        let line = &mut self.links[link].line;
        if !line.contains(&who) {
            line.push(who);
        }
        let begins = ready.max(self.links[link].busy_until);
        self.call_turn(world, link, begins);
    }

    /// Sees to it that the turn which begins then is taken.
    fn call_turn(&mut self, world: &World, link: usize, begins: Stamp) {
        let at = world.time().not_before_now(world.settled(begins));
        let called = &mut self.links[link].turn_at;
        if called.is_none_or(|called| at < called) {
            *called = Some(at);
            world.push_net(at, NetEvent::LinkTurn { link });
        }
    }

    /// Takes every turn that begins early enough for all who want it to be known.
    pub(super) fn on_turn(&mut self, world: &World, at: Stamp, link: usize) {
        if self.links[link].turn_at.is_some_and(|called| called <= at) {
            self.links[link].turn_at = None;
        }
        while let Some((begins, who)) = self.next_in_line(link) {
            if world.settled(begins) > at {
                return self.call_turn(world, link, begins);
            }
            self.send_piece(world, link, begins, who);
        }
    }

    /// Whose turn is next, and when it begins: of all who are ready then, whoever sent longest ago.
    fn next_in_line(&mut self, link: usize) -> Option<(Stamp, (usize, usize))> {
        let (conns, link) = (&self.conns, &mut self.links[link]);
        let ready = |(id, d): (usize, usize)| {
            let dir = &conns.get(id)?.dirs[d];
            let is_waiting = !matches!(dir.stall, Stall::Lost { .. });
            dir.unsent.front().filter(|_| is_waiting).map(|front| (front.ready, dir.turn))
        };
        link.line.retain(|who| ready(*who).is_some());
        let wants = || link.line.iter().filter_map(|who| Some((ready(*who)?, *who)));
        let begins = wants().map(|((ready, _), _)| ready).min()?.max(link.busy_until);
        let ready_then = wants().filter(|((ready, _), _)| *ready <= begins);
        let (_, who) = ready_then.min_by_key(|((_, turn), who)| (*turn, *who))?;
        Some((begins, who))
    }

    fn send_piece(&mut self, world: &World, link: usize, begins: Stamp, (id, d): (usize, usize)) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (link, dir) = (&mut self.links[link], &mut conn.dirs[d]);
        link.turns += 1;
        dir.turn = link.turns;
        let Some(mut front) = dir.unsent.pop_front() else { return };
        let most = link.piece_bytes().unwrap_or(usize::MAX);
        let piece = match &mut front.payload {
            Payload::Data(bytes) if bytes.len() > most => {
                let payload = Payload::Data(bytes.split_to(most));
                let piece = Unsent { payload, label: None, ..front };
                dir.unsent.push_front(front);
                piece
            }
            _ => front,
        };
        link.busy_until = begins + link.time_for(piece.len());
        let left = link.busy_until;
        self.fly(world, (id, d), left, piece);
    }
}
