//! I-6  Global primary order: the zxids that a server applies always rise, also from one epoch to
//! the next. Checked whenever a server applies a transaction.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct GlobalPrimaryOrder;

impl Checker for GlobalPrimaryOrder {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Applied { zxid, .. }) = note(fact) else { return };
        let applied = ghost.server(fact.server).applied;
        if *zxid <= applied {
            out.add("I-6", fact, &[], format!("applied {zxid} after {applied}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, z};

    #[test]
    fn an_older_epoch_after_a_newer_one_is_caught() {
        let mut script = FactScript::new();
        script.apply(1, z(2, 1));
        script.assert_quiet("I-6");
        script.apply(1, z(1, 1));
        script.assert_violates("I-6");
    }

    #[test]
    fn one_transaction_twice_is_caught() {
        let mut script = FactScript::healthy();
        script.apply(1, z(1, 2));
        script.assert_violates("I-6");
    }
}
