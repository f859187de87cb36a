//! I-9  Commit consistency: a server that delivers a transaction of an epoch has delivered the
//! whole history with which the leader of that epoch began.
//!
//! Checked at the first transaction of a new epoch that a server applies. If this fails, the server
//! was not synchronised with its leader, and its tree lacks transactions below the new one.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct CommitConsistency;

impl Checker for CommitConsistency {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Applied { zxid, .. }) = note(fact) else { return };
        let server = ghost.server(fact.server);
        if !server.delivers() || server.applied.epoch() == zxid.epoch() {
            return;
        }
        let epoch = zxid.epoch();
        let Some(leadership) = ghost.leaders.get(&epoch) else {
            let words = format!("delivered {zxid} of an epoch without an established leader");
            return out.add("I-9", fact, &[], words);
        };
        let held = server.log.chain_upto(leadership.history_end);
        let lacks = held.is_some() && leadership.chain.is_some() && held != leadership.chain;
        if lacks || server.applied < leadership.history_end {
            let words = format!(
                "delivered {zxid} without the initial history of epoch {epoch}, up to {}",
                leadership.history_end
            );
            out.add("I-9", fact, &[leadership.leader], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, z};

    #[test]
    fn a_delivery_without_the_initial_history_is_caught() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.elect(3, &[1, 3], 2);
        script.establish(3, &[1], 2);
        script.write(3, &[1], z(2, 1));
        script.assert_holds();
        // 2 never got (1,3).
        script.log(2, z(2, 1));
        script.apply(2, z(2, 1));
        script.assert_violates("I-9");
    }

    #[test]
    fn a_delivery_in_an_epoch_without_a_leader_is_caught() {
        let mut script = FactScript::healthy();
        script.apply(2, z(5, 1));
        script.assert_violates("I-9");
    }
}
