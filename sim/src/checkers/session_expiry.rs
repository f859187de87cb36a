//! C-5 (first half)  A leader lets a session expire only after it has not heard of it for its
//! timeout.
//!
//! Checked when a session expires. The time counts on the leader's own monotonic clock, from the
//! last sign of life of the session or from the leader's establishment, whichever is later. That
//! nothing is left of a session that is over is the second half
//! (`workload/contract/session_end.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::{Mono, Note, ServerId, SessionId};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug, Default)]
pub(super) struct SessionExpiry {
    touched: BTreeMap<(ServerId, SessionId), Mono>,
    since: BTreeMap<ServerId, Mono>,
}

impl Checker for SessionExpiry {
    fn before(&mut self, _: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::Established { .. }) => {
                self.since.insert(fact.server, fact.mono);
                self.touched.retain(|(server, _), _| *server != fact.server);
            }
            Some(Note::SessionTouched { session }) => {
                self.touched.insert((fact.server, *session), fact.mono);
            }
            Some(Note::SessionExpired { session, timeout_ms }) => {
                let key = (fact.server, *session);
                let since = self.since.get(&fact.server).copied().unwrap_or_default();
                let last = self.touched.get(&key).copied().unwrap_or_default().max(since);
                let silent = fact.mono.since(last);
                if silent < Duration::from_millis(u64::from(*timeout_ms)) {
                    let words = format!(
                        "session {session} expired {silent:?} after its last sign of life, its \
                         timeout is {timeout_ms} ms"
                    );
                    out.add("C-5", fact, &[], words);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::checkers::testing::FactScript;
    use quorate::base::{Note, SessionId};

    #[test]
    fn an_early_expiry_is_caught_and_a_late_one_is_not() {
        let session = SessionId(5);
        for (wait, caught) in [(3, true), (5, false)] {
            let mut script = FactScript::healthy();
            script.note(3, Note::SessionTouched { session });
            script.wait(Duration::from_secs(wait));
            script.note(3, Note::SessionExpired { session, timeout_ms: 4000 });
            assert_eq!(script.ids().contains(&"C-5".to_owned()), caught);
        }
    }
}
