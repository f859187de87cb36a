//! S-18  Truthful acks: what an ack promises is on disk when the ack is sent, and when it is
//! counted.
//!
//! Checked for the ack of a proposal (the transaction is durable), of NEWLEADER (currentEpoch and
//! the whole log are durable), and of LEADERINFO (acceptedEpoch is durable when the leader counts
//! it). If this fails, a power loss takes away what a quorum was believed to hold.

use quorate::base::{AckKind, Note};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct TruthfulAck;

impl Checker for TruthfulAck {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let server = ghost.server(fact.server);
        match note(fact) {
            Some(Note::AckSent { kind: AckKind::Proposal, zxid })
                if !server.holds_durably(*zxid) =>
            {
                let upto = server.durable_upto();
                out.add("S-18", fact, &[], format!("acks {zxid}, durable is {upto}"));
            }
            Some(Note::AckSent { kind: AckKind::NewLeader, zxid }) => {
                if server.current < zxid.epoch() {
                    let words = format!(
                        "acks NEWLEADER of epoch {}, currentEpoch on disk is {}",
                        zxid.epoch(),
                        server.current
                    );
                    out.add("S-18", fact, &[], words);
                }
                if server.durable_upto() < server.log.last() {
                    let words = format!(
                        "acks NEWLEADER of epoch {} with a log up to {} and {} durable",
                        zxid.epoch(),
                        server.log.last(),
                        server.durable_upto()
                    );
                    out.add("S-18", fact, &[], words);
                }
            }
            Some(Note::AckCounted { zxid, from }) if !ghost.server(*from).holds_durably(*zxid) => {
                let words = format!("counted an ack of {zxid} that {from} does not hold durably");
                out.add("S-18", fact, &[*from], words);
            }
            Some(Note::EpochAckCounted { epoch, from, .. })
                if ghost.server(*from).accepted < *epoch =>
            {
                let words =
                    format!("counted a promise of epoch {epoch} that {from} has not on disk");
                out.add("S-18", fact, &[*from], words);
            }
            Some(Note::NewLeaderAckCounted { epoch, from })
                if ghost.server(*from).current < *epoch =>
            {
                let words =
                    format!("counted a NEWLEADER ack of epoch {epoch} that {from} has not on disk");
                out.add("S-18", fact, &[*from], words);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, s, z};
    use quorate::base::{AckKind, Epoch, Note};

    #[test]
    fn an_ack_before_the_flush_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.assert_holds();
        script.note(1, Note::AckSent { kind: AckKind::Proposal, zxid: z(1, 3) });
        script.assert_violates("S-18");
    }

    #[test]
    fn acks_of_epochs_that_are_not_on_disk_are_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::AckSent { kind: AckKind::NewLeader, zxid: z(2, 0) });
        script.assert_violates("S-18");
        let mut script = FactScript::healthy();
        let (epoch, current, zxid) = (Epoch(2), Epoch(1), z(1, 2));
        script.note(2, Note::EpochAckCounted { epoch, from: s(1), current, zxid });
        script.assert_violates("S-18");
    }
}
