//! S-14  Contiguity: a log has no gaps.
//!
//! Checked at every append. The new transaction is the next one of the same epoch, or number 1 of a
//! later epoch; then the log must end exactly where the history of that epoch's leader ended when
//! it was established. A log with a gap gives a tree that lacks a transaction, at the next restart.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct Contiguity;

impl Checker for Contiguity {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Appended { zxid, .. }) = note(fact) else { return };
        let server = ghost.server(fact.server);
        let last = server.installed.unwrap_or(server.log.last());
        let next = last.next() == *zxid && last.epoch() == zxid.epoch();
        let first = zxid.epoch() > last.epoch() && zxid.counter() == 1;
        if !next && !first {
            return out.add("S-14", fact, &[], format!("logged {zxid} behind {last}"));
        }
        let Some(leadership) = ghost.leaders.get(&zxid.epoch()).filter(|_| first) else { return };
        let end = leadership.history_end;
        if end.counter() != 0 && last != end {
            let words = format!(
                "logged {zxid} behind {last}; the history of epoch {} ends at {end}",
                zxid.epoch()
            );
            out.add("S-14", fact, &[leadership.leader], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, z};

    #[test]
    fn a_gap_in_a_log_is_caught() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.write(3, &[1], z(1, 4));
        script.assert_holds();
        script.log(2, z(1, 4));
        script.assert_violates("S-14");
    }

    #[test]
    fn a_later_epoch_behind_half_a_history_is_caught() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.elect(3, &[1, 3], 2);
        script.establish(3, &[1], 2);
        script.write(3, &[1], z(2, 1));
        script.assert_holds();
        script.log(2, z(2, 1));
        script.assert_violates("S-14");
    }
}
