//! What is sent to clients and not taken by them, in bytes: of each connection, and of all.
//!
//! Replies are made when they can be sent. Until then the request waits, and costs what it is long:
//!
//!     its connection has too much on the way    until that has left (`maxClientPendingResponseBytes`)
//!     all together have                         until the reply fits (`maxPendingResponseBytes`)
//!
//! A connection may have as much on the way as is free beside it: so of what there is, those who do not
//! read keep no more than the one who comes next finds. Little is always sent. While a reply waits for
//! room, a connection that lets what it was sent lie for too long is closed.
//!
//! - OF-1  `total` is what all connections have on the way, closed ones included, until they are gone
//! - OF-2  what waits for room is found, smallest first, once it fits
//!
//! Whether bytes have left is asked (`NotifyDrained`), of few connections: one that has much on the
//! way, and of each once the total is half of what may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::limits::CLIENT_UNSENT_BYTES_MAX;
use crate::base::{ConnId, Mono};
use crate::config::ClientLimits;

/// So much a connection that has nothing else on the way is sent, however much all others have.
const LITTLE_BYTES: usize = 64 * 1024;
/// So long what was sent may lie while others wait for room, and a second more for each of so many
/// bytes.
const UNREAD_TIME: Duration = Duration::from_secs(10);
const READ_BYTES_PER_SECOND: u64 = 1024 * 1024;

/// Why the oldest request of a connection is not answered, though nothing but sending is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) enum Awaits {
    #[default]
    Nothing,
    /// That less of its own is on the way.
    Drain,
    /// That there is room for so many bytes of its own.
    Room(usize),
    /// Its next turn (turn.rs).
    Turn,
}

/// What is on the way to one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sent {
    /// Written, and not known to have left.
    unsent_bytes: usize,
    /// So many of them were there when it was asked whether they have left.
    drain_asked: Option<usize>,
    /// Its place in `Outflow::asked`.
    drain_due: Mono,
    /// It stands in `Outflow::unasked`.
    is_unasked: bool,
    /// Of replies to writes, which are made and wait behind others.
    ready_bytes: usize,
    awaits: Awaits,
}

impl Sent {
    pub(super) fn bytes(&self) -> usize {
        self.unsent_bytes + self.ready_bytes
    }

    /// Whether answers wait until the client has taken more of what it was sent.
    pub(super) fn awaits_room(&self) -> bool {
        matches!(self.awaits, Awaits::Drain | Awaits::Room(_))
    }

    /// Room for so many bytes more.
    pub(super) fn room(&self, bytes: usize) -> Awaits {
        Awaits::Room(self.unsent_bytes.saturating_add(bytes))
    }

    pub(super) fn awaits_something(&self) -> bool {
        self.awaits != Awaits::Nothing
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outflow {
    of_one_max: usize,
    of_all_max: usize,
    reply_bytes_max: usize,
    now: Mono,
    total: usize,
    /// Connections with something on the way that were not asked whether it has left.
    unasked: BTreeSet<ConnId>,
    /// Connections that were asked, by when they should have answered.
    asked: BTreeSet<(Mono, ConnId)>,
    /// What waits for room, the smallest first.
    waiting: BTreeSet<(usize, ConnId)>,
    /// What was on the way to connections that are closed and not yet gone.
    closed: BTreeMap<ConnId, usize>,
}

impl Outflow {
    pub(super) fn new(limits: &ClientLimits) -> Outflow {
        let of_all_max = limits.pending_responses_bytes_max;
        Outflow {
            of_one_max: limits.pending_response_bytes_max,
            of_all_max,
            // A reply that fits nowhere would wait for ever.
            reply_bytes_max: limits.response_bytes_max.min(of_all_max / 4),
            now: Mono(0),
            total: 0,
            unasked: BTreeSet::new(),
            asked: BTreeSet::new(),
            waiting: BTreeSet::new(),
            closed: BTreeMap::new(),
        }
    }

    pub(super) fn reply_bytes_max(&self) -> usize {
        self.reply_bytes_max
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn set_now(&mut self, now: Mono) {
        self.now = now;
    }

    /// Whether the connection takes what it is sent, so that it may be sent more.
    pub(super) fn may_send(&self, sent: &Sent) -> bool {
        sent.unsent_bytes < self.of_one_max
    }

    /// Whether so many bytes more may be on the way to this connection.
    pub(super) fn has_room(&self, sent: &Sent, bytes: usize) -> bool {
        let wanted = sent.unsent_bytes.saturating_add(bytes);
        wanted <= LITTLE_BYTES || wanted <= self.free()
    }

    fn free(&self) -> usize {
        self.of_all_max.saturating_sub(self.total)
    }

    /// The connection's oldest request waits.
    pub(super) fn wait(&mut self, conn: ConnId, sent: &mut Sent, awaits: Awaits) {
        self.go_on(conn, sent);
        sent.awaits = awaits;
        if let Awaits::Room(wanted) = sent.awaits {
            self.waiting.insert((wanted, conn));
        }
    }

    /// It is tried again. False: it was not waiting.
    pub(super) fn go_on(&mut self, conn: ConnId, sent: &mut Sent) -> bool {
        let awaited = std::mem::take(&mut sent.awaits);
        if let Awaits::Room(wanted) = awaited {
            self.waiting.remove(&(wanted, conn));
        }
        awaited != Awaits::Nothing
    }

    /// A connection whose reply there is room for now.
    pub(super) fn next_with_room(&self) -> Option<ConnId> {
        let free = self.free();
        self.waiting.first().filter(|(wanted, _)| *wanted <= free).map(|(_, conn)| *conn)
    }

    /// Bytes were written. True: the connection is to be asked whether they have left.
    pub(super) fn note_written(&mut self, conn: ConnId, sent: &mut Sent, bytes: usize) -> bool {
        sent.unsent_bytes += bytes;
        self.total += bytes;
        self.asks(conn, sent)
    }

    /// Whether no event is added to what the connection has on the way: it is given up.
    pub(super) fn is_overfull(&self, sent: &Sent) -> bool {
        let may_have = self.free().max(self.of_one_max).max(LITTLE_BYTES);
        sent.unsent_bytes > CLIENT_UNSENT_BYTES_MAX.min(may_have)
    }

    /// The reply to a write is made, and waits behind others.
    pub(super) fn note_ready(&mut self, sent: &mut Sent, bytes: usize) {
        sent.ready_bytes += bytes;
        self.total += bytes;
    }

    /// It is about to be written.
    pub(super) fn take_ready(&mut self, sent: &mut Sent, bytes: usize) {
        sent.ready_bytes -= bytes;
        self.total -= bytes;
    }

    /// Once much is on the way, the connection is asked whether it has left.
    fn asks(&mut self, conn: ConnId, sent: &mut Sent) -> bool {
        if sent.drain_asked.is_some() || sent.unsent_bytes == 0 {
            return false;
        }
        if sent.unsent_bytes >= self.of_one_max / 2 || self.is_tight() {
            return self.ask(conn, sent);
        }
        if !sent.is_unasked {
            sent.is_unasked = true;
            self.unasked.insert(conn);
        }
        false
    }

    fn ask(&mut self, conn: ConnId, sent: &mut Sent) -> bool {
        let seconds = sent.unsent_bytes as u64 / READ_BYTES_PER_SECOND;
        sent.drain_asked = Some(sent.unsent_bytes);
        sent.drain_due = self.now + UNREAD_TIME + Duration::from_secs(seconds);
        self.asked.insert((sent.drain_due, conn));
        true
    }

    fn is_tight(&self) -> bool {
        self.total >= self.of_all_max / 2 || !self.waiting.is_empty()
    }

    /// A connection that is to be asked too, since there is little room.
    pub(super) fn next_unasked(&mut self) -> Option<ConnId> {
        if self.is_tight() { self.unasked.pop_first() } else { None }
    }

    /// It has come out of `next_unasked`. True: it is to be asked.
    pub(super) fn ask_too(&mut self, conn: ConnId, sent: &mut Sent) -> bool {
        sent.is_unasked = false;
        self.asks(conn, sent)
    }

    /// What was written when it was asked has left. True: it is to be asked again.
    pub(super) fn on_drained(&mut self, conn: ConnId, sent: &mut Sent) -> bool {
        let Some(left) = sent.drain_asked.take() else { return false };
        self.asked.remove(&(sent.drain_due, conn));
        sent.unsent_bytes -= left;
        self.total -= left;
        self.asks(conn, sent)
    }

    /// The connection is closed here; what was written to it is still on the way.
    pub(super) fn forget(&mut self, conn: ConnId, sent: &Sent) {
        self.total -= sent.ready_bytes;
        self.asked.remove(&(sent.drain_due, conn));
        self.unasked.remove(&conn);
        if let Awaits::Room(wanted) = sent.awaits {
            self.waiting.remove(&(wanted, conn));
        }
        if sent.unsent_bytes > 0 {
            *self.closed.entry(conn).or_default() += sent.unsent_bytes;
        }
    }

    /// The connection is gone, with all that was on the way to it.
    pub(super) fn on_gone(&mut self, conn: ConnId) {
        self.total -= self.closed.remove(&conn).unwrap_or(0);
    }

    /// When somebody may have let lie for too long what he was sent, while others wait.
    pub(super) fn next_deadline(&self) -> Mono {
        let first = self.asked.first().filter(|_| !self.waiting.is_empty());
        first.map_or(Mono::FAR, |(due, _)| *due)
    }

    /// A connection that has, to be closed.
    pub(super) fn next_unread(&self, now: Mono) -> Option<ConnId> {
        let first = self.asked.first().filter(|(due, _)| *due <= now);
        first.filter(|_| !self.waiting.is_empty()).map(|(_, conn)| *conn)
    }

    /// On the way to connections that are closed, and to all.
    pub(super) fn of_closed_and_all(&self) -> (usize, usize) {
        (self.closed.values().sum(), self.total)
    }
}

#[cfg(test)]
#[path = "outflow_test.rs"]
mod tests;
