//! Who is still there: pings every half tick, a quorum check every tick.    (Leader.lead's loop)
//!
//! - L-3   a leader without a quorum of live voters steps down within syncLimit ticks.
//! - S-20  observers do not count towards that quorum (ZOOKEEPER-1294).

use super::core::{Leader, Output, Stage};
use super::handler::{Handler, Phase};
use crate::base::{Difference, Exhibit, GaveUp, LinkId, Mono, Note, Now, PeerMisbehaved, ServerId};
use crate::database::Database;
use crate::quorum::AckSet;

impl Leader {
    pub(super) fn on_timer(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        if !self.is_in_time(now, out) {
            return;
        }
        self.drop_silent_learners(now, out);
        self.lose_patience(now);
        self.stop_reading(now, db, out);
        if now.mono >= self.next_ping {
            self.next_ping = now.mono + self.tick / 2;
            self.half_ticks += 1;
            self.ping_learners(out);
            if self.stage == Stage::Broadcast && self.half_ticks.is_multiple_of(2) {
                self.check_quorum(now, out);
            }
        }
        if !self.gave_up {
            // Behind the check: who takes its place has a tick to be counted.
            self.close_silent_speakers(now, out);
        }
    }

    /// False: it took too long to be established, and the leadership is over.
    fn is_in_time(&mut self, now: Now, out: &mut Vec<Output>) -> bool {
        if self.stage == Stage::Discovery && now.mono >= self.epoch_deadline {
            self.give_up(GaveUp::NoFollowers { connected: self.connecting.to_vec() }, out);
        } else if self.stage != Stage::Broadcast && now.mono >= self.deadline {
            let (acked, synced) = (self.electing.to_vec(), self.newleader_acks.to_vec());
            self.give_up(GaveUp::NotEstablished { acked, synced }, out);
        }
        !self.gave_up
    }

    fn drop_silent_learners(&mut self, now: Now, out: &mut Vec<Output>) {
        let oldest_allowed = Mono(now.mono.0.saturating_sub(self.sync_timeout.as_nanos() as u64));
        let silent: Vec<(LinkId, PeerMisbehaved)> = self
            .handlers
            .iter()
            .filter_map(|(link, h)| {
                let stuck = h.phase >= Phase::Synced
                    && h.unacked.oldest().is_some_and(|sent| sent < oldest_allowed);
                if now.mono >= h.deadline {
                    Some((*link, PeerMisbehaved::NotHeardInTime))
                } else if stuck {
                    Some((*link, PeerMisbehaved::NoAckInTime))
                } else {
                    None
                }
            })
            .collect();
        for (link, did) in silent {
            self.dismiss(link, did, out);
        }
    }

    fn ping_learners(&mut self, out: &mut Vec<Output>) {
        let is_early = self.stage != Stage::Broadcast;
        if is_early && self.dialect.has(Difference::NoPingBeforeUptodate) {
            return;
        }
        // While the log is read for it, a learner hears nothing else.
        let hears = |h: &Handler| h.is_forwarding() || h.phase == Phase::SendingHistory;
        for link in self.links_where(hears) {
            self.ping(link, out);
        }
    }

    fn check_quorum(&mut self, now: Now, out: &mut Vec<Output>) {
        let alive = self.alive(now);
        let voters = alive.to_vec();
        if alive.has_quorum(&self.verifier) {
            out.push(Output::Note(Note::QuorumAlive { voters }));
        } else {
            self.give_up(GaveUp::NoQuorum { alive: voters }, out);
        }
    }

    /// Whether the voters that are heard are a quorum without this one.
    pub fn has_quorum_without(&self, now: Now, server: ServerId) -> bool {
        let mut alive = self.alive(now);
        alive.remove(server);
        alive.has_quorum(&self.verifier)
    }

    /// A link has ended. Where a quorum has no link any more, none will come back to this leader: who
    /// has lost it finds no quorum that follows. Clients need not wait for the next check.
    pub(super) fn check_quorum_of_links(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.stage != Stage::Broadcast || self.standalone {
            return;
        }
        let mut linked = self.alive(now);
        for handler in self.handlers.values().filter(|h| h.phase > Phase::Greeting) {
            if !handler.observer {
                linked.add(handler.sid, &self.verifier); // It has come back already.
            }
        }
        if !linked.has_quorum(&self.verifier) {
            self.give_up(GaveUp::NoQuorum { alive: linked.to_vec() }, out);
        }
    }

    pub(super) fn alive(&self, now: Now) -> AckSet {
        // ZOOKEEPER-1294 took synced observers for supporters.
        let alive = AckSet::new(self.museum).fooled_by(Exhibit::ObserversKeepLeader);
        self.count_speakers(alive, |handler| now.mono < handler.deadline)
    }

    /// This server, and those for which a link speaks of which this holds.
    pub(super) fn count_speakers(
        &self,
        mut counted: AckSet,
        holds: impl Fn(&Handler) -> bool,
    ) -> AckSet {
        counted.add(self.sid, &self.verifier);
        for handler in self.handlers.values().filter(|h| h.speaks() && holds(h)) {
            counted.add(handler.sid, &self.verifier);
        }
        counted
    }
}
