//! L-3 (first half)  A leader that has lost its quorum steps down.
//!
//! Checked when a leader says that it has found its quorum alive: on its own clock, each of a quorum
//! was in its epoch within syncLimit and a few ticks. Not all of them at one instant: a leader has
//! a deadline for each of its learners (Apache: `LearnerHandler.synced`), so it keeps a quorum while
//! one follower is on its way back and another has just gone. Also checked: it looks for its quorum
//! every few ticks. A server is in the epoch if it is up, not paused, and follows in this epoch.
//!
//! Followers that a fault of the network hides still count: they have timers of their own and leave
//! when these expire. And when a delayed packet reaches the leader late, the time of its sender
//! begins anew, since the leader hears it then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate::base::{Epoch, Mono, Note, RoleName, ServerId};

use super::{Checker, Event, Fact, Findings, Ghost};

#[derive(Debug, Default)]
pub(super) struct StepDown {
    leaders: BTreeMap<ServerId, Leading>,
}

/// What is kept of a leader while it leads, in times of its own clock.
#[derive(Debug)]
struct Leading {
    epoch: Epoch,
    /// Since when: its quorum acknowledged NEWLEADER just then.
    since: Mono,
    /// When it last found a quorum alive.
    last_alive: Mono,
    /// When each other server was last in its epoch.
    seen: BTreeMap<ServerId, Mono>,
    /// Who was in its epoch since it last did anything, be it for a moment.
    passed: BTreeSet<ServerId>,
}

/// Beyond the 1.5 ticks of the protocol: what was on its way when a follower went.
const SLACK_TICKS: u32 = 2;

impl Checker for StepDown {
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        if matches!(fact.event, Event::Rebuilt(_)) {
            return; // nothing that the server did: it may be paused
        }
        let now = fact.mono;
        if matches!(fact.event, Event::Resumed) {
            self.leaders.remove(&fact.server); // what it missed it learns now
        }
        self.leaders.values_mut().for_each(|leading| leading.look_at(ghost, fact.server));
        let Some(epoch) = ghost.server(fact.server).established else {
            self.leaders.remove(&fact.server);
            return;
        };
        let leading = self.leaders.entry(fact.server).or_insert_with(|| Leading::new(epoch, now));
        if let Event::HeardLate { from } = fact.event {
            leading.seen.insert(from, now);
            return; // its machine heard it: it may be paused
        }
        leading.look_around(ghost, now);
        let tick = ghost.ensemble.tick_time;
        let checks = matches!(fact.event, Event::Note(Note::QuorumAlive { .. }));
        if checks {
            let alone = now.since(leading.quorum_seen(ghost, fact.server));
            if alone > ghost.ensemble.sync_timeout() + tick * 3 / 2 + tick * SLACK_TICKS {
                let words =
                    format!("leads epoch {epoch} for {alone:?} without a quorum in its epoch");
                out.add("L-3", fact, &[], words);
            }
        }
        let silent: Duration = now.since(leading.last_alive);
        if silent > tick * 5 / 2 + tick {
            let words =
                format!("leads epoch {epoch} and has not looked for its quorum in {silent:?}");
            out.add("L-3", fact, &[], words);
            leading.last_alive = now;
        }
        if checks {
            leading.last_alive = now;
        }
    }
}

impl Leading {
    fn new(epoch: Epoch, now: Mono) -> Leading {
        let (seen, passed) = (BTreeMap::new(), BTreeSet::new());
        Leading { epoch, since: now, last_alive: now, seen, passed }
    }

    fn look_at(&mut self, ghost: &Ghost, id: ServerId) {
        let server = ghost.server(id);
        if server.is_up() && server.role == RoleName::Following && server.current == self.epoch {
            self.passed.insert(id);
        }
    }

    fn look_around(&mut self, ghost: &Ghost, now: Mono) {
        ghost.ensemble.voters.iter().for_each(|id| self.look_at(ghost, *id));
        while let Some(id) = self.passed.pop_first() {
            self.seen.insert(id, now);
        }
    }

    /// The newest time since which every member of some quorum was seen.
    fn quorum_seen(&self, ghost: &Ghost, leader: ServerId) -> Mono {
        let seen_at = |id| self.seen.get(&id).copied().unwrap_or(self.since);
        let completes =
            |time: &Mono| ghost.ensemble.is_quorum_of(|id| id == leader || seen_at(id) >= *time);
        self.seen.values().copied().filter(completes).max().unwrap_or(self.since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::checkers::testing::{FactScript, digest, s, z};
    use crate::checkers::{Event, Rebuilt};
    use quorate::base::Note;

    fn ticks(script: &mut FactScript, leader: i64, n: u32) {
        for _ in 0..n {
            script.wait(Duration::from_secs(1));
            script.note(leader, Note::QuorumAlive { voters: vec![s(1), s(2), s(leader)] });
        }
    }

    #[test]
    fn a_leader_that_goes_on_alone_is_caught() {
        let mut script = FactScript::healthy();
        ticks(&mut script, 3, 5);
        script.event(1, Event::Died);
        script.event(2, Event::Died);
        ticks(&mut script, 3, 6);
        script.assert_holds();
        ticks(&mut script, 3, 6);
        script.assert_violates("L-3");
    }

    #[test]
    fn followers_that_take_turns_keep_their_leader() {
        let mut script = FactScript::of("[ensemble]\nvoters = [1, 2, 3, 4]\n");
        script.elect(4, &[1, 2, 3, 4], 1);
        script.establish(4, &[1, 2, 3], 1);
        script.event(1, Event::Paused);
        script.event(2, Event::Paused);
        for (goes, comes) in [(3, 1), (1, 2), (2, 3)].repeat(5) {
            // One of the three is there at each instant, and a quorum needs two.
            script.event(goes, Event::Paused);
            script.event(comes, Event::Resumed);
            ticks(&mut script, 4, 1);
        }
        script.assert_holds();
        script.event(3, Event::Paused);
        ticks(&mut script, 4, 12);
        script.assert_violates("L-3");
    }

    #[test]
    fn a_follower_that_was_there_for_a_moment_counts() {
        let mut script = FactScript::healthy();
        script.event(1, Event::Paused);
        script.event(2, Event::Paused);
        for _ in 0..15 {
            // Its ACK of NEWLEADER is on its way when it goes again.
            script.event(1, Event::Resumed);
            script.event(1, Event::Paused);
            ticks(&mut script, 3, 1);
        }
        script.assert_holds();
        ticks(&mut script, 3, 12);
        script.assert_violates("L-3");
    }

    #[test]
    fn what_is_sent_again_after_a_cut_keeps_a_leader_that_much_longer() {
        let mut script = FactScript::healthy();
        ticks(&mut script, 3, 5);
        script.event(1, Event::Died);
        script.event(2, Event::Died);
        ticks(&mut script, 3, 6);
        script.event(3, Event::HeardLate { from: s(2) });
        ticks(&mut script, 3, 6);
        script.assert_holds();
        ticks(&mut script, 3, 6);
        script.assert_violates("L-3");
    }

    #[test]
    fn a_leader_that_never_looks_for_its_quorum_is_caught() {
        let mut script = FactScript::healthy();
        ticks(&mut script, 3, 2);
        script.wait(Duration::from_secs(10));
        script.note(3, Note::SessionTouched { session: quorate::base::SessionId(1) });
        script.assert_violates("L-3");
    }

    #[test]
    fn a_look_at_the_disk_of_a_paused_leader_is_no_deed_of_its() {
        let mut script = FactScript::healthy();
        script.event(3, Event::Paused);
        script.wait(Duration::from_secs(20));
        let rebuilt = Rebuilt {
            durable: true,
            last_applied: z(1, 2),
            digest: digest(z(1, 2)),
            replayed: (1, 1),
        };
        script.event(3, Event::Rebuilt(rebuilt));
        script.assert_holds();
    }
}
