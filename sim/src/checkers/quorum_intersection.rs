//! S-21  Quorum intersection: any two sets of voters that have decided something have a voter in
//! common.
//!
//! Checked whenever an epoch is chosen, a leader is established, or a transaction is committed: the
//! voters behind it are compared with every set that has decided before. S-20 asks whether a set is
//! a quorum by the weights of the configuration. This property does not use these rules: two sets
//! without a common voter that both decide are a split brain, whatever the configuration says.
//! Observers and voters of weight 0 are left out of the sets. The configuration does not change
//! during a run.

use std::collections::BTreeMap;

use quorate::base::{Note, ServerId};

use super::{Checker, Fact, Findings, Ghost, note};

/// The sets that have decided, each with its first decision and who took it.
#[derive(Debug, Default)]
pub(super) struct QuorumIntersection {
    used: BTreeMap<Vec<ServerId>, (String, ServerId)>,
}

impl Checker for QuorumIntersection {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let (what, voters) = match note(fact) {
            Some(Note::EpochOffered { epoch, voters }) => {
                (format!("the choice of epoch {epoch}"), voters)
            }
            Some(Note::Established { epoch, voters, .. }) => {
                (format!("the leadership of epoch {epoch}"), voters)
            }
            Some(Note::Committed { zxid, voters }) => (format!("the commit of {zxid}"), voters),
            _ => return,
        };
        let mut set: Vec<ServerId> =
            voters.iter().copied().filter(|voter| ghost.ensemble.weight(*voter) > 0).collect();
        set.sort_unstable();
        set.dedup();
        if self.used.contains_key(&set) {
            return;
        }
        for (other, (decision, by)) in &self.used {
            if !other.iter().any(|voter| set.contains(voter)) {
                let words = format!(
                    "{what} rests on {set:?}, {decision} on {other:?}: no server is in both"
                );
                out.add("S-21", fact, &[*by], words);
            }
        }
        self.used.insert(set, (what, fact.server));
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note, ServerId};

    fn set(ids: &[i64]) -> Vec<ServerId> {
        ids.iter().map(|id| s(*id)).collect()
    }

    #[test]
    fn an_epoch_chosen_beside_a_quorum_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::EpochOffered { epoch: Epoch(2), voters: set(&[1, 2]) });
        script.assert_quiet("S-21");
        script.note(3, Note::Committed { zxid: z(1, 2), voters: set(&[3]) });
        script.assert_violates("S-21");
    }

    #[test]
    fn observers_in_common_are_nobody() {
        let mut script = FactScript::new();
        script.note(1, Note::EpochOffered { epoch: Epoch(1), voters: set(&[1, 9]) });
        script.assert_quiet("S-21");
        script.note(2, Note::EpochOffered { epoch: Epoch(1), voters: set(&[2, 9]) });
        script.assert_violates("S-21");
    }

    #[test]
    fn quorums_by_weight_intersect() {
        let mut script =
            FactScript::of("[ensemble]\nvoters = [1, 2, 3, 4, 5]\nweights = { 1 = 3 }\n");
        script.note(1, Note::EpochOffered { epoch: Epoch(1), voters: set(&[1, 2]) });
        script.note(1, Note::EpochOffered { epoch: Epoch(2), voters: set(&[1, 5]) });
        script.assert_quiet("S-21");
        script.note(3, Note::EpochOffered { epoch: Epoch(3), voters: set(&[3, 4, 5]) });
        script.assert_violates("S-21");
    }
}
