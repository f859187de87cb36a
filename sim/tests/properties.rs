//! Every property has its place: a file whose head names it, a test there that shows it firing, and
//! a row of the table in `scenarios/README.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Which file holds which property; a second file where a property has two halves.
const PLACES: [(&str, &str); 48] = [
    ("I-1", "checkers/primary_uniqueness.rs"),
    ("I-2", "checkers/integrity.rs"),
    ("I-3", "checkers/agreement.rs"),
    ("I-4", "checkers/total_order.rs"),
    ("I-5", "checkers/local_primary_order.rs"),
    ("I-6", "checkers/global_primary_order.rs"),
    ("I-7", "checkers/primary_integrity.rs"),
    ("I-8", "checkers/initial_history.rs"),
    ("I-9", "checkers/commit_consistency.rs"),
    ("I-10", "checkers/history_consistency.rs"),
    ("I-11", "checkers/message_legality.rs"),
    ("I-12", "checkers/message_legality.rs"),
    ("I-13", "checkers/message_legality.rs"),
    ("I-14", "checkers/message_legality.rs"),
    ("S-11", "checkers/leader_completeness.rs"),
    ("S-12", "checkers/committed_durability.rs"),
    ("S-13", "checkers/epoch_sanity.rs"),
    ("S-14", "checkers/contiguity.rs"),
    ("S-15", "checkers/memory_behind_log.rs"),
    ("S-16", "checkers/equal_state.rs"),
    ("S-17", "checkers/recovery_equivalence.rs"),
    ("S-18", "checkers/truthful_ack.rs"),
    ("S-19", "checkers/single_writer.rs"),
    ("S-20", "checkers/quorum_evidence.rs"),
    ("S-21", "checkers/quorum_intersection.rs"),
    ("E-1", "checkers/election_agreement.rs"),
    ("E-2", "checkers/vote_order.rs"),
    ("E-3", "checkers/winner_dominance.rs"),
    ("E-4", "checkers/voters_only.rs"),
    ("E-5", "checkers/vote_monotone.rs"),
    ("L-1", "checkers/liveness.rs"),
    ("L-2", "checkers/liveness.rs"),
    ("L-3", "checkers/liveness.rs"),
    ("L-3", "checkers/step_down.rs"),
    ("L-4", "checkers/liveness.rs"),
    ("L-5", "checkers/short_steps.rs"),
    ("C-1", "workload/contract/linear_writes.rs"),
    ("C-2", "workload/contract/session_view.rs"),
    ("C-3", "workload/contract/sync_then_read.rs"),
    ("C-4", "workload/contract/watch_events.rs"),
    ("C-4", "workload/contract/watch_losses.rs"),
    ("C-5", "checkers/session_expiry.rs"),
    ("C-5", "workload/contract/session_end.rs"),
    ("C-6", "workload/contract/at_most_once.rs"),
    ("C-7", "workload/contract/multi_atomic.rs"),
    ("C-8", "workload/contract/sequential_names.rs"),
    ("C-9", "workload/contract/node_state.rs"),
    ("C-10", "workload/contract/read_only_servers.rs"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every id that a text names, singly or in a range: "I-2 .. I-6", "S-15, S-16".
fn named(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut range: Option<(String, u32)> = None;
    for word in text.split_whitespace() {
        if word == ".." {
            continue;
        }
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let id = word.split_once('-').and_then(|(kind, n)| Some((kind, n.parse::<u32>().ok()?)));
        let Some((kind, n)) = id.filter(|(kind, _)| kind.len() == 1) else {
            range = None;
            continue;
        };
        let from = match &range {
            Some((same, from)) if same == kind && text.contains(&format!("{kind}-{from} .. ")) => {
                *from
            }
            _ => n,
        };
        ids.extend((from..=n).map(|n| format!("{kind}-{n}")));
        range = Some((kind.to_owned(), n));
    }
    ids
}

#[test]
fn every_property_has_a_file_that_names_it_and_a_test_that_shows_it_firing() {
    for (id, file) in PLACES {
        let text = read(&root().join("src").join(file));
        let head = text.lines().next().unwrap_or_default();
        assert!(
            named(head).contains(id),
            "{file} holds {id}, and its head does not say so: {head}"
        );
        let tests = text.split("#[cfg(test)]").nth(1).unwrap_or_default();
        let fires = match id {
            // What is missing at a deadline; the lab makes it a violation.
            "L-1" => tests.contains("missing_leader"),
            "L-2" => tests.contains("missing_learners"),
            "L-3" if file.ends_with("liveness.rs") => text.contains("L-3"),
            "L-4" => tests.contains("missing_equality"),
            id => tests.contains(&format!("\"{id}\"")),
        };
        assert!(fires, "no test of {file} shows {id} firing");
    }
}

#[test]
fn no_property_of_the_list_is_left_out() {
    let all = "I-1 .. I-14 S-11 .. S-21 E-1 .. E-5 L-1 .. L-5 C-1 .. C-10";
    let places: BTreeSet<String> = PLACES.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(named(all), places);
}

#[test]
fn what_is_always_checked_is_told() {
    let text = read(&root().join("../scenarios/README.md"));
    let table = text.split("## What is always checked").nth(1).expect("the section is there");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let told: BTreeSet<String> = rows.flat_map(named).collect();
    for (id, _) in PLACES {
        assert!(told.contains(id), "scenarios/README.md does not tell of {id}: {told:?}");
    }
}
