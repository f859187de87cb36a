//! I-11 .. I-14  Message legality: a leader sends and counts only what its state allows.
//!
//! - I-11  only an established leader proposes and commits, and only in its own epoch
//! - I-12  a leader counts acks only of its own proposals, and only from learners that acked
//!   NEWLEADER
//! - I-13  a leader proposes zxids one after another, without a gap
//! - I-14  it commits them so, too; and no server applies a transaction that no quorum has logged
//!
//! The servers check the packets that they receive themselves, by assertions. One that fails comes
//! here as a `Broken` note.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{Epoch, Note, ServerId, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug, Default)]
pub(super) struct MessageLegality {
    proposed: BTreeMap<(ServerId, Epoch), Zxid>,
    committed: BTreeMap<(ServerId, Epoch), Zxid>,
    synced: BTreeMap<(ServerId, Epoch), BTreeSet<ServerId>>,
}

impl MessageLegality {
    fn ack_counted(
        &self,
        ghost: &Ghost,
        fact: &Fact,
        zxid: Zxid,
        from: ServerId,
        out: &mut Findings,
    ) {
        match ghost.proposed.get(&zxid) {
            Some((_, by)) if *by == fact.server => {}
            _ => {
                let words = format!("counted an ack of {zxid}, which it did not propose");
                out.add("I-12", fact, &[from], words);
            }
        }
        let synced = self.synced.get(&(fact.server, zxid.epoch()));
        if from != fact.server && !synced.is_some_and(|synced| synced.contains(&from)) {
            let words = format!("counted an ack of {from}, which never acked NEWLEADER");
            out.add("I-12", fact, &[from], words);
        }
    }
}

impl Checker for MessageLegality {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let server = ghost.server(fact.server);
        match note(fact) {
            Some(Note::Proposed { zxid, .. }) => {
                in_its_epoch(ghost, fact, *zxid, "proposed", out);
                let last = self.proposed.insert((fact.server, zxid.epoch()), *zxid);
                let last = last.unwrap_or(Zxid::new(zxid.epoch(), 0));
                if last.next() != *zxid {
                    out.add("I-13", fact, &[], format!("proposed {zxid} after {last}"));
                }
            }
            Some(Note::Committed { zxid, .. }) => {
                in_its_epoch(ghost, fact, *zxid, "committed", out);
                let last = self.committed.insert((fact.server, zxid.epoch()), *zxid);
                let last = last.unwrap_or(Zxid::new(zxid.epoch(), 0));
                if last.next() != *zxid {
                    out.add("I-14", fact, &[], format!("committed {zxid} after {last}"));
                }
            }
            Some(Note::NewLeaderAckCounted { epoch, from }) => {
                self.synced.entry((fact.server, *epoch)).or_default().insert(*from);
            }
            Some(Note::AckCounted { zxid, from }) => {
                self.ack_counted(ghost, fact, *zxid, *from, out);
            }
            Some(Note::Applied { zxid, .. })
                if server.delivers() && *zxid > ghost.committed.last() =>
            {
                out.add("I-14", fact, &[], format!("delivered {zxid}, which no quorum holds"));
            }
            _ => {}
        }
    }
}

fn in_its_epoch(ghost: &Ghost, fact: &Fact, zxid: Zxid, did: &str, out: &mut Findings) {
    if ghost.server(fact.server).established != Some(zxid.epoch()) {
        let words = format!("{did} {zxid} without being the established leader of its epoch");
        out.add("I-11", fact, &[], words);
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, s, z};
    use quorate::base::Note;

    #[test]
    fn a_proposal_of_a_server_that_does_not_lead_is_caught() {
        let mut script = FactScript::healthy();
        script.note(2, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.assert_violates("I-11");
    }

    #[test]
    fn an_ack_of_nothing_and_one_before_newleader_are_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::AckCounted { zxid: z(1, 7), from: s(1) });
        script.assert_violates("I-12");

        let mut script = FactScript::new();
        script.elect(3, &[1, 2, 3], 1);
        script.establish(3, &[1], 1);
        script.note(3, Note::Proposed { zxid: z(1, 1), hash: h(z(1, 1)) });
        script.assert_holds();
        script.log(2, z(1, 1));
        script.note(3, Note::AckCounted { zxid: z(1, 1), from: s(2) });
        script.assert_violates("I-12");
    }

    #[test]
    fn gaps_in_proposals_and_commits_are_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 4), hash: h(z(1, 4)) });
        script.assert_violates("I-13");
        let mut script = FactScript::healthy();
        script.note(3, Note::Committed { zxid: z(1, 4), voters: vec![s(1), s(3)] });
        script.assert_violates("I-14");
    }

    #[test]
    fn a_delivery_before_a_quorum_holds_it_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.assert_holds();
        script.apply(1, z(1, 3));
        script.assert_violates("I-14");
    }
}
