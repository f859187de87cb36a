//! The whole laboratory, servers and clients included, does nothing that the seed and the faults
//! do not decide.

use std::collections::BTreeMap;
use std::process::Command;

const CHAOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/chaos/");

fn run(seed: u64, more: &[&str]) -> String {
    run_file("short.toml", seed, more)
}

fn run_file(file: &str, seed: u64, more: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_quorate-sim"))
        .args(["run", &format!("{CHAOS}{file}"), "--case", "1", "--seed", &seed.to_string()])
        .args(more)
        .output()
        .expect("the laboratory starts");
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("a trace is text")
}

/// The first line in which two traces differ.
fn first_difference(one: &str, other: &str) -> Option<String> {
    let mut lines = one.lines().zip(other.lines()).enumerate();
    let found = lines.find(|(_, (a, b))| a != b);
    found.map(|(n, (a, b))| format!("line {n}:\n{a}\n{b}"))
}

#[test]
fn an_idle_task_on_every_server_changes_no_byte_of_the_trace() {
    let runs = [
        ("short.toml", 1),
        ("short.toml", 2),
        ("contract.toml", 1),
        ("plain.toml", 1),
        ("bulk.toml", 3),
    ];
    for (file, seed) in runs {
        let plain = run_file(file, seed, &["--trace"]);
        let idle = run_file(file, seed, &["--trace", "--idle-task"]);
        assert!(plain.lines().count() > 5_000, "the trace of {file}, seed {seed}, is a whole one");
        assert_eq!(first_difference(&plain, &idle), None, "{file}, seed {seed}");
        assert_eq!(plain.len(), idle.len(), "{file}, seed {seed}");
    }
}

#[test]
fn without_the_last_fault_the_trace_before_it_is_the_same() {
    for seed in 1..=3 {
        let (number, at) = last_fault(&run(seed, &["--list"]));
        let whole = run(seed, &["--trace"]);
        let without = run(seed, &["--trace", "--without", &number]);
        let before = |trace: &str| -> Vec<String> {
            let is_before = |line: &&str| time(line).is_some_and(|t| t < at);
            trace
                .lines()
                .take_while(|l| time(l).is_none_or(|t| t < at))
                .filter(is_before)
                .map(String::from)
                .collect()
        };
        let (one, other) = (before(&whole), before(&without));
        assert!(one.len() > 1_000, "seed {seed}: there is a trace before {at} s");
        assert_eq!(one.len(), other.len(), "seed {seed}, fault {number} at {at} s");
        let differs = one.iter().zip(&other).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}, fault {number} at {at} s");
        assert_ne!(whole, without, "seed {seed}: the fault does something");
    }
}

/// The number of the fault that begins last in a `--list`, and when, in seconds. A fault has
/// several lines: it begins and it ends.
fn last_fault(list: &str) -> (String, f64) {
    let of = |line: &str| -> Option<(String, f64)> {
        let mut words = line.strip_prefix("fault")?.split_whitespace();
        let number = words.next()?.to_owned();
        Some((number, seconds(words.next()?)?))
    };
    let mut begins: BTreeMap<String, f64> = BTreeMap::new();
    for (number, at) in list.lines().filter_map(of) {
        let begin = begins.entry(number).or_insert(at);
        *begin = begin.min(at);
    }
    begins.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("chaos draws faults")
}

/// `12.5s`, `900ms`, `4us` in seconds.
fn seconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0), ("m", 60.0)] {
        if let Some(number) = text.strip_suffix(unit)
            && let Ok(number) = number.parse::<f64>()
        {
            return Some(number * factor);
        }
    }
    None
}

/// The time at which a line of a trace begins.
fn time(line: &str) -> Option<f64> {
    line.split(' ').next()?.parse().ok()
}
