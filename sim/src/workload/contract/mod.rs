//! What clients saw, against the committed sequence.                    (bug_museum 2.5)
//!
//! | id   | file                    | what                                                          |
//! |------|-------------------------|---------------------------------------------------------------|
//! | C-1  | `linear_writes.rs`      | writes are linearizable, their results those of the reference |
//! | C-2  | `session_view.rs`       | a session's view is monotone, in order, and true              |
//! | C-3  | `sync_then_read.rs`     | a read behind a sync shows what the leader had committed      |
//! | C-4  | `watch_events.rs`       | every event that is due, no other, in order, before its data  |
//! | C-4  | `watch_losses.rs`       | no watch is lost, not over reconnects either                  |
//! | C-5  | `session_end.rs`        | a session that is over owns nothing and does nothing          |
//! | C-6  | `at_most_once.rs`       | a request happens once if answered, at most once if not       |
//! | C-7  | `multi_atomic.rs`       | a multi happens as a whole, or not at all                     |
//! | C-8  | `sequential_names.rs`   | sequential names are unique and rise                          |
//! | C-9  | `node_state.rs`         | every field of every node, and who may read it                |
//! | C-10 | `read_only_servers.rs`  | who only reads acks no write, and shows committed states      |
//!
//! The zxid is the witness, so nothing has to be searched: `replay.rs` goes once over the committed
//! sequence beside the reference tree, and looks at each reply where its zxid says that it belongs.
//! Every check counts what it compared; one that compares nothing proves nothing.
//!
//! Not here: expiry itself, which the leader's clock decides (`checkers/session_expiry.rs`).

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

/// Judges a whole history.
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
