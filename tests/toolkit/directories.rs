//! `quorate purge`, `quorate history`, and what all commands have in common.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::golden_files::{files, text};
use crate::place::Place;

#[test]
fn a_purge_removes_what_apaches_removes_and_a_dry_run_nothing() {
    let place = Place::of(&["3.9.3/snapshots"]);
    let dry = place.run(&["purge", ".", "-n", "3", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(dry.out.ends_with("3 files to remove; 3 valid snapshots kept\n"), "{}", dry.out);
    for script in ["quorate", "zkCleanup.sh"] {
        let place = Place::of(&["3.9.3/snapshots"]);
        let args: &[&str] =
            if script == "quorate" { &["purge", ".", ".", "-n", "3"] } else { &[".", "-n", "3"] };
        let said = place.run_freely(script, args);
        assert_eq!(said.code, 0, "{}", said.err);
        let removed: Vec<&str> = said
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("Removing file: ./version-2/"))
            .collect();
        assert_eq!(removed, ["log.1", "snapshot.6", "snapshot.0"]);
        let left: Vec<String> =
            ["log.8", "log.f", "log.15", "log.1d", "snapshot.d", "snapshot.13", "snapshot.1b"]
                .into_iter()
                .filter(|name| !place.file(name).exists())
                .map(String::from)
                .collect();
        assert_eq!(left, Vec::<String>::new());
        assert!(removed.iter().all(|name| !place.file(name).exists()));
        let again = place.run(&["purge", ".", "-n", "3"]);
        assert_eq!(again.out, "0 files removed; 3 valid snapshots kept\n");
    }
}

#[test]
fn a_purge_counts_no_damaged_snapshot_and_refuses_where_nothing_may_go() {
    let place = Place::of(&["3.9.3/snapshots"]);
    place.damage("snapshot.1b", |bytes| bytes.truncate(100));
    let said = place.run(&["purge", ".", "-n", "3", "--dry-run"]);
    assert!(said.out.ends_with("1 file to remove; 3 valid snapshots kept\n"), "{}", said.out);
    for name in ["snapshot.0", "snapshot.6", "snapshot.d", "snapshot.13"] {
        place.damage(name, |bytes| bytes.truncate(100));
    }
    let said = place.run(&["purge", ".", "-n", "3"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("there is no valid snapshot in ./version-2: nothing may be removed"));
    for args in [&["purge", ".", "-n", "2"][..], &["purge", "none", "-n", "3"], &["purge"]] {
        assert_eq!(place.run(args).code, 2, "{args:?}");
    }
    // Without a directory, those of the configuration.
    let config = "dataDir=.\ndataLogDir=.\nclientPort=2181\n";
    fs::create_dir(place.path("conf")).expect("a writable directory");
    fs::write(place.path("conf/zoo.cfg"), config).expect("a writable directory");
    for args in [&["-n", "3"][..], &["--config", "conf/zoo.cfg", "-n", "3"]] {
        let said = place.run_as("zkCleanup.sh", args);
        assert_eq!(said.code, 1);
        assert!(said.err.contains("no valid snapshot in ./version-2"), "{}", said.err);
    }
    assert_eq!(place.run(&["purge", "--config", "none.cfg", "-n", "3"]).code, 2);
    let said = place.run_as("zkCleanup.sh", &[".", "-n", "2"]);
    assert!(said.err.contains("count should be greater than or equal to 3"), "{}", said.err);
}

fn deeds(place: &Place, path: &str) -> Vec<String> {
    let said = place.run(&["history", path, "--dir", ".", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        match line["note"].as_str() {
            Some(note) => note.to_owned(),
            None => {
                format!("{} {} {}", text(&line, "zxid"), text(&line, "op"), text(&line, "what"))
            }
        }
    };
    said.out.lines().map(line).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn the_history_of_a_node_is_all_that_was_done_to_it() {
    let place = Place::of(&["3.9.3/plain"]);
    let gone = "it does not exist at the end";
    assert_eq!(
        deeds(&place, "/del"),
        ["not in snapshot.0", "0x1f create 0 bytes", "0x23 delete", gone]
    );
    assert_eq!(
        deeds(&place, "/acl/set")[1..],
        [
            "0x19 create 0 bytes",
            "0x1a setACL ACL version 1: world:anyone:1",
            "0x1b setACL ACL version 2: digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:31",
            "it exists at the end"
        ]
    );
    assert_eq!(
        deeds(&place, "/x-eph")[1..],
        [
            "0x35 create ephemeral, 0 bytes",
            "0x37 closeSession the ephemeral goes with its session",
            gone
        ]
    );
    assert_eq!(
        deeds(&place, "/m/gone")[1..],
        ["0x29 multi create 0 bytes", "0x29 multi delete", gone]
    );
    // A multi that failed did nothing.
    assert_eq!(deeds(&place, "/m3"), ["not in snapshot.0", gone]);
    let said = place.run(&["history", "/del", "--dir", "."]);
    let line = "2026-11-21T11:25:56.889Z zxid 0x23 session 0x100007936dd0000 delete";
    assert!(
        said.out.lines().any(|found| found.split_once(' ').map(|(_, rest)| rest)
            == line.split_once(' ').map(|(_, rest)| rest)),
        "{}",
        said.out
    );
    assert_eq!(place.run(&["history", "del", "--dir", "."]).code, 2);
}

#[test]
fn what_is_older_than_the_oldest_log_is_told_from_the_oldest_snapshot() {
    let place = Place::of(&["3.9.3/plain"]);
    for name in ["log.1", "snapshot.0"] {
        fs::remove_file(place.file(name)).expect("it was copied");
    }
    let told = deeds(&place, "/a");
    let first = "the oldest log begins with 0x3a: what was done before is not told, but how it stood in snapshot.39";
    assert_eq!(told[0], first);
    assert!(told[1].starts_with("in snapshot.39: created 2026-11-21T11:25:56."), "{}", told[1]);
    assert!(told[1].ends_with("by 0x1e, version 3, 9 bytes"), "{}", told[1]);
    assert_eq!(told[2..], ["0x3c setData 10 bytes, version 4", "it exists at the end"]);
    let owned = deeds(&place, "/y-eph");
    assert!(owned[1].ends_with(", owner 0x100007936dd0002"), "{}", owned[1]);
}

#[test]
fn a_history_without_a_snapshot_says_what_is_not_known() {
    let place = Place::of(&["3.9.3/plain"]);
    for name in ["log.1", "snapshot.0", "snapshot.39"] {
        fs::remove_file(place.file(name)).expect("it was copied");
    }
    let told = deeds(&place, "/a");
    assert_eq!(told[0], "there is no snapshot: what was before the oldest log is not known");
    assert_eq!(told[1], "0x3c setData 10 bytes, version 4");
    assert_eq!(told[2..], ["it exists at the end"]);
    assert_eq!(deeds(&place, "/del").len(), 1, "whether it exists is not known");
    fs::remove_file(place.file("log.3a")).expect("it was copied");
    let said = place.run(&["history", "/a", "--dir", "."]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("there is neither a log nor a snapshot"), "{}", said.err);
}

#[test]
fn a_history_says_where_the_logs_are_damaged() {
    let place = Place::of(&["3.9.3/plain"]);
    place.damage("log.3a", |bytes| bytes[184 + 60] ^= 1);
    let said = place.run(&["history", "/a", "--dir", "."]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("version-2/log.3a is damaged at offset 184: "), "{}", said.err);
}

#[test]
fn every_command_has_a_help_with_an_example() {
    let place = Place::of(&["3.9.3/plain"]);
    for args in [
        &["txnlog"][..],
        &["txnlog", "verify"],
        &["txnlog", "recover"],
        &["txnlog", "chop"],
        &["snapshot"],
        &["snapshot", "verify"],
        &["snapshot", "stats"],
        &["snapshot", "compare"],
        &["purge"],
        &["history"],
        &["zkTxnLogToolkit"],
        &["zkSnapShotToolkit"],
        &["zkSnapshotRecursiveSummaryToolkit"],
        &["zkSnapshotComparer"],
    ] {
        let said = place.run(&[args, &["--help"]].concat());
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        assert!(said.out.contains("Example"), "{args:?}: {}", said.out);
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_quietly() {
    let place = Place::of(&["3.9.3/plain"]);
    let first = |args: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_quorate"))
            .args(args)
            .current_dir(place.path("."))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        // Nobody reads a byte of it.
        drop(child.stdout.take());
        let mut err = String::new();
        let stderr = child.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut err).expect("text");
        (child.wait().expect("it ends").code(), err)
    };
    for args in [
        &["txnlog", "."][..],
        &["txnlog", ".", "--json"],
        &["snapshot", "version-2/snapshot.39"],
        &["snapshot", "version-2/snapshot.39", "-json"],
        &["history", "/a", "--dir", "."],
    ] {
        assert_eq!(first(args), (Some(0), String::new()), "{args:?}");
    }
}

/// `Place::run` holds every run of these tests to the same.
#[test]
fn no_command_changes_a_file_of_any_golden_directory() {
    let mut dirs: Vec<String> = files("snapshot")
        .iter()
        .filter_map(|file| {
            text(file, "file").split_once("/version-2/").map(|(dir, _)| dir.to_owned())
        })
        .map(|dir| dir.trim_start_matches("dirs/").to_owned())
        .collect();
    dirs.dedup();
    for dir in &dirs {
        let place = Place::of(&[dir]);
        for args in [
            &["txnlog", "."][..],
            &["txnlog", "verify", "."],
            &["snapshot", "."],
            &["snapshot", "verify", "."],
            &["history", "/a", "--dir", "."],
            &["purge", ".", "-n", "3", "--dry-run"],
        ] {
            assert_eq!(place.run(args).code, 0, "{dir} {args:?}");
        }
    }
    assert!(dirs.len() > 8, "{dirs:?}");
}
