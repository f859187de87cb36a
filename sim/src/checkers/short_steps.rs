//! L-5  No step of a server that serves lasts longer than a quarter of a tick.
//!
//! Pings, acks and the answers to them wait as long as a step lasts: a server that does too much at
//! once loses its followers or its leader. In a run a step takes time only where the scenario says
//! so (`slow-steps`); a server tells of one that was too long.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug, Default)]
pub(super) struct ShortSteps;

impl Checker for ShortSteps {
    fn before(&mut self, _: &Ghost, fact: &Fact, out: &mut Findings) {
        if let Some(Note::SlowStep { took_ms }) = note(fact) {
            out.add("L-5", fact, &[], format!("a step took {took_ms} ms"));
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate::base::Note;

    use crate::checkers::testing::FactScript;

    #[test]
    fn a_slow_step_is_caught() {
        let mut script = FactScript::healthy();
        script.assert_holds();
        script.note(3, Note::SlowStep { took_ms: 600 });
        script.assert_violates("L-5");
    }
}
