//! I-5  Local primary order: a server applies the transactions of one epoch one by one: number k
//! only directly after number k-1. Checked whenever a server applies a transaction.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct LocalPrimaryOrder;

impl Checker for LocalPrimaryOrder {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Applied { zxid, .. }) = note(fact) else { return };
        let applied = ghost.server(fact.server).applied;
        if zxid.counter() > 1 && applied.next() != *zxid {
            let words = format!("applied {zxid} after {applied}, not after its predecessor");
            out.add("I-5", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, z};

    #[test]
    fn the_third_without_the_second_is_caught() {
        let mut script = FactScript::new();
        script.apply(1, z(1, 1));
        script.assert_quiet("I-5");
        script.apply(1, z(1, 3));
        script.assert_violates("I-5");
    }
}
