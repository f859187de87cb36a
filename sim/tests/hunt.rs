//! Hunts: interrupted and gone on with, in shards and merged, runs done twice; and whatever does
//! not fit together is refused in a sentence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use quorate_sim::child::{Limit, RUN_LIMIT};
use quorate_sim::hunt::plan::{Part, Plan, Planned};
use quorate_sim::hunt::report::Report;
use quorate_sim::hunt::run_apart::Player;
use quorate_sim::hunt::store::{Store, record_example};
use quorate_sim::hunt::{HuntOptions, hunt};
use quorate_sim::recording::Recording;
use quorate_sim::scenario::Scenario;

/// Two servers of five elect a leader: S-20 fails under every seed.
const BAD: &str = r#"
about = "a vote counts each time it is heard"
duration = "1s"
museum = ["vote_counted_twice"]
[ensemble]
voters = [1, 2, 3, 4, 5]
max_notification_interval = "2s"
timeline = ["0s start 1 2"]
"#;

/// It depends on the seed whether 3 leads so early.
const SOME: &str = r#"
about = "fails under some seeds"
duration = "1s"
[network]
latency = "1ms..90ms"
[ensemble]
voters = [1, 2, 3]
timeline = ["0s start 1 2 3", "750ms expect leader 3"]
"#;

/// It holds, but not soon.
const LONG: &str = r#"
about = "three servers and nothing to do"
duration = "1000h"
[ensemble]
voters = [1, 2, 3]
timeline = ["0s start 1 2 3"]
"#;

fn dir(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hunt").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the build directory can be written");
    fs::write(dir.join("bad.toml"), BAD).expect("the build directory can be written");
    fs::write(dir.join("some.toml"), SOME).expect("the build directory can be written");
    dir
}

fn command(dir: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-sim"));
    command.current_dir(dir).args(args.split_whitespace()).env_remove("GITHUB_ACTIONS");
    command
}

/// Exit code and output.
fn sim(dir: &Path, args: &str) -> (i32, String) {
    let output: Output = command(dir, args).output().expect("the binary was built for this test");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text.into_owned())
}

/// The one sentence of a command that is refused.
fn refused(dir: &Path, args: &str) -> String {
    let (code, text) = sim(dir, args);
    assert_eq!((code, text.trim_end().lines().count()), (2, 1), "{args}: {text}");
    text
}

/// A report without what no two hunts have alike.
fn report(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("report.json")).expect("the hunt wrote it");
    let mut report: Value = serde_json::from_str(&text).expect("it is JSON");
    report["seconds"] = Value::Null;
    for case in report["cases"].as_array_mut().expect("a list") {
        case["seconds"] = Value::Null;
    }
    report
}

#[test]
fn a_hunt_leaves_a_report_and_a_recording_of_each_way_to_fail() {
    let dir = dir("whole");
    let (code, text) = sim(&dir, "hunt bad.toml some.toml --seeds 1..13 --out out --annotate");
    assert_eq!(code, 1, "{text}");
    let report = report(&dir.join("out"));
    let ids: Vec<&str> = report["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|f| f["id"].as_str())
        .collect();
    assert_eq!(ids.iter().filter(|id| **id == "S-20").count(), 1, "{ids:?}");
    assert!(ids.contains(&"expect") && report["held"].as_u64() > Some(0), "{text}");
    assert_eq!(text.matches("\n::error title=").count(), ids.len(), "{text}");
    for failure in report["failures"].as_array().expect("a list") {
        let file = dir.join("out").join(failure["recording"].as_str().expect("it has one"));
        let recording = Recording::read(&file).expect("it is whole");
        assert_eq!(recording.violations[0].id, failure["id"].as_str().expect("a name"));
        assert_eq!(recording.seed, failure["example"]["seed"].as_u64().expect("a number"));
        let command = failure["example"]["command"].as_str().expect("a string");
        assert!(text.contains(&format!("  repeat: {command}\n")), "{command}\n{text}");
        let (code, _) =
            sim(&dir, command.strip_prefix("quorate-sim ").expect("it is this program"));
        assert_eq!(code, 1, "{command}");
    }
    let xml = fs::read_to_string(dir.join("out/junit.xml")).expect("the hunt wrote it");
    assert!(xml.contains("tests=\"2\" failures=\"2\""), "{xml}");
}

#[test]
fn a_hunt_that_was_killed_goes_on_and_does_no_run_twice() {
    let dir = dir("killed");
    let out = dir.join("out");
    let args = "hunt some.toml --seeds 1..301 --jobs 1 --twice 0/1 --out out";
    let mut child = command(&dir, args).stdout(Stdio::null()).spawn().expect("it was built");
    while !out.join("report.json").exists() || report(&out)["done"] == Value::Array(Vec::new()) {
        assert_eq!(child.try_wait().expect("it is a child"), None, "it ended before it saved");
        sleep(Duration::from_millis(20));
    }
    child.kill().expect("it is a child");
    child.wait().expect("it is a child");
    let before = report(&out);
    let done = before["done"][0][1].as_u64().expect("the first seeds are done");
    let runs = |report: &Value| ["held", "failed"].map(|n| report[n].as_u64().unwrap_or(0));
    assert_eq!(runs(&before).iter().sum::<u64>(), done);
    assert!(done < 300, "it was killed in the middle");
    let (_, text) = sim(&dir, "hunt some.toml --seeds 1..301 --twice 0/1 --out out");
    assert!(text.contains(&format!("{done} of 300 runs were done before")), "{text}");
    let after = report(&out);
    assert_eq!(runs(&after).iter().sum::<u64>(), 300);
    assert_eq!(after["cases"][0]["runs"], 300);
    assert_eq!(after["seeds_done"], serde_json::json!([[1, 301]]));
    sim(&dir, "hunt some.toml --seeds 1..301 --twice 0/1 --out at_once");
    assert_eq!(after, report(&dir.join("at_once")));
}

#[test]
fn another_hunt_is_refused_where_one_has_left_its_report() {
    let dir = dir("refused");
    sim(&dir, "hunt bad.toml --seeds 1..3 --out out");
    let kept = report(&dir.join("out"));
    for (args, words) in [
        ("hunt bad.toml --seeds 1..4 --out out", "its seeds are 1..3, not 1..4"),
        ("hunt bad.toml some.toml --seeds 1..3 --out out", "its scenarios are bad.toml, not"),
        ("hunt bad.toml --seeds 1..3 --shard 1/2 --out out", "its shard is the whole, not 1/2"),
        ("hunt bad.toml --seeds 1..3 --out bad.toml", "cannot be written"),
    ] {
        let told = refused(&dir, args);
        assert!(told.contains(words), "{told}");
    }
    fs::write(dir.join("bad.toml"), format!("{BAD}\n# more\n")).expect("it can be written");
    let told = refused(&dir, "hunt bad.toml --seeds 1..3 --out out");
    assert!(told.contains("bad.toml has been changed since"), "{told}");
    assert_eq!(report(&dir.join("out")), kept, "what is refused changes nothing");
    for shard in ["0/2", "3/2", "2"] {
        let (code, _) = sim(&dir, &format!("hunt bad.toml --shard {shard}"));
        assert_eq!(code, 2, "{shard}");
    }
}

#[test]
fn merged_shards_are_the_report_of_the_whole() {
    let dir = dir("merged");
    let hunt = "hunt bad.toml some.toml --seeds 1..9 --twice 1/5";
    for n in 1..=3 {
        let (code, text) = sim(&dir, &format!("{hunt} --shard {n}/3 --out s{n}"));
        assert!(code <= 1, "{text}");
    }
    let (whole, _) = sim(&dir, &format!("{hunt} --out whole"));
    let (code, text) = sim(&dir, "report merge s2 s3 s1 --out all");
    assert_eq!(code, whole, "{text}");
    assert_eq!(report(&dir.join("all")), report(&dir.join("whole")));
    for failure in report(&dir.join("all"))["failures"].as_array().expect("a list") {
        let name = failure["recording"].as_str().expect("it has one");
        let file = |of: &str| fs::read(dir.join(of).join(name)).expect("it is there");
        assert!(file("all") == file("whole"), "{name}");
    }
    let (code, again) = sim(&dir, "report merge s1 s2 s3");
    assert_eq!(code, whole);
    assert!(again.contains("recording: s1/S-20-1.qrec"), "{again}");

    sim(&dir, "hunt bad.toml some.toml --seeds 1..8 --twice 1/5 --shard 2/3 --out other");
    for (args, words) in [
        ("s1", "shards 2/3, 3/3 are missing"),
        ("s1 s3", "shard 2/3 is missing"),
        ("s1 s2 s3 s2", "overlap: both are shard 2/3"),
        ("s1 other s3", "other: is no shard of the hunt in s1: its seeds are 1..8, not 1..9"),
        ("whole", "whole: is a whole hunt, not a shard of one"),
        ("nowhere", "nowhere: there is no report.json in it"),
        ("s1 s2 s3 --out s1", "s1: holds another hunt: its shard is 1/3, not the whole"),
    ] {
        let told = refused(&dir, &format!("report merge {args}"));
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_shard_of_another_build_is_refused() {
    let dir = dir("build");
    for n in 1..=2 {
        sim(&dir, &format!("hunt bad.toml --seeds 1..3 --shard {n}/2 --out s{n}"));
    }
    let file = dir.join("s2/report.json");
    let mut report: Value =
        serde_json::from_slice(&fs::read(&file).expect("it was written")).expect("it is JSON");
    report["build"] = "0000000000000000".into();
    fs::write(&file, report.to_string()).expect("it can be written");
    let told = refused(&dir, "report merge s1 s2");
    assert!(told.contains("its build is 0000000000000000, not "), "{told}");
    let told = refused(&dir, "hunt bad.toml --seeds 1..3 --shard 2/2 --out s2");
    assert!(told.contains("its build is 0000000000000000, not "), "{told}");
}

/// A program that plays `$seed` of `$file` instead of what it is asked for, as `change` sets them.
fn stand_in(dir: &Path, change: &str) -> PathBuf {
    let script = dir.join("sim.sh");
    let text = format!(
        "#!/bin/sh\nfile=$2 seed=$6\n{change}\n\
         exec {} run $file --quiet --report --seed $seed --case 1 ${{9}} ${{10}}\n",
        env!("CARGO_BIN_EXE_quorate-sim")
    );
    // By another process: a file that this one still writes could not be run.
    let shell = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"";
    let path = script.to_str().expect("the build directory has a plain name");
    let made = Command::new("sh").args(["-c", shell, "sh", &text, path]).status();
    assert!(made.expect("there is a shell").success());
    script
}

/// A hunt for `some.toml`.
fn plan(dir: &Path, seeds: (u64, u64), twice: Part) -> Plan {
    let scenario = Scenario::load(&dir.join("some.toml")).expect("it is a scenario");
    let scenarios = vec![Planned::new(&scenario)];
    Plan { scenarios, seeds, museum: Vec::new(), twice, shard: None }
}

fn options(program: PathBuf, dir: &Path) -> HuntOptions<'_> {
    let (run_limit, time, dir) = (RUN_LIMIT, None, Some(dir));
    HuntOptions { program, at_once: 2, run_limit, time, shows: false, tells_all: false, dir }
}

#[test]
fn an_example_that_does_not_fail_so_again_is_the_simulators_failure() {
    let dir = dir("unsteady");
    let out = dir.join("out");
    let plan = plan(&dir, (2, 3), Part { n: 0, of: 1 });
    let store = Store::open(&out).expect("the build directory can be written");
    let report = store.begin(&plan).expect("it is empty");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_quorate-sim"));
    let mut report = hunt(report, &options(program, &out)).expect("it can be written");
    assert_eq!((report.failed, report.exit_code()), (1, 1), "seed 2 fails");
    let bad = dir.join("bad.toml");
    let other = stand_in(&dir, &format!("test $9 && file={}", bad.display()));
    let by = Player { program: &other, limit: Limit::of(RUN_LIMIT) };
    let record = |failure: &_, file: &Path| record_example(by, &plan, failure, file);
    store.finish(&mut report, record).expect("it can be written");
    assert_eq!(report.exit_code(), 3);
    let failure = report.failures.iter().find(|failure| failure.is_broken()).expect("one is");
    assert_eq!(failure.example.words, "it failed by expect, and run again it fails by S-20");
    assert_eq!(Report::load(&out), Ok(Some(report)));
    let told = Store::open(&out).expect_err("the first one is still there");
    assert!(told.contains("another hunt writes into this directory"), "{told}");
}

#[test]
fn a_seed_with_two_traces_is_the_simulators_failure() {
    let dir = dir("twice");
    // Every second run of what is run twice is that of another seed.
    let program = stand_in(&dir, "test \"${10%.2.qrec}\" != \"${10}\" && seed=99");
    let plan = plan(&dir, (1, 5), Part { n: 1, of: 3 });
    let options = options(program, &dir);
    let report = hunt(Report::new(&plan), &options).expect("the directory can be written");
    assert_eq!((report.broken, report.runs(), report.exit_code()), (2, 4, 3));
    let failure = report.failures.iter().find(|failure| failure.is_broken()).expect("one is");
    assert_eq!(failure.count, 2);
    for words in ["they part at event", "before it", "\n  first  ", "\n  second  "] {
        assert!(failure.example.words.contains(words), "{}", failure.example.words);
    }
    let seed = failure.example.seed;
    let command = format!("some.toml --seeds {seed}..{} --twice 1/1", seed + 1);
    assert!(failure.example.command.ends_with(&command), "{}", failure.example.command);
    for file in ["differs-1-0.1.qrec", "differs-1-0.2.qrec", "differs-4-3.1.qrec"] {
        assert!(dir.join(file).exists(), "{file}");
    }
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_told_and_the_others_are_done() {
    let dir = dir("long");
    fs::write(dir.join("long.toml"), LONG).expect("the build directory can be written");
    let hunt = "hunt long.toml some.toml --seeds 1..4 --run-limit 500ms --twice 1/2";
    let (code, text) = sim(&dir, &format!("{hunt} --out out --annotate"));
    assert_eq!(code, 3, "{text}");
    let report = report(&dir.join("out"));
    let runs = ["broken", "held", "failed"].map(|n| report[n].as_u64().unwrap_or(0));
    assert_eq!((runs[0], runs[1] + runs[2]), (3, 3), "{report}");
    let failures = report["failures"].as_array().expect("a list");
    let failure = failures.iter().find(|f| f["id"] == "simulator").expect("it is told");
    assert_eq!((&failure["count"], &failure["example"]["seed"]), (&3.into(), &1.into()));
    assert_eq!(failure["recording"], Value::Null, "there is nothing of it to look at");
    let words = failure["example"]["words"].as_str().expect("a string");
    assert!(words.starts_with("did not end within "), "{words}");
    let command = "quorate-sim run long.toml --seed 1";
    assert_eq!(failure["example"]["command"], command);
    for words in [
        format!("simulator: 3 runs\n  {words}\n"),
        format!("  repeat: {command}\n"),
        format!("::error title=simulator%3A 3 runs::{words}%0Arepeat: {command}\n"),
    ] {
        assert!(text.contains(&words), "{words}\n{text}");
    }
    let xml = fs::read_to_string(dir.join("out/junit.xml")).expect("the hunt wrote it");
    assert!(xml.contains(&format!("message=\"3 of 3 runs: {words}\"")), "{xml}");
    let names = fs::read_dir(dir.join("out")).expect("it is there").flatten();
    let names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let left = |start: &str| names.iter().any(|name| name.starts_with(start));
    assert!(!left("simulator") && !left("differs"), "{names:?}");
}

#[test]
fn a_run_that_waits_for_ever_is_ended_too() {
    let dir = dir("waits");
    let program = stand_in(&dir, "test $seed = 2 && exec sleep 1000");
    let plan = plan(&dir, (1, 5), Part { n: 0, of: 1 });
    let options = HuntOptions { run_limit: Duration::from_secs(1), ..options(program, &dir) };
    let report = hunt(Report::new(&plan), &options).expect("the directory can be written");
    assert_eq!((report.broken, report.runs(), report.exit_code()), (1, 4, 3));
    let failure = report.failures.iter().find(|failure| failure.is_broken()).expect("one is");
    assert_eq!(failure.example.words, "did not end within 5s");
}
