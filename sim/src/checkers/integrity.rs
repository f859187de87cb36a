//! I-2  Integrity: a server logs and applies only what the leader of the transaction's epoch
//! proposed, and with the same content.
//!
//! Checked at every append and whenever a transaction is applied. Also checked: no zxid is proposed
//! twice.

use quorate::base::{Note, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct Integrity;

impl Checker for Integrity {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::Applied { zxid, hash, .. }) => {
                check(ghost, fact, *zxid, *hash, "applied", out);
            }
            Some(Note::Appended { zxid, hash }) => {
                check(ghost, fact, *zxid, *hash, "logged", out);
            }
            Some(Note::Proposed { zxid, hash }) => match ghost.proposed.get(zxid) {
                Some((first, by)) if first != hash || *by != fact.server => {
                    let words = format!("{zxid} was proposed twice, first by {by}");
                    out.add("I-2", fact, &[*by], words);
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn check(ghost: &Ghost, fact: &Fact, zxid: Zxid, hash: u64, did: &str, out: &mut Findings) {
    match ghost.proposed.get(&zxid) {
        None => out.add("I-2", fact, &[], format!("{did} {zxid}, which nobody proposed")),
        Some((proposed, by)) if *proposed != hash => {
            let words = format!("{did} another transaction as {zxid} than {by} proposed");
            out.add("I-2", fact, &[*by], words);
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, z};
    use quorate::base::Note;

    #[test]
    fn a_transaction_out_of_nowhere_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::Appended { zxid: z(1, 3), hash: 5 });
        script.assert_violates("I-2");
    }

    #[test]
    fn another_transaction_under_a_proposed_zxid_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.assert_holds();
        script.note(1, Note::Appended { zxid: z(1, 3), hash: 5 });
        script.assert_violates("I-2");
    }
}
