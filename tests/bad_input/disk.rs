//! Damage on the disk: what cannot have been a crash is refused, what can is repaired and told.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quorate::storage::log_format::read_records;

use crate::ensemble::{Ensemble, Plan, Server, content_of, pipeline_sets, read_tree};

/// A standalone server with two logs, both of several transactions; it does not run.
fn two_logs() -> Ensemble {
    let mut alone = Plan::standalone().start();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    pipeline_sets(&mut client, "/a", 20).expect("it is there");
    // Every start begins a new log, and names it in the guard file as the only one in doubt.
    alone.server_mut(1).restart();
    alone.wait_until_all_serve();
    let mut client = alone.client(1);
    client.create("/b", "", 0).expect("a new node");
    client.create("/last", "", 0).expect("a new node");
    alone.server_mut(1).kill();
    alone
}

fn logs(server: &Server) -> Vec<PathBuf> {
    let names = server.files("data").into_iter().filter(|name| name.starts_with("log."));
    let mut logs: Vec<PathBuf> = names.map(|name| server.file("data", &name)).collect();
    logs.sort_by_key(|path| first_zxid(path));
    assert_eq!(logs.len(), 2, "{logs:?}");
    logs
}

fn first_zxid(log: &Path) -> i64 {
    let digits = log.extension().expect("a name such as log.1").to_string_lossy().into_owned();
    i64::from_str_radix(&digits, 16).expect("a name such as log.1")
}

/// Offset and payload length of each record.
fn records(log: &Path) -> Vec<(u64, usize)> {
    let bytes = Bytes::from(fs::read(log).expect("a readable file"));
    let mut records = Vec::new();
    let (_, fault) = read_records(&bytes, |offset, payload| records.push((offset, payload.len())));
    assert_eq!(fault, None, "{} is whole", log.display());
    records
}

fn flip(log: &Path, at: u64) {
    let mut bytes = fs::read(log).expect("a readable file");
    bytes[at as usize] ^= 0x04;
    fs::write(log, bytes).expect("a writable file");
}

fn cut(log: &Path, len: u64) {
    let file = OpenOptions::new().write(true).open(log).expect("a writable file");
    file.set_len(len).expect("a writable file");
}

/// Starts it, and expects it to end. Returns what it said.
#[track_caller]
fn refused(server: &mut Server) -> String {
    let before = server.log().len();
    server.start();
    let status = server.wait_for_its_end();
    assert_eq!(status.code(), Some(1), "ExitCode.UNEXPECTED_ERROR");
    let said = server.log()[before..].to_string();
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_flipped_bit_in_a_durable_record_is_refused_and_nothing_is_deleted() {
    let mut alone = two_logs();
    let server = alone.server_mut(1);
    let older = logs(server).remove(0);
    let all = records(&older);
    let (offset, len) = all[all.len() / 2];
    flip(&older, offset + 12 + len as u64 / 2);

    let before = content_of(&server.data_dir());
    for start in 1..=2 {
        let said = refused(server);
        let file = format!("{} was durable up to offset", older.display());
        let place = format!("its records end at offset {offset}");
        assert!(said.contains(&file) && said.contains(&place), "start {start}:\n{said}");
        let after = content_of(&server.data_dir());
        let names = |files: &[(PathBuf, Vec<u8>)]| -> Vec<PathBuf> {
            files.iter().map(|(path, _)| path.clone()).collect()
        };
        assert_eq!(names(&after), names(&before), "start {start}: a file came or went");
        assert!(after == before, "start {start}: the content of a file has changed");
    }

    // The bit flipped back, all of it is there again.
    flip(&older, offset + 12 + len as u64 / 2);
    server.start();
    alone.wait_until_all_serve();
    let tree = read_tree(alone.server(1).address);
    assert_eq!(tree["/a"].0.as_deref(), Some(&b"19"[..]));
    assert!(tree.contains_key("/last"));
}

#[test]
fn a_record_missing_at_the_end_of_an_older_log_is_refused() {
    let mut alone = two_logs();
    let server = alone.server_mut(1);
    let [older, newest] = logs(server).try_into().expect("two logs");
    let (offset, _) = *records(&older).last().expect("it has records");
    cut(&older, offset);
    let said = refused(server);
    assert!(said.contains(&format!("{} was durable", older.display())), "{said}");
    // Without what the guard file knows, it shows by the next log, which goes on behind it.
    fs::remove_file(server.file("data", "quorate.guard")).expect("it is there");
    let said = refused(server);
    assert!(said.contains(&newest.display().to_string()), "{said}");
    assert!(said.contains("what lies between is missing"), "{said}");
}

#[test]
fn a_torn_tail_is_cut_and_told() {
    for torn in [1, 5, 14] {
        let mut alone = two_logs();
        let server = alone.server_mut(1);
        let newest = logs(server).remove(1);
        // As if the process had died before this record was acknowledged.
        let _ = fs::remove_file(server.file("data", "quorate.floor"));
        let (offset, len) = *records(&newest).last().expect("it has records");
        let end = offset + 12 + len as u64 + 1;
        cut(&newest, end - torn);
        let before = server.log().len();
        server.start();
        alone.wait_until_all_serve();
        let said = alone.server(1).log()[before..].to_string();
        let name = newest.file_name().expect("a file").to_string_lossy().into_owned();
        let told = |line: &&str| line.contains(&name) && line.contains(&format!("offset {offset}"));
        let line = said.lines().find(told);
        assert!(line.is_some_and(|line| line.contains("WARN")), "{torn} bytes:\n{said}");
        let tree = read_tree(alone.server(1).address);
        assert!(tree.contains_key("/b") && !tree.contains_key("/last"), "only the torn one");

        // It goes on from there, and starts again without a complaint.
        alone.client(1).create("/next", "", 0).expect("a new node");
        let before = alone.server(1).log().len();
        alone.server_mut(1).restart();
        alone.wait_until_all_serve();
        let said = alone.server(1).log()[before..].to_string();
        assert!(!said.contains("WARN"), "{said}");
        assert!(read_tree(alone.server(1).address).contains_key("/next"));
    }
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_older_one() {
    let mut alone = Plan::standalone().setting("snapCount=100").start();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    pipeline_sets(&mut client, "/a", 500).expect("it is there");
    let before = read_tree(alone.server(1).address);
    let server = alone.server_mut(1);
    server.kill();
    let mut names = server.files("data");
    names.retain(|name| name.starts_with("snapshot."));
    names.sort_by_key(|name| first_zxid(Path::new(name)));
    let newest = names.pop().expect("several snapshots");
    flip(&server.file("data", &newest), 200);
    server.start();
    alone.wait_until_all_serve();
    assert_eq!(read_tree(alone.server(1).address), before);
    let log = alone.server(1).log();
    assert!(log.contains(&format!("{newest} is skipped")), "{log}");
}
