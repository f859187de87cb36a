//! The checks of the contract (`sim/src/workload/contract`: C-1, C-2) are compared with a checker of
//! linearizability that is not ours (todc-utils). Ours knows the zxid of each answer; the other one
//! sees requests and answers alone, and searches for an order that explains them.
//!
//! Both must find nothing in correct runs, and both must find something in histories that this test
//! has falsified and in one that a deliberate bug has spoiled. Ours knows more, so it may find a
//! violation alone. If the other one found one alone, ours would have a hole.
//!
//! Each run is a process of its own: this program again, with the one test that the others start.

mod doctor;
mod spec;

use std::path::Path;
use std::process::Command;

use quorate_sim::run::{OwnedEvidence, RunOptions, run_with_evidence};
use quorate_sim::scenario::Scenario;
use quorate_sim::workload::History;
use quorate_sim::workload::contract::judge;

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linearizable/");
/// What the child process is to do: a claim, a file and a seed.
const TOLD: &str = "QUORATE_LINEARIZABLE";

/// Plays one seed in a process of its own and checks the claim there.
fn claim(name: &str, file: &str, seed: u64) -> String {
    let program = std::env::current_exe().expect("a test is a program");
    let done = Command::new(program)
        .args(["--exact", "in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env(TOLD, format!("{name} {file} {seed}"))
        .output()
        .expect("a test can be started");
    let words = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && words.contains("1 passed"), "{file}, seed {seed}: {words}");
    words.into_owned()
}

#[test]
#[ignore = "the others start it, a process for each run"]
fn in_a_process_of_its_own() {
    let told = std::env::var(TOLD).unwrap_or_else(|_| "correct writers.toml 1".into());
    let words: Vec<&str> = told.split(' ').collect();
    let [name, file, seed] = words[..] else { panic!("a claim, a file, a seed: {told}") };
    let path = format!("{DIR}{file}");
    let scenario = Scenario::load(Path::new(&path)).unwrap_or_else(|mistake| panic!("{mistake}"));
    let seed = seed.parse().expect("a seed is a number");
    let goes_on = name == "spoiled";
    let (verdict, kept) =
        run_with_evidence(&scenario, &RunOptions { seed, goes_on, ..RunOptions::default() });
    let kept = kept.unwrap_or_else(|| panic!("{verdict}"));
    match name {
        "correct" => both_hold(&kept),
        "bent" => both_fire_if_bent(&kept),
        "spoiled" => both_agree(&kept),
        _ => panic!("there is no claim {name}"),
    }
}

/// What the witness checks find against C-1, C-2 and C-6: writes, views, and that a write answered
/// as done was done.
fn witness(kept: &OwnedEvidence, history: &History) -> Vec<String> {
    let kept = OwnedEvidence { history: history.clone(), ..kept.clone() };
    let found = judge(&kept.evidence()).found;
    let is_asked = |id: &str| ["C-1", "C-2", "C-6"].contains(&id);
    found
        .iter()
        .filter(|v| is_asked(&v.id))
        .map(|v| format!("{}: {}", v.id, v.sentence()))
        .collect()
}

fn both_hold(kept: &OwnedEvidence) {
    assert_eq!(witness(kept, &kept.history), Vec::<String>::new());
    let (wrong, judged) = spec::not_linearizable(&kept.history);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(judged > 100, "{judged} operations are no history");
    let (answered, lost, open) = kept.history.counts();
    println!("{judged} judged; {answered} answered, {lost} lost, {open} open");
}

fn both_fire_if_bent(kept: &OwnedEvidence) {
    for (bend, bent) in doctor::BENDS {
        let (mut fired, mut all) = (0, 0);
        for history in bent(kept).into_iter().take(12) {
            let witnessed = witness(kept, &history);
            assert_ne!(witnessed, Vec::<String>::new(), "{bend}: the witness is blind");
            all += 1;
            fired += usize::from(!spec::not_linearizable(&history).0.is_empty());
        }
        println!("{bend}: {fired} of {all} are not linearizable");
        // Where replies were lost, some of them have another explanation.
        assert!(fired * 2 >= all, "{bend}: {fired} of {all} are not linearizable");
    }
}

/// Whether a bug did harm is for chance to decide; both judges see it, or neither.
fn both_agree(kept: &OwnedEvidence) {
    let (wrong, _) = spec::not_linearizable(&kept.history);
    let witnessed = witness(kept, &kept.history);
    assert_eq!(wrong.is_empty(), witnessed.is_empty(), "{wrong:?}, {witnessed:?}");
    if !wrong.is_empty() {
        println!("spoiled: {witnessed:?}");
    }
}

#[test]
fn on_correct_runs_both_judges_hold() {
    for seed in 1..=4 {
        print!("{}", claim("correct", "writers.toml", seed));
    }
}

#[test]
fn on_bent_histories_both_judges_fire() {
    let told: String = (2..=4).map(|seed| claim("bent", "writers.toml", seed)).collect();
    for (bend, _) in doctor::BENDS {
        let line = |line: &&str| line.starts_with(bend) && !line.contains("of 0 are");
        assert!(told.lines().any(|l| line(&l)), "{bend}: nowhere possible\n{told}");
    }
}

#[test]
fn an_acked_write_that_a_bug_lost_is_found_by_both() {
    let told = (1..=20).map(|seed| claim("spoiled", "lost_write.toml", seed));
    assert!(told.filter(|words| words.contains("spoiled: ")).count() > 0, "nothing was lost");
}
