//! 200 runs have the trace hashes that stand in `traces.txt`: whoever only moves code changes
//! none of them.
//!
//! A change of what servers or the laboratory do changes hashes, and says so in its commit:
//! `QUORATE_WRITE_TRACES=1 cargo test -p quorate-sim --test traces` writes the list anew.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::{env, fs, thread};

/// One line of the list: `FILE CASE SEED HASH`.
#[derive(Clone, Debug)]
struct Run {
    number: usize,
    file: String,
    case: String,
    seed: String,
    hash: String,
}

impl Run {
    fn parse(number: usize, line: &str) -> Run {
        let words: Vec<&str> = line.split(' ').collect();
        let [file, case, seed, hash] = words[..] else { panic!("line {}: {line}", number + 1) };
        let [file, case, seed, hash] = [file, case, seed, hash].map(str::to_owned);
        Run { number, file, case, seed, hash }
    }

    /// The hash that this run has now.
    fn play(&self, root: &Path) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_quorate-sim"))
            .current_dir(root)
            .args(["run", &self.file, "--seed", &self.seed, "--case", &self.case])
            .output()
            .expect("the binary was built for this test");
        let text = String::from_utf8_lossy(&output.stdout);
        let hash = text.split_once("trace hash ").and_then(|(_, rest)| rest.get(..16));
        hash.map_or_else(|| format!("no hash: {text}"), str::to_owned)
    }
}

/// Plays all runs, as many at a time as there are cores.
fn play_all(root: &Path, runs: &[Run]) -> Vec<Run> {
    let queue = Mutex::new(runs.iter().cloned().collect::<VecDeque<Run>>());
    let played = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let run = queue.lock().expect("no holder panics").pop_front();
                    let Some(run) = run else { return };
                    let hash = run.play(root);
                    played.lock().expect("no holder panics").push(Run { hash, ..run });
                }
            });
        }
    });
    let mut played = played.into_inner().expect("no holder panics");
    played.sort_by_key(|run| run.number);
    played
}

#[test]
fn two_hundred_runs_have_the_traces_that_they_had() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let list = root.join("sim/tests/traces.txt");
    let text = fs::read_to_string(&list).expect("traces.txt");
    let before: Vec<Run> = text.lines().enumerate().map(|(n, line)| Run::parse(n, line)).collect();
    assert_eq!(before.len(), 200);
    let now = play_all(root, &before);
    let mut lines = String::new();
    let mut changed = String::new();
    for (before, now) in before.iter().zip(&now) {
        let Run { file, case, seed, hash, .. } = now;
        writeln!(lines, "{file} {case} {seed} {hash}").expect("a string takes it");
        if before.hash != *hash {
            writeln!(
                changed,
                "{file} --case {case} --seed {seed}: {} before, {hash} now",
                before.hash
            )
            .expect("a string takes it");
        }
    }
    if env::var_os("QUORATE_WRITE_TRACES").is_some() {
        return fs::write(&list, lines).expect("traces.txt can be written");
    }
    assert!(changed.is_empty(), "these traces have changed:\n{changed}");
}
