//! S-16  Equal state: two servers whose trees hold the same history hold the same tree, to the
//! last stat field, ACL and session.

use std::collections::BTreeMap;

use quorate::base::{Note, ServerId, Zxid};

use super::log::Chain;
use super::{Checker, Fact, Findings, Ghost, note};

type Seen = BTreeMap<(Zxid, Chain), (u64, ServerId)>;

#[derive(Debug, Default)]
pub(super) struct EqualState {
    states: Seen,
}

impl Checker for EqualState {
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let (zxid, digest) = match note(fact) {
            Some(Note::Applied { zxid, state_digest, .. }) => (*zxid, *state_digest),
            Some(Note::FastForwarded { to, state_digest }) => (*to, *state_digest),
            Some(Note::SnapshotInstalled { zxid, tree_digest }) => (*zxid, *tree_digest),
            Some(Note::Recovered { last_applied, tree_digest, .. }) => {
                (*last_applied, *tree_digest)
            }
            _ => return,
        };
        compare(&mut self.states, ghost, fact, zxid, digest, out);
    }
}

fn compare(
    seen: &mut Seen,
    ghost: &Ghost,
    fact: &Fact,
    zxid: Zxid,
    digest: u64,
    out: &mut Findings,
) {
    let own = match ghost.server(fact.server).installed {
        Some(_) => None,
        None => ghost.server(fact.server).log.chain_upto(zxid),
    };
    let chain = own.or_else(|| ghost.known_chain(zxid));
    if chain.is_none() {
        return;
    }
    let (first, by) = *seen.entry((zxid, chain)).or_insert((digest, fact.server));
    if first != digest {
        let words = format!("its state at {zxid} differs from that of {by} at the same history");
        out.add("S-16", fact, &[by], words);
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{Story, h, z};
    use quorate::base::Note;

    #[test]
    fn another_state_after_the_same_history_is_caught() {
        let mut story = Story::healthy();
        let zxid = z(1, 3);
        story.write(3, &[1], zxid);
        story.log(2, zxid);
        story.note(2, Note::Applied { zxid, hash: h(zxid), state_digest: 1 });
        story.assert_violates("S-16");
    }

    #[test]
    fn states_after_different_histories_are_not_compared() {
        let mut story = Story::healthy();
        story.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        story.log(3, z(1, 3));
        story.note(3, Note::FastForwarded { to: z(1, 3), state_digest: 5 });
        story.note(1, Note::FastForwarded { to: z(1, 2), state_digest: z(1, 2).0 as u64 ^ 0x1234 });
        story.assert_holds();
    }
}
