//! I-3  Agreement: all servers deliver the same transactions in the same places.
//!
//! Checked whenever a server applies a transaction: it must be the one that the committed history
//! has under this zxid. A server that is established or begins to serve delivers its whole history
//! at once; that history is compared then. If this fails, two servers hold different trees for one
//! zxid.

use quorate::base::{Note, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct Agreement;

impl Checker for Agreement {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Applied { zxid, hash, .. }) = note(fact) else { return };
        let committed = &ghost.committed;
        if !ghost.server(fact.server).delivers() || *zxid > committed.last() {
            return;
        }
        match committed.entry(*zxid) {
            Some(entry) if entry.hash == *hash => {}
            Some(_) => {
                let words = format!("delivered another transaction as {zxid} than was committed");
                out.add("I-3", fact, &[], words);
            }
            None => {
                out.add("I-3", fact, &[], format!("delivered {zxid}, which others passed over"))
            }
        }
    }

    /// What serves has delivered its whole history at once.
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let upto: Zxid = match note(fact) {
            Some(Note::Serving { zxid, .. }) => *zxid,
            Some(Note::Established { history_end, .. }) => *history_end,
            _ => return,
        };
        let mine = ghost.server(fact.server).log.chain_upto(upto);
        let committed = ghost.committed.chain_upto(upto);
        if mine.is_some() && mine != committed {
            let words = format!("serves a history up to {upto} that is not the committed one");
            out.add("I-3", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, digest, h, z};
    use quorate::base::{Epoch, Note};

    #[test]
    fn two_transactions_delivered_at_one_zxid_are_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::Applied { zxid: z(1, 2), hash: 9, state_digest: 1 });
        script.assert_violates("I-3");
    }

    #[test]
    fn a_snapshot_of_what_was_not_committed_when_it_was_taken_may_be_served() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.note(1, Note::SnapshotInstalled { zxid: z(1, 3), tree_digest: digest(z(1, 3)) });
        script.note(1, Note::SnapshotDurable { zxid: z(1, 3) });
        script.note(1, Note::Serving { epoch: Epoch(2), zxid: z(1, 3) });
        script.assert_quiet("I-3");
        assert_eq!(script.checkers.ghost.committed.last(), z(1, 3));
    }

    #[test]
    fn serving_another_history_is_caught() {
        let mut script = FactScript::of(
            "[ensemble]\nvoters = [1, 2, 3]\n\
             disk.1 = { log = [\"0x100000001\"] }\n\
             disk.2 = { log = [\"0x100000001\"] }\n\
             disk.3 = { log = [\"0x100000002\"] }\n",
        );
        script.note(3, Note::Serving { epoch: Epoch(1), zxid: z(1, 2) });
        script.assert_violates("I-3");
    }
}
