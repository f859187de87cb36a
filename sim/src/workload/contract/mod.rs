//! The contract: what clients are promised. At the end of a run, all that they asked and were told
//! is compared with the committed transactions, read back from the disks.
//!
//! | id   | file                    | what                                                          |
//! |------|-------------------------|---------------------------------------------------------------|
//! | C-1  | `linear_writes.rs`      | writes are linearizable, and their results are right          |
//! | C-2  | `session_view.rs`       | a session never goes back in time, and what it reads is right |
//! | C-3  | `sync_then_read.rs`     | a read after a sync shows what the leader had committed       |
//! | C-4  | `watch_events.rs`       | all watch events come, no others, and before the changed data |
//! | C-4  | `watch_losses.rs`       | no watch is lost, not even when a client changes servers      |
//! | C-5  | `session_end.rs`        | a session that is over owns nothing and does nothing          |
//! | C-6  | `at_most_once.rs`       | an answered request is done once, any other at most once      |
//! | C-7  | `multi_atomic.rs`       | a multi is done as a whole, or not at all                     |
//! | C-8  | `sequential_names.rs`   | sequential names are unique and rise                          |
//! | C-9  | `node_state.rs`         | every field of every node is right; ACLs are obeyed           |
//! | C-10 | `read_only_servers.rs`  | servers that only read show states that existed               |
//!
//! Each answer carries the zxid of the state that it shows. So no order of the operations has to be
//! guessed: `replay.rs` applies the committed transactions one by one to a reference tree, and
//! checks each answer against that tree at its zxid. Every check counts what it has compared, so
//! that a run in which it had nothing to compare is noticed.
//!
//! Not here: whether a leader let a session expire too early (`checkers/session_expiry.rs`).

mod answer;
mod at_most_once;
mod evidence;
mod linear_writes;
mod multi_atomic;
mod node_state;
mod read_only_servers;
mod replay;
mod sequential_names;
mod session_end;
mod session_view;
mod sync_then_read;
#[cfg(test)]
mod testing;
mod watch_events;
mod watch_losses;
mod watch_tables;

pub use evidence::{Evidence, Judgement};

use evidence::{Reply, about_nobody, has_failed, reply};

/// Checks the whole contract at the end of a run.
pub fn judge(evidence: &Evidence<'_>) -> Judgement {
    let mut out = Judgement::default();
    for complaint in &evidence.history.complaints {
        out.add(complaint.id, complaint.at, complaint.server, complaint.words.clone());
    }
    linear_writes::in_real_time(evidence, &mut out);
    session_view::check(evidence, &mut out);
    at_most_once::check(evidence, &mut out);
    let replayed = replay::replay(evidence, &mut out);
    sync_then_read::check(evidence, &mut out);
    read_only_servers::check(evidence, &mut out);
    if evidence.complete {
        session_end::told(evidence, &replayed.model, &mut out);
        watch_events::check(evidence, &replayed, &mut out);
        watch_losses::check(evidence, &replayed, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::testing::ClientScript;

    #[test]
    fn a_correct_ensemble_violates_nothing_and_every_check_had_something_to_compare() {
        let mut clients = ClientScript::new();
        clients.get("/a", true);
        clients.write(ClientScript::set("/a/b", 0));
        clients.write(ClientScript::set("/a/b", 0));
        clients.get("/none", false);
        clients.assert_holds();
        let compared = clients.judge().compared;
        assert_eq!((compared["C-1"], compared["C-2"], compared["C-6"]), (4, 6, 4));
    }
}
