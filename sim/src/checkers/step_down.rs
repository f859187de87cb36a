//! L-3 (first half)  A leader that has lost its quorum steps down.
//!
//! Checked when a leader says that it has found its quorum alive: on its own clock, the time since
//! a quorum was last in its epoch is at most syncLimit and a few ticks. Also checked: it looks for
//! its quorum every few ticks. A server is in the epoch if it is up, not paused, and follows in
//! this epoch.
//!
//! Followers that a fault of the network hides still count: they have timers of their own and leave
//! when these expire. And when a delayed packet reaches the leader late, the time begins anew,
//! since the leader hears its followers then.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::{Epoch, Mono, Note, RoleName, ServerId};

use super::{Checker, Event, Fact, Findings, Ghost};

#[derive(Debug, Default)]
pub(super) struct StepDown {
    /// Per leader: since when, on its clock, it has no quorum.
    alone_since: BTreeMap<ServerId, Mono>,
    /// Per leader: when it last found a quorum alive.
    last_alive: BTreeMap<ServerId, Mono>,
}

/// Beyond the 1.5 ticks of the protocol: what was on its way when a follower went.
const SLACK_TICKS: u32 = 2;

impl Checker for StepDown {
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        if matches!(fact.event, Event::Rebuilt(_)) {
            return; // nothing that the server did: it may be paused
        }
        let tick = ghost.ensemble.tick_time;
        if matches!(fact.event, Event::Resumed) {
            // What it missed it learns now.
            self.last_alive.insert(fact.server, fact.mono);
            self.alone_since.insert(fact.server, fact.mono);
        }
        let Some(epoch) = ghost.server(fact.server).established else {
            self.alone_since.remove(&fact.server);
            self.last_alive.remove(&fact.server);
            return;
        };
        if matches!(fact.event, Event::HeardLate { .. }) {
            self.alone_since.insert(fact.server, fact.mono);
            return; // its machine heard it: it may be paused
        }
        if has_quorum(ghost, fact.server, epoch) {
            self.alone_since.insert(fact.server, fact.mono);
        }
        let alone = fact.mono.since(*self.alone_since.entry(fact.server).or_insert(fact.mono));
        let bound = ghost.ensemble.sync_timeout() + tick * 3 / 2 + tick * SLACK_TICKS;
        let checks = matches!(fact.event, Event::Note(Note::QuorumAlive { .. }));
        if checks && alone > bound {
            let words = format!("leads epoch {epoch} for {alone:?} without a quorum in its epoch");
            out.add("L-3", fact, &[], words);
        }
        let last = self.last_alive.entry(fact.server).or_insert(fact.mono);
        let silent: Duration = fact.mono.since(*last);
        if silent > tick * 5 / 2 + tick {
            let words =
                format!("leads epoch {epoch} and has not looked for its quorum in {silent:?}");
            out.add("L-3", fact, &[], words);
            *last = fact.mono;
        }
        if checks {
            *last = fact.mono;
        }
    }
}

fn has_quorum(ghost: &Ghost, leader: ServerId, epoch: Epoch) -> bool {
    ghost.ensemble.is_quorum_of(|id| {
        let server = ghost.server(id);
        id == leader
            || (server.is_up() && server.role == RoleName::Following && server.current == epoch)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::checkers::testing::{FactScript, digest, s, z};
    use crate::checkers::{Event, Rebuilt};
    use quorate::base::Note;

    fn ticks(script: &mut FactScript, n: u32) {
        for _ in 0..n {
            script.wait(Duration::from_secs(1));
            script.note(3, Note::QuorumAlive { voters: vec![s(1), s(3)] });
        }
    }

    #[test]
    fn a_leader_that_goes_on_alone_is_caught() {
        let mut script = FactScript::healthy();
        ticks(&mut script, 5);
        script.event(1, Event::Died);
        script.event(2, Event::Died);
        ticks(&mut script, 6);
        script.assert_holds();
        ticks(&mut script, 6);
        script.assert_violates("L-3");
    }

    #[test]
    fn what_is_sent_again_after_a_cut_keeps_a_leader_that_much_longer() {
        let mut script = FactScript::healthy();
        ticks(&mut script, 5);
        script.event(1, Event::Died);
        script.event(2, Event::Died);
        ticks(&mut script, 6);
        script.event(3, Event::HeardLate { from: s(2) });
        ticks(&mut script, 6);
        script.assert_holds();
        ticks(&mut script, 6);
        script.assert_violates("L-3");
    }

    #[test]
    fn a_leader_that_never_looks_for_its_quorum_is_caught() {
        let mut script = FactScript::healthy();
        ticks(&mut script, 2);
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
