//! `quorate snapshot`, and Apache's scripts for snapshots.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::golden_files::{bytes, files, number, text};
use crate::place::Place;

const SNAPSHOT: &str = "version-2/snapshot.39";

fn golden(version: &str, name: &str) -> String {
    let bytes = bytes(&format!("texts/{version}/toolkit/{name}.txt"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What stands between the lines of four dashes. Apache's order of nodes is that of its hash tables.
fn blocks(text: &str) -> BTreeSet<String> {
    text.split("----\n").map(str::to_owned).collect()
}

#[test]
fn every_golden_snapshot_is_sound_whatever_it_is_packed_in() {
    let mut counted = 0;
    for snapshot in files("snapshot") {
        let file = text(&snapshot, "file");
        let (dir, name) = file.trim_start_matches("dirs/").split_once("/version-2/").expect("one");
        let place = Place::of(&[dir]);
        let said = place.run(&["snapshot", "verify", &format!("version-2/{name}"), "--json"]);
        let verdict: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!((said.code, &verdict["sound"]), (0, &Value::Bool(true)), "{file}: {}", said.out);
        assert_eq!(number(&verdict, "nodes"), number(&snapshot, "nodes"), "{file}");
        counted += 1;
    }
    assert!(counted > 20, "{counted} snapshots");
}

#[test]
fn the_blocks_of_apaches_formatter_come_line_by_line() {
    for (version, dir, name) in [
        ("3.8.0", "plain", "snapshot.39"),
        ("3.8.0", "snapshots", "snapshot.17"),
        ("3.9.3", "plain", "snapshot.39"),
        ("3.9.3", "snapshots", "snapshot.13"),
    ] {
        let place = Place::of(&[&format!("{version}/{dir}")]);
        let file = format!("version-2/{name}");
        let said = place.run_as("zkSnapShotToolkit.sh", &[&file]);
        assert_eq!(blocks(&said.out), blocks(&golden(version, name)), "{version} {name}");
        let with_data = place.run_as("zkSnapShotToolkit.sh", &["-d", &file]);
        let golden = golden(version, &format!("{name}-d"));
        assert_eq!(blocks(&with_data.out), blocks(&golden), "{version} {name}");
        assert_eq!((said.code, with_data.code), (0, 0));
        assert_eq!(place.run(&["snapshot", &file]).out, said.out);
    }
    let place = Place::of(&["3.9.3/plain"]);
    assert_eq!(place.run_as("zkSnapShotToolkit.sh", &["-d", "-json", SNAPSHOT]).code, 2);
}

/// Name, size and children of each node, in the order of names.
fn ncdu(value: &Value) -> (String, i64, Vec<Value>) {
    let (node, children) = match value {
        Value::Array(list) => (&list[0], &list[1..]),
        leaf => (leaf, &[][..]),
    };
    (text(node, "name").to_owned(), number(node, "asize"), children.to_vec())
}

fn same_tree(ours: &Value, theirs: &Value) {
    let ((name, size, mut a), (other, other_size, mut b)) = (ncdu(ours), ncdu(theirs));
    assert_eq!((&name, size, a.len()), (&other, other_size, b.len()));
    a.sort_by_key(|child| ncdu(child).0);
    b.sort_by_key(|child| ncdu(child).0);
    a.iter().zip(&b).for_each(|(a, b)| same_tree(a, b));
}

#[test]
fn the_json_is_apaches_tree() {
    for version in ["3.8.0", "3.9.3"] {
        let place = Place::of(&[&format!("{version}/plain")]);
        let ours = place.run_as("zkSnapShotToolkit.sh", &["-json", SNAPSHOT]).out;
        let ours: Value = serde_json::from_str(&ours).expect("JSON");
        let theirs: Value =
            serde_json::from_str(&golden(version, "snapshot.39-json")).expect("JSON");
        assert_eq!(
            (&ours[0], &ours[1], &ours[2]["progver"]),
            (&theirs[0], &theirs[1], &theirs[2]["progver"])
        );
        same_tree(&ours[3], &theirs[3]);
        let same = place.run(&["snapshot", SNAPSHOT, "-json"]);
        assert_eq!(same.code, 0, "{}", same.err);
    }
}

/// A node of the summary: three lines.
fn rows(text: &str) -> BTreeSet<Vec<String>> {
    let lines: Vec<String> =
        text.lines().filter(|line| !line.is_empty()).map(String::from).collect();
    lines.chunks(3).map(<[String]>::to_vec).collect()
}

#[test]
fn the_recursive_summary_is_apaches() {
    for (dir, name, depth, golden_name) in [
        ("plain", "snapshot.39", "0", "snapshot.39-summary"),
        ("plain", "snapshot.39", "1", "snapshot.39-summary-1"),
        ("snapshots", "snapshot.13", "0", "snapshot.13-summary"),
    ] {
        let place = Place::of(&[&format!("3.9.3/{dir}")]);
        let script = "zkSnapshotRecursiveSummaryToolkit.sh";
        let said = place.run_as(script, &[&format!("version-2/{name}"), "/", depth]);
        let golden = golden("3.9.3", golden_name);
        assert_eq!(rows(&said.out), rows(&golden), "{golden_name}");
        assert_eq!(said.out.lines().next(), golden.lines().next());
        assert!(said.out.ends_with("\n\n"));
    }
    let place = Place::of(&["3.9.3/plain"]);
    let said = place.run_as("zkSnapshotRecursiveSummaryToolkit.sh", &[SNAPSHOT, "/a", "0"]);
    assert_eq!(said.out, " /a\n   children: 10\n   data: 286\n\n");
    let said = place.run_as("zkSnapshotRecursiveSummaryToolkit.sh", &[SNAPSHOT, "/none", "0"]);
    assert_eq!(said.code, 2);
}

/// Without what the clock said.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.split_once(" in ") {
        Some((what, _)) if line.ends_with("seconds") => what.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_comparer_is_apaches() {
    for version in ["3.8.0", "3.9.3"] {
        let place = Place::of(&[&format!("{version}/plain")]);
        let args = ["-l", "version-2/snapshot.0", "-r", SNAPSHOT, "-b", "3", "-n", "1"];
        let said = place.run_as("zkSnapshotComparer.sh", &args);
        let golden_text = golden(version, "compare-0-39");
        assert_eq!(without_times(&said.out), without_times(&golden_text), "{version}");
        let said = place.run_as("zkSnapshotComparer.sh", &[&args[..], &["-d"]].concat());
        let golden_text = golden(version, "compare-0-39-debug");
        assert_eq!(without_times(&said.out), without_times(&golden_text), "{version}");
    }
}

#[test]
fn statistics_count_what_is_there() {
    let place = Place::of(&["3.9.3/plain"]);
    let said = place.run(&["snapshot", "stats", SNAPSHOT]);
    assert_eq!(said.code, 0, "{}", said.err);
    for line in [
        "            35  nodes",
        "             4  ephemeral",
        "             3  containers",
        "             4  with a time to live",
        "           353  bytes of data",
        "             2  sessions",
        "           256  /a/bin",
        "            11  /",
        "           286  /a",
        "            34  /",
        "             3  13  0x100007936dd0000  300000 ms",
    ] {
        assert!(said.out.lines().any(|found| found == line), "{line:?} is not in\n{}", said.out);
    }
}

#[test]
fn every_kind_of_damage_is_told_with_file_offset_and_reason() {
    type How = fn(&mut Vec<u8>);
    let ways: [(&str, &str, How, &str); 10] = [
        ("magic", "snapshot.39", |b| b[0] = b'X', "offset 0: it begins with 584b534e"),
        (
            "cut in a node",
            "snapshot.39",
            |b| b.truncate(1000),
            "offset 980: it does not end with a seal",
        ),
        (
            "no seal",
            "snapshot.39",
            |b| b.truncate(b.len() - 13 * 3 - 28),
            "it cannot be read: 8 bytes wanted",
        ),
        (
            "no last seal",
            "snapshot.39",
            |b| b.truncate(b.len() - 13),
            "it does not end with a seal",
        ),
        ("data", "snapshot.39", |b| b[1700] ^= 1, ": the seal at offset"),
        ("digest", "snapshot.39", digest_changed, "the digest in it is"),
        ("gz cut", "snapshot.9.gz", |b| b.truncate(b.len() / 2), "it cannot be unpacked"),
        ("gz changed", "snapshot.9.gz", |b| b[60] ^= 1, "it cannot be unpacked"),
        ("snappy cut", "snapshot.9.snappy", |b| b.truncate(b.len() - 3), "it cannot be unpacked"),
        (
            "snappy head",
            "snapshot.9.snappy",
            |b| b[1] = 0,
            "it cannot be unpacked: not a snappy-java stream",
        ),
    ];
    for (what, name, how, why) in ways {
        let dir = match name {
            "snapshot.9.gz" => "3.9.3/gz",
            "snapshot.9.snappy" => "3.9.3/snappy",
            _ => "3.9.3/plain",
        };
        let place = Place::of(&[dir]);
        place.damage(name, how);
        let file = format!("version-2/{name}");
        let said = place.run(&["snapshot", "verify", &file]);
        assert_eq!(said.code, 1, "{what}: {}", said.out);
        let first = said.out.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{file}: damaged at offset ")), "{what}: {first}");
        assert!(first.contains(why), "{what}: {first}");
        assert!(said.out.contains("could be read, the last one "), "{what}: {}", said.out);
        for args in [&["snapshot", &file][..], &["snapshot", "stats", &file]] {
            let said = place.run(args);
            assert_eq!(said.code, 1, "{what} {args:?}");
            assert!(said.err.contains(why), "{what} {args:?}: {}", said.err);
        }
        let all = place.run(&["snapshot", "verify", "."]);
        assert!(all.out.contains("the newest sound one is ./version-2/snapshot.0"), "{}", all.out);
    }
}

/// The digest block says another number, and the seals vouch for it.
fn digest_changed(bytes: &mut Vec<u8>) {
    let seal = |bytes: &mut Vec<u8>, at: usize| {
        let sum = bytes[..at].iter().fold((1_u64, 0_u64), |(a, b), byte| {
            let a = (a + u64::from(*byte)) % 65_521;
            (a, (b + a) % 65_521)
        });
        bytes[at..at + 8].copy_from_slice(&(sum.1 << 16 | sum.0).to_be_bytes());
    };
    // The tail: digest zxid 8, version 4, digest 8, seal 13, last zxid 8, seal 13.
    let end = bytes.len();
    bytes[end - 13 - 8 - 13 - 1] ^= 1;
    seal(bytes, end - 13 - 8 - 13);
    seal(bytes, end - 13);
}

#[test]
fn two_snapshots_are_compared_and_one_with_its_logs() {
    let place = Place::of(&["3.9.3/plain"]);
    let said = place.run(&["snapshot", "compare", "version-2/snapshot.0", SNAPSHOT]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("+ /a  9 bytes, created by 0x2\n"), "{}", said.out);
    assert!(said.out.contains("~ /  cversion 0 -> 15 by 0x39\n"), "{}", said.out);
    assert!(said.out.ends_with("31 added, 0 removed, 2 changed\n"), "{}", said.out);
    let back = place.run(&["snapshot", "compare", SNAPSHOT, "version-2/snapshot.0"]);
    assert!(back.out.ends_with("0 added, 31 removed, 2 changed\n"), "{}", back.out);
    let same = place.run(&["snapshot", "compare", SNAPSHOT, SNAPSHOT]);
    assert_eq!(same.out, "0 added, 0 removed, 0 changed\n");

    let said = place.run(&["snapshot", "compare", SNAPSHOT, "--logs", "."]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("5 transactions from ./version-2 applied, up to 0x3e\n"));
    assert!(said.out.contains("+ /second  3 bytes, created by 0x3b\n"), "{}", said.out);
    assert!(
        said.out.contains("~ /a  data 9 -> 10 bytes, version 3 -> 4 by 0x3c\n"),
        "{}",
        said.out
    );
    assert!(said.out.ends_with("2 added, 0 removed, 3 changed\n"), "{}", said.out);
}

#[test]
fn a_transaction_that_does_not_fit_the_tree_is_told_by_its_digest() {
    let place = Place::of(&["3.9.3/plain"]);
    // The log of another server with the same zxids.
    let other = bytes("dirs/3.8.0/plain/version-2/log.3a");
    fs::write(place.file("log.3a"), other).expect("it is writable");
    let said = place.run(&["snapshot", "compare", SNAPSHOT, "--logs", "."]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("has another digest than the tree"), "{}", said.err);
}
