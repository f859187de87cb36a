//! E-1  Election agreement: a server takes part in an epoch only under the leader that it elected.
//!
//! Checked when a server is established as leader or begins to serve: the leader of that epoch must
//! be the one that the server's own last election named. For a moment two servers may both believe
//! that they lead; but only one of them may have followers that serve.

use std::collections::BTreeMap;

use quorate::base::{Note, RoleName, ServerId};

use super::{Checker, Event, Fact, Findings, Ghost};

#[derive(Debug, Default)]
pub(super) struct ElectionAgreement {
    elected: BTreeMap<ServerId, ServerId>,
}

impl Checker for ElectionAgreement {
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let note = match &fact.event {
            Event::Note(note) => note,
            Event::Died => {
                self.elected.remove(&fact.server);
                return;
            }
            _ => return,
        };
        let epoch = match note {
            Note::Elected { leader, .. } => {
                self.elected.insert(fact.server, *leader);
                return;
            }
            Note::Role { role: RoleName::Looking, .. } => {
                self.elected.remove(&fact.server);
                return;
            }
            Note::Established { epoch, .. } | Note::Serving { epoch, .. } => *epoch,
            _ => return,
        };
        let named = self.elected.get(&fact.server).copied();
        let leader = ghost.leaders.get(&epoch).map(|leadership| leadership.leader);
        if leader.is_none() || named != leader {
            let named = named.map_or("nobody".to_owned(), |named| named.to_string());
            let leader = leader.map_or("nobody".to_owned(), |leader| leader.to_string());
            let words = format!("takes part in epoch {epoch} of {leader}, but elected {named}");
            out.add("E-1", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note, RoleName};

    #[test]
    fn serving_under_another_leader_than_the_elected_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        script.note(1, Note::Elected { round: 2, leader: s(2), voters: vec![s(1), s(2)] });
        script.note(1, Note::Serving { epoch: Epoch(1), zxid: z(1, 2) });
        script.assert_violates("E-1");
    }
}
