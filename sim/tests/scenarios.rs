//! The files under `scenarios/` are read without a mistake, hold, and repeat exactly.
//!
//! Each run is a process of its own, as a user would start it. A failure prints what the run
//! printed, the command that repeats it included.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use quorate_sim::scenario::Scenario;

/// Small on purpose: hunts over many seeds are what `quorate-sim hunt` is for.
const SEEDS: [u64; 2] = [1, 2];

/// One run to do, twice.
#[derive(Clone, Debug)]
struct Job {
    /// Relative to the root of the repository where it is part of it, so that the command a
    /// failure prints can be pasted there.
    file: PathBuf,
    /// From 1.
    case: usize,
    seed: u64,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies inside the workspace")
}

/// The scenario files of one area, by name.
fn files(area: &str) -> Vec<PathBuf> {
    let dir = root().join("scenarios").join(area);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry can be read").path())
        .map(|path| path.strip_prefix(root()).map(Path::to_owned).unwrap_or(path))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no scenario", dir.display());
    files
}

fn load(file: &Path) -> Scenario {
    Scenario::load(&root().join(file)).unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn run(job: &Job) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate-sim"))
        .current_dir(root())
        .arg("run")
        .arg(&job.file)
        .args(["--seed", &job.seed.to_string(), "--case", &job.case.to_string()])
        .output()
        .expect("the binary was built for this test");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), text)
}

fn trace_hash(output: &str) -> Option<&str> {
    let (_, rest) = output.split_once("trace hash ")?;
    rest.get(..16)
}

/// What is wrong with a run: not the expected exit code, or not the same twice.
fn complaint(job: &Job) -> Option<String> {
    let (code, first) = run(job);
    if code != 0 {
        return Some(format!("exit code {code}\n{first}"));
    }
    let (_, second) = run(job);
    let (first, second) = (trace_hash(&first), trace_hash(&second));
    if first.is_some() && first == second {
        return None;
    }
    let Job { file, case, seed } = job;
    let command = format!("quorate-sim run {} --seed {seed} --case {case}", file.display());
    Some(format!("two runs have the trace hashes {first:?} and {second:?}\n  repeat: {command}"))
}

/// Runs all jobs, as many at a time as there are cores, and panics with all complaints.
fn hold(jobs: Vec<Job>) {
    let queue = Mutex::new(VecDeque::from(jobs));
    let complaints = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let job = queue.lock().expect("no holder panics").pop_front();
                    let Some(job) = job else { return };
                    if let Some(complaint) = complaint(&job) {
                        complaints.lock().expect("no holder panics").push(complaint);
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().expect("no holder panics");
    assert!(complaints.is_empty(), "{} runs fail:\n{}", complaints.len(), complaints.join("\n"));
}

/// Every case of these files with every seed; of a file with many cases with the first seed.
fn jobs(files: &[PathBuf], seeds: &[u64]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for file in files {
        let scenario = load(file);
        let cases = scenario.cases.len();
        let seeds = if cases > 10 { &seeds[..1] } else { seeds };
        // A scenario about one seed is run with that one.
        let seeds = scenario.seed.as_ref().map_or(seeds, std::slice::from_ref);
        for (case, seed) in (1..=cases).flat_map(|case| seeds.iter().map(move |seed| (case, seed)))
        {
            jobs.push(Job { file: file.clone(), case, seed: *seed });
        }
    }
    jobs
}

#[test]
fn every_file_says_what_it_is_about_and_is_read_without_a_mistake() {
    for area in ["election", "split_brain", "disk", "hand_over", "scale", "chaos", "museum"] {
        for file in files(area) {
            let drawn = load(&file).drawn(1);
            let scenario = drawn.unwrap_or_else(|mistake| panic!("{mistake}"));
            let name = file.display();
            assert!(!scenario.about.is_empty(), "{name}: about is empty");
            assert!(!scenario.source.is_empty(), "{name}: source is missing");
            assert!(!scenario.cases.is_empty(), "{name}: tells nothing");
            for case in &scenario.cases {
                assert!(!case.timeline.is_empty(), "{name}: nothing happens in case {}", case.name);
            }
        }
    }
}

#[test]
fn every_row_of_the_two_tables_has_a_file() {
    let rows = |area: &str, kind: &str| {
        let mut rows: BTreeMap<u32, PathBuf> = BTreeMap::new();
        for file in files(area) {
            let source = load(&file).source;
            let Some(rest) = source.strip_prefix(kind) else { continue };
            let rest = rest.split(';').next().unwrap_or("");
            for number in rest.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()) {
                rows.insert(number.parse().expect("digits"), file.clone());
            }
        }
        rows.into_keys().collect::<Vec<u32>>()
    };
    assert_eq!(rows("election", "conformance row"), (1..=38).collect::<Vec<u32>>());
    let told = rows("split_brain", "split brain table, row");
    assert_eq!(told, [1, 2, 3, 4, 5, 6, 11, 12, 14, 15, 16, 17]);
}

#[test]
fn the_election_table_holds_and_repeats() {
    hold(jobs(&files("election"), &SEEDS));
}

#[test]
fn the_split_brain_table_holds_and_repeats() {
    hold(jobs(&files("split_brain"), &SEEDS));
}

#[test]
fn what_apaches_servers_do_otherwise_is_lawful_and_repeats() {
    hold(jobs(&files("peers"), &SEEDS));
}

#[test]
fn every_way_a_disk_can_fail_ends_as_told_and_repeats() {
    hold(jobs(&files("disk"), &SEEDS));
}

#[test]
fn leaderships_are_handed_over_and_servers_end_as_told_and_repeat() {
    let mut files = files("hand_over");
    files.push("scenarios/chaos/hand_over.toml".into());
    hold(jobs(&files, &SEEDS[..1]));
}

#[test]
fn what_takes_long_comes_to_its_end_and_repeats() {
    hold(jobs(&files("scale"), &SEEDS));
}

#[test]
fn short_chaos_holds_and_repeats() {
    let short = ["short", "three_voters", "disks"];
    let short = short.map(|name| PathBuf::from(format!("scenarios/chaos/{name}.toml")));
    hold(jobs(&short, &[1, 2, 3]));
}

#[test]
fn every_seed_of_the_plain_hunt_has_its_own_ensemble_and_repeats() {
    hold(jobs(&["scenarios/chaos/plain.toml".into()], &[1, 2, 3, 4, 5]));
}

#[test]
fn long_synchronisations_under_chaos_repeat() {
    hold(jobs(&["scenarios/chaos/bulk.toml".into()], &SEEDS));
}

#[test]
fn the_client_contract_holds_under_chaos_and_repeats() {
    let files = ["scenarios/chaos/contract.toml".into(), "scenarios/chaos/read_only.toml".into()];
    hold(jobs(&files, &SEEDS));
}

/// A check that never has anything to compare would hold, too.
#[test]
fn each_part_of_the_client_contract_has_something_to_compare() {
    let file = PathBuf::from("scenarios/chaos/contract.toml");
    let (_, output) = run(&Job { file, case: 1, seed: 1 });
    let (_, compared) = output.split_once("compared: ").expect("the verdict says what it compared");
    let mut words = compared.split_whitespace();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    while let (Some(id), Some(Ok(count))) = (words.next(), words.next().map(str::parse)) {
        counts.insert(id, count);
    }
    for n in 1..=10 {
        let id = format!("C-{n}");
        let count = counts.get(id.as_str()).copied().unwrap_or(0);
        assert!(count >= 20, "{id} compared {count} times\n{output}");
    }
}

/// A file with `violates` holds if that is what is violated.
#[test]
fn every_exhibit_of_the_museum_is_caught() {
    hold(jobs(&files("museum"), &SEEDS));
}

/// What `export` put there: each with its seed, and with `violates` until it is mended.
#[test]
fn what_was_found_stays_as_it_was_found() {
    if root().join("scenarios/found").is_dir() {
        hold(jobs(&files("found"), &SEEDS));
    }
}

#[test]
fn without_its_bug_an_exhibit_is_quiet() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("museum");
    fs::create_dir_all(&dir).expect("the build directory can be written");
    let mut controls = Vec::new();
    for file in files("museum") {
        let text = fs::read_to_string(root().join(&file)).expect("a scenario file");
        let kept = |line: &&str| !line.starts_with("museum =") && !line.starts_with("violates =");
        let control: Vec<&str> = text.lines().filter(kept).collect();
        assert_eq!(control.len() + 2, text.lines().count(), "{}", file.display());
        let path = dir.join(file.file_name().expect("a file has a name"));
        fs::write(&path, control.join("\n")).expect("the build directory can be written");
        controls.push(path);
    }
    hold(jobs(&controls, &SEEDS));
}
