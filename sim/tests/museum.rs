//! The museum and a plain hunt: which deliberate bugs a file finds that knows of none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_sim::scenario::Scenario;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies inside the workspace")
}

/// A directory of this test's own that is not there yet.
fn dir(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("museum").join(test);
    let _ = fs::remove_dir_all(&dir);
    dir
}

/// Exit code, output and what stands on the error stream.
fn museum(args: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-sim"));
    command.current_dir(root()).arg("museum").args(args.split_whitespace());
    let output = command.output().expect("the binary was built for this test");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The line of an exhibit, as cells.
fn row<'a>(text: &'a str, exhibit: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.starts_with(exhibit));
    let line = line.unwrap_or_else(|| panic!("{exhibit} has no line: {text}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn a_plain_hunt_finds_two_plain_bugs() {
    let args = "ack_before_flush vote_counted_twice --plain 20 --file scenarios/chaos/short.toml";
    let (code, text, error) = museum(args);
    assert_eq!((code, error.as_str()), (0, ""), "{text}");
    for (exhibit, property) in [("ack_before_flush", "S-18"), ("vote_counted_twice", "S-20")] {
        let row = row(&text, exhibit);
        assert_eq!(row[2..4], [property, property], "{text}");
        assert!(row[4].parse::<u64>().is_ok_and(|seeds| (1..=20).contains(&seeds)), "{text}");
    }
    assert!(text.ends_with("2 of 2 found in scenarios/chaos/short.toml\n"), "{text}");
}

#[test]
fn the_seed_it_takes_does_not_depend_on_how_many_are_played_at_once() {
    // Not by the first seed: several are on the way when it shows.
    let args = "diff_without_trunc --plain 20 --file scenarios/chaos/three_voters.toml --jobs";
    let seeds = ["1", "3", "8"].map(|jobs| {
        let (_, text, _) = museum(&format!("{args} {jobs}"));
        row(&text, "diff_without_trunc")[2..5].iter().map(ToString::to_string).collect::<Vec<_>>()
    });
    assert_eq!(seeds[0], seeds[1]);
    assert_eq!(seeds[0], seeds[2]);
}

#[test]
fn what_a_plain_hunt_found_is_shrunk_and_fails_in_the_same_way() {
    let out = dir("shrunk");
    let file = "--file scenarios/chaos/short.toml --shrink --out";
    let (code, text, _) =
        museum(&format!("vote_counted_twice --plain 20 {file} {}", out.display()));
    assert_eq!(code, 0, "{text}");
    assert_eq!(row(&text, "vote_counted_twice").last(), Some(&"the same"), "{text}");
    let file = out.join("vote_counted_twice.toml");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scenario.violates, ["S-20"]);
    assert!(scenario.cases[0].timeline.len() <= 15);
    let names = fs::read_dir(&out).expect("it is there").count();
    assert_eq!(names, 1, "nothing else is left there");
}

#[test]
fn what_makes_no_plain_hunt_is_refused_in_a_sentence() {
    for (args, words) in [
        ("nobody --plain 2", "there is no exhibit nobody"),
        ("--plain 2 --file nowhere.toml", "nowhere.toml: cannot be read"),
        (
            "--plain 2 --file scenarios/museum/vote_from_tree.toml",
            "has a bug of its own; a plain hunt knows of none",
        ),
        (
            "--plain 2 --file scenarios/chaos/short.toml --shrink --out Cargo.toml/x",
            "Cargo.toml/x: cannot be written",
        ),
    ] {
        let (code, _, error) = museum(args);
        assert_eq!((code, error.lines().count()), (2, 1), "{args}: {error}");
        assert!(error.contains(words), "{args}: {error}");
    }
}
