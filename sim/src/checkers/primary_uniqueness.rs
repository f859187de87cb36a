//! I-1  Primary uniqueness: an epoch has at most one established leader, and at most one server to
//! which a quorum has promised it.
//!
//! Checked when a leader is established and when it counts an ACKEPOCH. That two servers offer the
//! same epoch is no violation: the first may have died before anybody promised. But each voter
//! promises an epoch once, so that only one of the two can get a quorum.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{Epoch, Note, ServerId};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug, Default)]
pub(super) struct PrimaryUniqueness {
    /// Whose promises each candidate counted for each epoch.
    promises: BTreeMap<(Epoch, ServerId), BTreeSet<ServerId>>,
    /// The candidate with a quorum of promises.
    granted: BTreeMap<Epoch, ServerId>,
}

impl Checker for PrimaryUniqueness {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::Established { epoch, .. }) => {
                if let Some(first) = ghost.leaders.get(epoch).filter(|l| l.leader != fact.server) {
                    let words = format!(
                        "epoch {epoch} has two leaders, {} and {}",
                        first.leader, fact.server
                    );
                    out.add("I-1", fact, &[first.leader], words);
                }
            }
            Some(Note::EpochAckCounted { epoch, from, .. }) => {
                let promises = self.promises.entry((*epoch, fact.server)).or_default();
                promises.insert(fact.server);
                promises.insert(*from);
                if !ghost.ensemble.is_quorum(promises.iter()) {
                    return;
                }
                let first = *self.granted.entry(*epoch).or_insert(fact.server);
                if first != fact.server {
                    let words = format!(
                        "{first} and {} both have a quorum's promise for epoch {epoch}",
                        fact.server
                    );
                    out.add("I-1", fact, &[first], words);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note};

    #[test]
    fn two_leaders_of_one_epoch_are_caught() {
        let mut script = FactScript::healthy();
        let voters = vec![s(1), s(2)];
        script.note(2, Note::Established { epoch: Epoch(1), voters, history_end: z(1, 2) });
        script.assert_violates("I-1");
    }

    #[test]
    fn two_quorums_of_promises_for_one_epoch_are_caught() {
        let mut script = FactScript::new();
        let (epoch, current, zxid) = (Epoch(1), Epoch(0), z(0, 0));
        script.note(3, Note::EpochAckCounted { epoch, from: s(1), current, zxid });
        script.assert_quiet("I-1");
        script.note(2, Note::EpochAckCounted { epoch, from: s(1), current, zxid });
        script.assert_violates("I-1");
    }

    #[test]
    fn one_leader_after_the_other_is_legal() {
        let mut script = FactScript::healthy();
        script.elect(2, &[1, 2], 2);
        script.establish(2, &[1], 2);
        script.assert_holds();
    }
}
