//! L-1 .. L-4  Liveness: once all faults are over, the ensemble works again within a known time.
//!
//! - L-1  if a quorum is up, a leader is established
//! - L-2  every server that is up follows this leader and serves. Excepted is a server whose
//!   acceptedEpoch is beyond the leader's epoch: it may not follow
//! - L-3  a new client's write is done, every request is answered, and no client tries in vain to
//!   connect to a server that serves. (`run` asks for these, since it has the clients)
//! - L-4  all logs end in the same place, and all trees hold all of it
//!
//! The deadlines (`Deadlines::of`) add up the timeouts that may have to pass one after another: the
//! kernel's wait before it sends again, the longest pause between notifications, finalizeWait,
//! initLimit, syncLimit. After the last fault `run` asks again and again, and a property fails if
//! it does not hold at its deadline.

use std::time::Duration;

use quorate::base::{Epoch, RoleName, ServerId, Stamp};

use super::{Ghost, Violation};
use crate::scenario::Ensemble;
use crate::world::RETRANSMIT_WAIT_MAX;

/// When each must have happened, counted from the last fault.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    pub leader: Duration,
    pub learners: Duration,
    pub writes: Duration,
    pub equal: Duration,
}

impl Deadlines {
    pub fn of(ensemble: &Ensemble) -> Deadlines {
        // A vote may wait for the longest silence, then an election may have to be repeated: a
        // leader that cannot be reached costs initLimit first.
        let election = ensemble.finalize_wait + ensemble.notification_interval_max;
        // Connections that met a fault flow again when their kernels try again.
        let flows = RETRANSMIT_WAIT_MAX;
        let leader = flows + election + ensemble.init_timeout() * 2 + ensemble.sync_timeout();
        let learners = leader + election + ensemble.init_timeout();
        let writes = learners + ensemble.sync_timeout() * 2;
        Deadlines { leader, learners, writes, equal: writes + ensemble.sync_timeout() }
    }
}

impl Deadlines {
    /// Where bytes take time: `transfer` is how long all that a server holds takes to move once. An
    /// election may have to wait until what is on its way has passed, a learner for all of the tree,
    /// and may have to begin again once.
    pub fn with(self, transfer: Duration) -> Deadlines {
        Deadlines {
            leader: self.leader + transfer * 2,
            learners: self.learners + transfer * 4,
            writes: self.writes + transfer * 4,
            equal: self.equal + transfer * 4,
        }
    }
}

/// What is still missing, `None` if nothing is.
pub fn missing_leader(ghost: &Ghost) -> Option<String> {
    let up: Vec<ServerId> = up(ghost);
    if !ghost.ensemble.is_quorum(&up) || ghost.leader().is_some() {
        return None;
    }
    Some(format!("no leader is established, though {up:?} are up and connected"))
}

/// Whether enough voters with a say are up for anything to be promised.
pub fn is_available(ghost: &Ghost) -> bool {
    ghost.ensemble.is_quorum(&up(ghost))
}

fn up(ghost: &Ghost) -> Vec<ServerId> {
    let up = ghost.servers.iter().filter(|(_, s)| s.is_up() && !s.uninitialised);
    up.map(|(id, _)| *id).collect()
}

pub fn missing_learners(ghost: &Ghost) -> Option<String> {
    let (epoch, leader) = ghost.leader()?;
    for (id, server) in ghost.servers.iter().filter(|(_, server)| server.is_up()) {
        let declared = server.accepted > epoch;
        if *id == leader || declared || serves(ghost, *id, epoch) {
            continue;
        }
        return Some(format!("server {id} is up and does not serve in epoch {epoch} of {leader}"));
    }
    None
}

fn serves(ghost: &Ghost, id: ServerId, epoch: Epoch) -> bool {
    let server = ghost.server(id);
    let role = match ghost.ensemble.voters.contains(&id) {
        true => RoleName::Following,
        false => RoleName::Observing,
    };
    server.role == role && server.serving == Some(epoch)
}

pub fn missing_equality(ghost: &Ghost) -> Option<String> {
    let (epoch, leader) = ghost.leader()?;
    let reference = ghost.server(leader);
    if reference.log.last() != ghost.committed.last() {
        let (last, committed) = (reference.log.last(), ghost.committed.last());
        return Some(format!("leader {leader} logged {last}, committed is {committed}"));
    }
    for (id, server) in &ghost.servers {
        if !server.is_up() || server.accepted > epoch {
            continue;
        }
        let same_log = server.log.last() == reference.log.last()
            && server.log.chain() == reference.log.chain();
        if !same_log {
            return Some(format!(
                "the log of {id} ends at {}, that of leader {leader} at {}",
                server.log.last(),
                reference.log.last()
            ));
        }
        if server.applied < reference.log.last() {
            let last = reference.log.last();
            return Some(format!("{id} has applied {} of {last}", server.applied));
        }
    }
    None
}

/// A deadline that passed.
pub fn missed(id: &str, what: String, at: Stamp, within: Duration) -> Violation {
    let words = format!("{what}, {within:?} after the last fault");
    Violation { id: id.to_owned(), words, at, servers: Vec::new(), line: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Event;
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::Note;

    #[test]
    fn an_ensemble_without_a_leader_is_told_apart_from_one_without_a_quorum() {
        let mut script = FactScript::new();
        assert!(missing_leader(&script.checkers.ghost).is_some());
        script.event(1, Event::Died);
        script.event(2, Event::Died);
        assert!(missing_leader(&script.checkers.ghost).is_none());
        let script = FactScript::healthy();
        assert!(missing_leader(&script.checkers.ghost).is_none());
    }

    #[test]
    fn a_learner_that_stays_away_is_missed() {
        let mut script = FactScript::healthy();
        assert!(missing_learners(&script.checkers.ghost).is_some_and(|w| w.contains("server 9")));
        script.event(9, Event::Died);
        assert_eq!(missing_learners(&script.checkers.ghost), None);
        script.note(2, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        assert!(missing_learners(&script.checkers.ghost).is_some_and(|w| w.contains("server 2")));
        // Its promise to a later epoch is a declared exception.
        script.note(2, Note::AcceptedEpochDurable { epoch: Epoch(7) });
        assert_eq!(missing_learners(&script.checkers.ghost), None);
    }

    #[test]
    fn unequal_logs_are_missed() {
        let mut script = FactScript::healthy();
        script.event(9, Event::Died);
        assert_eq!(missing_equality(&script.checkers.ghost), None);
        script.write(3, &[1], z(1, 3));
        assert!(missing_equality(&script.checkers.ghost).is_some_and(|w| w.contains("log of 2")));
        script.log(2, z(1, 3));
        assert!(
            missing_equality(&script.checkers.ghost).is_some_and(|w| w.contains("2 has applied"))
        );
        script.apply(2, z(1, 3));
        assert_eq!(missing_equality(&script.checkers.ghost), None);
        assert_eq!(script.checkers.ghost.leader(), Some((Epoch(1), s(3))));
    }
}
