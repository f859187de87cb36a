//! S-13  Epoch sanity: the two epoch files of a server fit each other and its log.
//!
//! Checked when one of the files becomes durable and when a server has read them at its start:
//! neither epoch goes back, currentEpoch is not beyond acceptedEpoch, and the log holds no
//! transaction of an epoch beyond currentEpoch. If this fails, a server forgets which
//! epoch it has promised, or votes with a wrong one.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct EpochSanity;

impl Checker for EpochSanity {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let server = ghost.server(fact.server);
        let (accepted, current) = (server.accepted, server.current);
        match note(fact) {
            Some(Note::AcceptedEpochDurable { epoch }) if *epoch < accepted => {
                let words = format!("acceptedEpoch went from {accepted} to {epoch}");
                out.add("S-13", fact, &[], words);
            }
            Some(Note::CurrentEpochDurable { epoch }) => {
                if *epoch < current {
                    let words = format!("currentEpoch went from {current} to {epoch}");
                    out.add("S-13", fact, &[], words);
                }
                if *epoch > accepted {
                    let words = format!("currentEpoch {epoch} is beyond acceptedEpoch {accepted}");
                    out.add("S-13", fact, &[], words);
                }
                if server.log.last().epoch() > *epoch {
                    let words =
                        format!("currentEpoch {epoch}, but the log ends at {}", server.log.last());
                    out.add("S-13", fact, &[], words);
                }
            }
            Some(Note::Recovered { accepted: a, current: c, .. }) => {
                if *a < accepted || *c < current {
                    let words = format!(
                        "found acceptedEpoch {a} and currentEpoch {c}, {accepted} and {current} \
                         were durable"
                    );
                    out.add("S-13", fact, &[], words);
                }
                if *c > *a {
                    let words = format!("found currentEpoch {c} beyond acceptedEpoch {a}");
                    out.add("S-13", fact, &[], words);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::Event;
    use crate::checkers::testing::{FactScript, digest, z};
    use quorate::base::{Epoch, Note};

    #[test]
    fn an_epoch_that_goes_back_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::AcceptedEpochDurable { epoch: Epoch(4) });
        script.assert_holds();
        script.note(1, Note::AcceptedEpochDurable { epoch: Epoch(3) });
        script.assert_violates("S-13");
    }

    #[test]
    fn a_current_epoch_nobody_accepted_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::CurrentEpochDurable { epoch: Epoch(2) });
        script.assert_violates("S-13");
    }

    #[test]
    fn a_promise_lost_over_a_restart_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::AcceptedEpochDurable { epoch: Epoch(2) });
        script.event(1, Event::Died);
        script.note(
            1,
            Note::Recovered {
                last_logged: z(1, 2),
                last_applied: z(1, 2),
                accepted: Epoch(1),
                current: Epoch(1),
                tree_digest: digest(z(1, 2)),
            },
        );
        script.assert_violates("S-13");
    }
}
