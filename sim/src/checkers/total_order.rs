//! I-4  Total order: a server delivers the committed history from its beginning and without a gap.
//!
//! Checked whenever a server applies a transaction: it is the one that directly follows, in the
//! committed history, the last one that this server applied.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct TotalOrder;

impl Checker for TotalOrder {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Applied { zxid, .. }) = note(fact) else { return };
        let server = ghost.server(fact.server);
        if !server.delivers() {
            return;
        }
        // The place of a new transaction is behind everything committed so far; one that is
        // committed already has its own.
        let committed = &ghost.committed;
        let place = match committed.count_upto(*zxid) {
            n if *zxid > committed.last() => n + 1,
            n => n,
        };
        let before = committed.count_upto(server.applied);
        let holds_uncommitted = server.applied > committed.last();
        if place != before + 1 || holds_uncommitted {
            let words = format!(
                "delivered {zxid} (number {place} of the order) after {} (number {before})",
                server.applied
            );
            out.add("I-4", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, z};

    #[test]
    fn a_transaction_passed_over_is_caught() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.write(3, &[1], z(1, 4));
        script.assert_holds();
        script.log(2, z(1, 3));
        script.log(2, z(1, 4));
        script.apply(2, z(1, 4));
        script.assert_violates("I-4");
    }

    #[test]
    fn a_late_server_may_deliver_later() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.write(3, &[1], z(1, 4));
        script.log(2, z(1, 3));
        script.log(2, z(1, 4));
        script.apply(2, z(1, 3));
        script.apply(2, z(1, 4));
        script.assert_holds();
    }
}
