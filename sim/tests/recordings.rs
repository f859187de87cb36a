//! Recordings: they change nothing, replay event by event, shrink to something readable, become
//! tests; and whatever is wrong with one is said in a sentence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use quorate_sim::recording::{Party, Recording, What};
use quorate_sim::scenario::Scenario;

const CHAOS: &str = "scenarios/chaos/three_voters.toml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies inside the workspace")
}

/// A directory of this test's own, empty.
fn dir(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recordings").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the build directory can be written");
    dir
}

fn sim(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-sim"));
    command.current_dir(root()).args(args).output().expect("the binary was built for this test")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one sentence on the error stream.
fn sentence(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.trim_end().lines().count(), 1, "one sentence: {text}");
    text
}

fn path(file: &Path) -> &str {
    file.to_str().expect("the build directory has a plain name")
}

/// Runs a scenario and records it.
fn record(dir: &Path, args: &[&str]) -> PathBuf {
    let file = dir.join("run.qrec");
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--record", path(&file)]);
    let output = sim(&all);
    assert!(code(&output) <= 1, "{}{}", out(&output), String::from_utf8_lossy(&output.stderr));
    file
}

fn read(file: &Path) -> Recording {
    Recording::read(file).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn recording_changes_no_byte_of_the_trace() {
    let dir = dir("unchanged");
    for seed in ["1", "2"] {
        let file = dir.join("run.qrec");
        let plain = sim(&["run", CHAOS, "--seed", seed, "--trace"]);
        let recorded = sim(&["run", CHAOS, "--seed", seed, "--trace", "--record", path(&file)]);
        assert!(out(&plain).lines().count() > 1_000, "the trace of seed {seed} is a whole one");
        assert!(out(&plain) == out(&recorded), "seed {seed}: the traces differ");
    }
}

#[test]
fn a_recording_holds_the_whole_run_in_one_order() {
    let recording = read(&record(&dir("whole"), &[CHAOS, "--seed", "4"]));
    let events = &recording.events;
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(recording.scenario_text, fs::read_to_string(root().join(CHAOS)).expect("a file"));
    assert_eq!(recording.clients, ["c1", "c2", "probe"]);
    let count = |wanted: fn(&What) -> bool| events.iter().filter(|e| wanted(&e.what)).count();
    let asked = count(|what| matches!(what, What::Asked { .. }));
    let (answered, lost, open) = recording.operations;
    assert_eq!(asked as u64, answered + lost + open);
    assert_eq!(count(|what| matches!(what, What::Answered { .. })) as u64, answered + lost);
    let faults = count(|what| matches!(what, What::Action { fault: Some(_), .. }));
    assert!(faults > 2, "{faults} drawn faults");
    let frames = count(|what| matches!(what, What::Frame { .. }));
    let arrived = count(|what| matches!(what, What::Frame { arrives: Some(_), .. }));
    assert!(arrived > frames * 9 / 10 && arrived < frames, "{arrived} of {frames} frames arrive");
    let (began, ended) = (
        count(|what| matches!(what, What::SyncBegan { .. })),
        count(|what| matches!(what, What::SyncEnded { failed: false, .. })),
    );
    assert!(began >= ended && ended > 100, "{ended} of {began} syncs ended");
    // Whatever a server says or suffers comes with its state.
    let facts = events.iter().filter(|event| event.state.is_some());
    assert_eq!(facts.count() as u64, recording.facts);
    for event in events {
        if let What::Frame { arrives: Some(at), .. } = event.what {
            assert!(at > event.at, "a frame travels");
        }
        assert!(!matches!(event.by, Party::Client(n) if n as usize >= recording.clients.len()));
    }
}

#[test]
fn a_violation_points_at_what_broke_the_property() {
    let dir = dir("violation");
    let recording = read(&record(&dir, &["scenarios/museum/ack_before_flush.toml"]));
    let first = &recording.violations[0];
    assert_eq!(first.id, "S-18");
    let culprit = &recording.events[first.events[0] as usize];
    assert_eq!((culprit.at, culprit.by), (first.at, Party::Server(first.servers[0])));
    assert!(matches!(&culprit.what, What::Note { name, .. } if name == "AckSent"), "{culprit:?}");
}

#[test]
fn a_recording_replays_event_by_event() {
    let dir = dir("replay");
    for args in [
        &[CHAOS, "--seed", "3", "--without", "1,2"][..],
        &["scenarios/museum/vote_counted_twice.toml"],
    ] {
        let file = record(&dir, args);
        let output = sim(&["replay", path(&file)]);
        assert_eq!(code(&output), 0, "{}", out(&output));
        let same = format!("{} events are the same", read(&file).events.len());
        assert!(out(&output).contains(&same), "{}", out(&output));
    }
}

#[test]
fn a_run_that_is_not_as_recorded_is_told_with_its_first_difference() {
    let file = record(&dir("differs"), &["scenarios/museum/vote_counted_twice.toml"]);
    let mut recording = read(&file);
    let place = recording.events.len() / 2;
    recording.events[place].at += 1;
    fs::write(&file, recording.encode().expect("memory is never full")).expect("it can be written");
    let output = sim(&["replay", path(&file)]);
    assert_eq!(code(&output), 3);
    let text = out(&output);
    assert!(text.contains(&format!("DIFFERS at event {place}")), "{text}");
    for words in ["before it", "recorded", "now"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_recording_of_another_build_is_refused_and_can_be_run_again() {
    let file = record(&dir("build"), &["scenarios/museum/vote_counted_twice.toml"]);
    let mut recording = read(&file);
    recording.build.0 ^= 1;
    fs::write(&file, recording.encode().expect("memory is never full")).expect("it can be written");
    let output = sim(&["replay", path(&file)]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("replay --rerun"));
    let output = sim(&["replay", path(&file), "--rerun"]);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(out(&output).contains("with the same trace hash"), "{}", out(&output));
}

#[test]
fn a_file_that_is_no_whole_recording_is_refused_in_one_sentence() {
    let dir = dir("broken");
    let good = record(&dir, &["scenarios/museum/vote_counted_twice.toml"]);
    let bytes = fs::read(&good).expect("it was written");
    let mut newer = bytes.clone();
    newer[8] = 9;
    let mut damaged = bytes.clone();
    damaged[bytes.len() - 3] ^= 1;
    let cases = [
        ("cut off", bytes[..bytes.len() / 2].to_vec(), "is cut off"),
        ("empty", Vec::new(), "is no recording"),
        ("a scenario", b"about = \"a\"\n".to_vec(), "is no recording"),
        ("newer", newer, "was written in format 9"),
        ("damaged", damaged, "is damaged"),
    ];
    for (what, bytes, words) in cases {
        let file = dir.join("broken.qrec");
        fs::write(&file, bytes).expect("the build directory can be written");
        for command in ["replay", "shrink", "export"] {
            let output = sim(&[command, path(&file)]);
            assert_eq!(code(&output), 2, "{command}, {what}");
            assert!(sentence(&output).contains(words), "{command}, {what}: {}", sentence(&output));
        }
    }
    let output = sim(&["replay", "nowhere.qrec"]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("cannot be read"));
}

#[test]
fn what_cannot_be_written_takes_no_verdict_away() {
    let scenario = "scenarios/museum/vote_counted_twice.toml";
    let output = sim(&["run", scenario, "--record", "/nowhere/run.qrec"]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("cannot be written"));
    assert!(out(&output).contains("violates S-20, as it must"), "{}", out(&output));
    if Path::new("/dev/full").exists() {
        let output = sim(&["run", scenario, "--record", "/dev/full"]);
        assert_eq!(code(&output), 3);
        assert!(sentence(&output).contains("could not be written"));
        assert!(out(&output).contains("violates S-20, as it must"), "{}", out(&output));
    }
}

#[test]
fn a_file_with_many_cases_is_recorded_one_by_one() {
    let scenario = "scenarios/election/01_boundary.toml";
    let dir = dir("cases");
    let file = dir.join("run.qrec");
    let output = sim(&["run", scenario, "--record", path(&file)]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("--case"));
    let file = record(&dir, &[scenario, "--case", "2"]);
    assert_eq!(code(&sim(&["replay", path(&file)])), 0);
}

/// A failure among drawn faults and clients becomes a scenario that is read at a glance.
#[test]
fn a_failure_shrinks_to_fifteen_lines_that_fail_in_the_same_way() {
    let dir = dir("shrink");
    let file = record(&dir, &[CHAOS, "--seed", "1", "--museum", "ack_before_flush"]);
    let small = dir.join("small.toml");
    let output = sim(&["shrink", path(&file), "--out", path(&small), "--time", "60s"]);
    assert_eq!(code(&output), 0, "{}{}", out(&output), String::from_utf8_lossy(&output.stderr));
    let scenario = Scenario::load(&small).unwrap_or_else(|error| panic!("{error}"));
    let lines = scenario.cases[0].timeline.len();
    assert!(lines <= 15, "{lines} lines");
    assert!(scenario.chaos.is_none() && scenario.seed.is_some());
    assert_eq!(scenario.violates, ["S-18"]);
    let again = sim(&["run", path(&small)]);
    assert_eq!(code(&again), 0, "{}", out(&again));
    assert!(out(&again).contains("violates S-18, as it must"), "{}", out(&again));
    assert!(out(&output).contains("without its exhibits everything holds"), "{}", out(&output));
}

#[test]
fn what_holds_cannot_be_shrunk() {
    let file = record(&dir("holds"), &["scenarios/election/02_all_together.toml"]);
    let output = sim(&["shrink", path(&file)]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("everything holds"));
}

#[test]
fn an_exported_run_is_a_test_and_overwrites_nothing() {
    let dir = dir("export");
    let file = record(&dir, &[CHAOS, "--seed", "1", "--museum", "ack_before_flush"]);
    let export = |more: &[&str]| {
        let mut args = vec!["export", path(&file), "--dir", path(&dir)];
        args.extend(more);
        sim(&args)
    };
    let output = export(&["--name", "acked_too_early"]);
    assert_eq!(code(&output), 0, "{}{}", out(&output), String::from_utf8_lossy(&output.stderr));
    let written = dir.join("museum/acked_too_early.toml");
    let scenario = Scenario::load(&written).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((scenario.seed, scenario.violates.len()), (Some(1), 1));
    assert_eq!(scenario.museum.len(), 1);
    assert_eq!(code(&sim(&["run", path(&written)])), 0);
    let output = export(&["--name", "acked_too_early"]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("exists already"));
    let output = export(&["--name", "../elsewhere"]);
    assert_eq!(code(&output), 2);
    assert!(sentence(&output).contains("a name has"));
    let holds = record(&dir, &[CHAOS, "--seed", "1"]);
    let output = sim(&["export", path(&holds), "--dir", path(&dir)]);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(dir.join("found/three_voters_seed_1.toml").is_file());
}

/// The time may be up at once: the file still fails in the same way.
#[test]
fn a_shrink_without_time_leaves_a_file_that_fails() {
    let dir = dir("no_time");
    let file = record(&dir, &[CHAOS, "--seed", "1", "--museum", "ack_before_flush"]);
    let output = sim(&["shrink", path(&file), "--time", "0s"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(out(&output).contains("the time was up"), "{}", out(&output));
    assert_eq!(code(&sim(&["run", path(&file.with_extension("small.toml"))])), 0);
}
