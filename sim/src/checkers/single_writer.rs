//! S-19  A log has one writer: only the present role of the running process writes to it.
//!
//! When a role ends, some of its appends may still be on their way to the disk. The server must
//! wait for them before it votes, because its vote says where its log ends (ZOOKEEPER-4712: the log
//! grew behind the vote). Checked at each vote: no append is on its way. Checked at each append,
//! end of an append, and truncation: the process is alive, and the server has not voted since its
//! last role ended.

use std::collections::BTreeMap;

use quorate::base::{Note, RoleName, ServerId, Zxid};

use super::{Checker, Event, Fact, Findings, Ghost};

#[derive(Debug, Default)]
struct Writer {
    /// Handed to the log and not known to be durable.
    pending: Option<Zxid>,
    /// It has voted, or its log was taken for its vote, and has no role yet.
    votes: bool,
}

#[derive(Debug, Default)]
pub(super) struct SingleWriter {
    writers: BTreeMap<ServerId, Writer>,
}

impl Checker for SingleWriter {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let writer = self.writers.entry(fact.server).or_default();
        let server = ghost.server(fact.server);
        match &fact.event {
            Event::Started | Event::Died | Event::Wiped => *writer = Writer::default(),
            Event::Note(Note::Role { role, .. }) => writer.votes &= *role == RoleName::Looking,
            // A new log, or a new look at the old one.
            Event::Note(Note::Recovered { .. } | Note::SnapshotInstalled { .. }) => {
                writer.pending = None;
            }
            Event::Note(Note::FastForwarded { .. } | Note::Vote { .. })
                if server.role == RoleName::Looking =>
            {
                if let Some(pending) = writer.pending.filter(|_| !writer.votes) {
                    let words = format!("votes while {pending} is on its way to its log");
                    out.add("S-19", fact, &[], words);
                }
                writer.votes = true;
            }
            Event::Note(Note::Appended { zxid, .. }) => {
                may_write(server.running, writer.votes, fact, &format!("{zxid} is logged"), out);
                writer.pending = Some(*zxid);
            }
            Event::Note(Note::Durable { zxid }) => {
                let what = format!("the log has taken in {zxid}");
                may_write(server.running, writer.votes, fact, &what, out);
                writer.pending = writer.pending.filter(|pending| *pending > *zxid);
            }
            Event::Note(Note::Truncated { to }) => {
                may_write(server.running, writer.votes, fact, &format!("cut at {to}"), out);
                writer.pending = writer.pending.filter(|pending| *pending <= *to);
            }
            _ => {}
        }
    }
}

fn may_write(runs: bool, votes: bool, fact: &Fact, what: &str, out: &mut Findings) {
    if !runs {
        out.add("S-19", fact, &[], format!("{what}, by a process that is dead"));
    } else if votes {
        out.add("S-19", fact, &[], format!("{what}, behind the vote and by no role"));
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::Event;
    use crate::checkers::testing::{FactScript, digest, h, z};
    use quorate::base::{Epoch, Note, RoleName};

    fn look(script: &mut FactScript, server: i64, upto: quorate::base::Zxid) {
        script.note(server, Note::FastForwarded { to: upto, state_digest: digest(upto) });
    }

    /// The leader has handed (1,3) to its log, and gives up.
    fn gives_up() -> FactScript {
        let mut script = FactScript::healthy();
        let zxid = z(1, 3);
        script.note(3, Note::Proposed { zxid, hash: h(zxid) });
        script.note(3, Note::Appended { zxid, hash: h(zxid) });
        script.note(3, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        script
    }

    #[test]
    fn what_a_role_left_may_end_before_the_vote() {
        let mut script = gives_up();
        script.note(3, Note::Durable { zxid: z(1, 3) });
        look(&mut script, 3, z(1, 3));
        script.assert_holds();
    }

    #[test]
    fn a_vote_while_the_log_still_grows_is_caught() {
        let mut script = gives_up();
        look(&mut script, 3, z(1, 3));
        script.assert_violates("S-19");
    }

    #[test]
    fn an_append_that_ends_behind_the_vote_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        look(&mut script, 3, z(1, 2));
        script.assert_holds();
        script.note(3, Note::Durable { zxid: z(1, 2) });
        script.assert_violates("S-19");
    }

    #[test]
    fn a_truncation_that_ends_behind_the_vote_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        look(&mut script, 1, z(1, 2));
        script.note(1, Note::Truncated { to: z(1, 1) });
        script.assert_violates("S-19");
    }

    #[test]
    fn a_dead_process_that_writes_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.event(1, Event::Died);
        script.assert_holds();
        script.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.assert_violates("S-19");
    }
}
