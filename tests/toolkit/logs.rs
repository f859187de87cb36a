//! `quorate txnlog`, and zkTxnLogToolkit.sh.

use std::fs;

use serde_json::Value;

use crate::golden_files::{bytes, files, number, text};
use crate::place::Place;

const LOG: &str = "version-2/log.3a";

#[test]
fn every_transaction_of_every_golden_log_is_printed_in_its_order() {
    let mut logs = 0;
    for log in files("txnlog") {
        let (file, records) = (text(&log, "file"), log["records"].as_array().expect("a list"));
        // One with a record that no server reads has a test of its own.
        if file.contains("check-alone") {
            continue;
        }
        let (dir, name) =
            file.trim_start_matches("dirs/").split_once("/version-2/").expect("a log");
        let place = Place::of(&[dir]);
        let said = place.run(&["txnlog", &format!("version-2/{name}"), "--json"]);
        let lines: Vec<Value> =
            said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let txns: Vec<&Value> = lines.iter().filter(|line| line["zxid"].is_string()).collect();
        let place_of = |line: &Value, key| (line["zxid"].clone(), number(line, key));
        let printed: Vec<_> = txns.iter().map(|line| place_of(line, "offset")).collect();
        let stored: Vec<_> = records.iter().map(|record| place_of(record, "o")).collect();
        // The index ends where a server stops; we go on behind the damage.
        let behind = printed.get(stored.len()..).expect("no fewer");
        assert_eq!(printed[..stored.len()], stored, "{file}");
        assert_eq!(behind.is_empty(), !file.contains("flipped"), "{file}");
        assert_eq!(said.code, i32::from(lines.len() > txns.len()), "{file}");
        logs += 1;
    }
    assert!(logs > 20, "{logs} logs");
}

#[test]
fn the_lines_of_apaches_tool_come_byte_by_byte() {
    for version in ["3.8.0", "3.9.3"] {
        for name in ["plain-log.1", "plain-log.3a", "flipped-first-log.3a", "torn-log.3a"] {
            let (dir, file) = name.split_once("-log.").expect("a directory and a log");
            let place = match dir {
                "flipped-first" => flipped_in_a_session_id(version),
                dir => Place::of(&[&format!("{version}/{dir}")]),
            };
            let args = ["-d", &format!("version-2/log.{file}")];
            let said = place.run_as("zkTxnLogToolkit.sh", &args);
            let golden = bytes(&format!("texts/{version}/toolkit/{name}.txt"));
            // 3.8.0 has another name for it.
            let golden = String::from_utf8_lossy(&golden).replace("createTtl", "createTTL");
            assert_eq!(without_multis(&said.out), without_multis(&golden), "{version} {name}");
            assert_eq!(said.code, 0, "{version} {name}: {}", said.err);
        }
    }
}

/// Both versions print the parts of a multi as raw bytes: we as later ones do.
fn without_multis(text: &str) -> Vec<String> {
    let lines = text.split("\n11/").map(|line| match line.split_once(" multi ") {
        Some((begin, _)) => format!("{begin} multi"),
        None => line.to_owned(),
    });
    lines.collect()
}

#[test]
fn the_parts_of_a_multi_are_readable() {
    let place = Place::of(&["3.9.3/plain"]);
    let said = place.run(&["txnlog", ".", "--zxid", "0x29..0x2a"]);
    let parts: Vec<&str> = said
        .out
        .lines()
        .filter_map(|line| line.split_once(" multi "))
        .map(|(_, parts)| parts)
        .collect();
    let open = "[31,s{'world,'anyone}]";
    assert!(parts[0].starts_with(&format!("create:/m,m,{open},false,11;create2:/m/s-0000000000,")));
    assert!(parts[0].ends_with(&format!(
        "setData:/m,m2,1;check:/m,2;create:/m/gone,,{open},false,5;delete:/m/gone"
    )));
    assert_eq!(parts[1], format!("create:/m3,,{open},false,12;error:-101;error:-2"));
}

/// A record that reads well, and whose checksum is wrong.
fn flipped_in_a_session_id(version: &str) -> Place {
    let place = Place::of(&[&format!("{version}/plain")]);
    // The second record's session id.
    place.damage("log.3a", |bytes| bytes[77 + 12] ^= 1);
    place
}

#[test]
fn what_is_filtered_is_what_was_asked_for() {
    let place = Place::of(&["3.9.3/plain"]);
    let zxids = |args: &[&str]| -> Vec<String> {
        let said = place.run(&[&["txnlog", ".", "--json"], args].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        let zxid = |line: &str| -> String {
            let line: Value = serde_json::from_str(line).expect("JSON");
            text(&line, "zxid").to_owned()
        };
        said.out.lines().map(zxid).collect()
    };
    assert_eq!(zxids(&["--path", "/acl/set"]), ["0x19", "0x1a", "0x1b"]);
    assert_eq!(zxids(&["--path", "/del", "--subtree"]), ["0x1f", "0x20", "0x22", "0x23"]);
    assert_eq!(zxids(&["--path", "/m/gone"]), ["0x29"], "a part of a multi");
    assert_eq!(zxids(&["--path", "/x-eph"]), ["0x35", "0x37"], "a session that ends");
    assert_eq!(zxids(&["--zxid", "0x39..0x3b"]), ["0x39", "0x3a", "0x3b"]);
    assert_eq!(zxids(&["--zxid", "..2"]), ["0x1", "0x2"]);
    assert_eq!(zxids(&["--session", "0x100007936dd0002"]), ["0x38", "0x39"]);
    let (since, until) = ("2026-11-21T11:25:58.000Z", "2026-11-21T11:25:59.058Z");
    let between = zxids(&["--since", since, "--until", until]);
    assert_eq!(between, ["0x34", "0x35", "0x36", "0x37", "0x38", "0x39", "0x3a", "0x3b"]);
    assert_eq!(zxids(&["--path", "/a", "--zxid", "0x1d..0x30"]), ["0x1d", "0x1e"]);
    assert_eq!(place.run(&["txnlog", ".", "--since", "today"]).code, 2);
}

/// Offsets of the records of 3.9.3/plain's log.3a: 0x3a to 0x3e.
const RECORDS: [usize; 5] = [16, 77, 184, 265, 326];

/// Each way to damage a log: what is said, and how many transactions stand in front.
fn damages() -> Vec<(&'static str, Place, &'static str, usize, &'static str)> {
    type How = fn(&mut Vec<u8>);
    let ways: [(&str, How, &str, usize, &str); 10] = [
        (
            "a record cut",
            |b| b.truncate(200),
            "offset 184: the file ends inside a record",
            2,
            "0x3b",
        ),
        ("a head cut", |b| b.truncate(190), "offset 184: the file ends inside a record", 2, "0x3b"),
        ("a checksum", |b| b[184 + 7] ^= 1, "offset 184: a record's checksum is", 2, "0x3b"),
        ("a payload", |b| b[184 + 60] ^= 1, "offset 184: a record's checksum is", 2, "0x3b"),
        (
            "an end mark",
            |b| b[264] = 0,
            "offset 184: a record lacks its end mark; the next whole record stands at offset 265",
            2,
            "0x3b",
        ),
        (
            "a length",
            |b| b[184 + 8] = 0x7f,
            "offset 184: a record claims a length of 2130706",
            2,
            "0x3b",
        ),
        (
            "a length below zero",
            |b| b[184 + 8] = 0xff,
            "offset 184: a record claims a length of -1677",
            2,
            "0x3b",
        ),
        (
            "no length",
            |b| b[184 + 8..184 + 12].fill(0),
            "offset 184: a record has a checksum but no length; the next",
            2,
            "0x3b",
        ),
        (
            "zeros inside",
            |b| b[184..265].fill(0),
            "offset 184: zeros; the next whole record stands at offset 265",
            2,
            "0x3b",
        ),
        (
            "a hole",
            |b| drop(b.drain(184..265)),
            "offset 184: transaction 0x3d follows 0x3b: what lies between is missing",
            2,
            "0x3b",
        ),
    ];
    let damaged = ways.map(|(what, how, why, good, last)| {
        let place = Place::of(&["3.9.3/plain"]);
        place.damage("log.3a", how);
        (what, place, why, good, last)
    });
    damaged.into_iter().collect()
}

#[test]
fn every_kind_of_damage_is_told_with_file_offset_and_what_can_be_saved() {
    for (what, place, why, good, last) in damages() {
        let said = place.run(&["txnlog", "verify", LOG]);
        assert_eq!(said.code, 1, "{what}: {}", said.out);
        let first = said.out.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{LOG}: damaged at {why}")), "{what}: {first}");
        let saved = format!("{LOG}: good up to {last}: {good} transactions; behind the damage: ");
        assert!(said.out.contains(&saved), "{what}: {}", said.out);

        let printed = place.run(&["txnlog", LOG]);
        assert_eq!(printed.code, 1, "{what}");
        let told = format!("{LOG} is damaged at {why}");
        assert!(printed.err.starts_with(&told), "{what}: {}", printed.err);

        let said = place.run(&["txnlog", "recover", LOG, "--output", "saved"]);
        assert_eq!(said.code, 0, "{what}: {}", said.err);
        assert!(said.out.contains(&format!("saved: {good} transactions")), "{what}: {}", said.out);
        let saved = fs::read(place.path("saved")).expect("it was written");
        let whole = bytes("dirs/3.9.3/plain/version-2/log.3a");
        assert_eq!(saved, whole[..RECORDS[good]], "{what}");
        let again = place.run(&["txnlog", "recover", LOG, "--output", "saved"]);
        assert_eq!(again.code, 2, "nothing is written over");
        assert_eq!(place.run(&["txnlog", "verify", "saved"]).code, 0, "{what}");
    }
}

#[test]
fn a_tail_that_a_crash_tore_and_one_behind_zeros_are_told_apart() {
    let place = Place::of(&["3.9.3/plain"]);
    place.damage("log.3a", |bytes| bytes.truncate(400));
    let said = place.run(&["txnlog", "verify", LOG]);
    assert!(said.out.contains("offset 326: the file ends inside a record; nothing that is whole"));
    assert!(said.out.contains("good up to 0x3d: 4 transactions; behind the damage: 0 more"));
    // Space that is written ahead is no damage.
    assert_eq!(place.run(&["txnlog", "verify", "version-2/log.1"]).code, 0);
}

#[test]
fn a_log_that_was_never_written_is_sound_and_what_is_none_is_not() {
    let place = Place::of(&["3.9.3/plain"]);
    for content in [vec![], b"ZKLG\0\0\0\x02".to_vec(), vec![0; 65_536]] {
        fs::write(place.file("log.200"), content).expect("a writable directory");
        let said = place.run(&["txnlog", "verify", "version-2/log.200"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        assert!(said.out.contains("sound: nothing was ever written to it"), "{}", said.out);
    }
    let said = place.run(&["txnlog", "verify", "version-2/snapshot.0"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("damaged at offset 0: it does not begin as a transaction log does"));
    let said = place.run_as("zkTxnLogToolkit.sh", &["version-2/snapshot.0"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("Invalid magic number for snapshot.0"), "{}", said.err);
    let said = place.run(&["txnlog", "nothing"]);
    assert_eq!(said.code, 2);
}

#[test]
fn checksums_are_fixed_if_that_is_asked_for() {
    let place = flipped_in_a_session_id("3.9.3");
    let args = ["txnlog", "recover", LOG, "--fix-checksums", "-o", "fixed"];
    let said = place.run(&args);
    assert_eq!(said.out, "fixed: 5 transactions, the last one 0x3e; 1 checksum fixed\n");
    assert_eq!(place.run(&["txnlog", "verify", "fixed"]).code, 0);

    let said = place.run_as("zkTxnLogToolkit.sh", &["-r", "-y", LOG]);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[1].starts_with("CRC FIXED - 11/21/26, 11:25:59 AM UTC session 0x"), "{lines:?}");
    assert_eq!(lines[3], "EOF reached after 5 txns.");
    let written = "Recovery file version-2/log.3a.fixed has been written with 1 fixed CRC error(s)";
    assert_eq!(lines[4], written);
    let fixed = fs::read(place.file("log.3a.fixed")).expect("it was written");
    assert_eq!(fixed, fs::read(place.path("fixed")).expect("it was written"));
    let said = place.run_as("zkTxnLogToolkit.sh", &["-r", "-y", LOG]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("already exists or not writable"), "{}", said.err);
}

#[test]
fn a_chopped_log_ends_with_the_transaction_that_was_named() {
    let place = Place::of(&["3.9.3/plain"]);
    let said = place.run(&["txnlog", "chop", LOG, "--zxid", "0x3c", "--output", "short"]);
    assert_eq!(said.out, "short: 3 transactions, the last one 0x3c\n");
    let whole = bytes("dirs/3.9.3/plain/version-2/log.3a");
    assert_eq!(fs::read(place.path("short")).expect("it was written"), whole[..RECORDS[3]]);
    let said = place.run_as("zkTxnLogToolkit.sh", &["-c", "-z", "0x3c", LOG]);
    assert!(said.out.ends_with("Chopping at 3c new log has 3 records\n"), "{}", said.out);
    assert_eq!(fs::read(place.file("log.3a.chopped60")).expect("one"), whole[..RECORDS[3]]);
    for (zxid, why) in [("0x3e", "is its last transaction"), ("0x99", "it ends before 0x99")] {
        let said = place.run(&["txnlog", "chop", LOG, "-z", zxid, "-o", "none"]);
        assert_eq!(said.code, 1);
        assert!(said.err.contains(why), "{}", said.err);
        assert!(!place.path("none").exists(), "nothing is left of it");
    }
    let said = place.run_as("zkTxnLogToolkit.sh", &["-c", "-z", "0x99", LOG]);
    assert!(
        said.out.ends_with("EOF reached after 5 txns.\nGot exception: Failed to chop log.3a\n")
    );
}

#[test]
fn a_record_of_a_type_that_no_server_reads_is_told_and_passed() {
    let place = Place::of(&["3.8.0/check-alone"]);
    let said = place.run(&["txnlog", "verify", "version-2/log.1"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("a record is no transaction: transaction type 13 is not known"));
}
