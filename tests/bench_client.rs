//! `quorate bench` against a real server: what it counts is what it asked, and what the server has.

mod ensemble;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use ensemble::{Plan, read_tree};
use serde_json::Value;

const OPERATIONS: u64 = 600;

fn bench(address: SocketAddr, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.arg("bench").arg(address.to_string()).args(options.split_whitespace());
    command
}

/// The JSON of a run that must end well.
#[track_caller]
fn result_of(address: SocketAddr, options: &str) -> Value {
    let Output { status, stdout, stderr } =
        bench(address, &format!("{options} --json -")).output().expect("the program runs");
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(0), "{options}: {said}");
    serde_json::from_slice(&stdout).expect("JSON on standard output")
}

fn count(result: &Value, op: &str) -> u64 {
    let rows = result["rows"].as_array().expect("a list of rows");
    let row = rows.iter().find(|row| row["op"] == op);
    row.map_or(0, |row| row["count"].as_u64().expect("a count"))
}

#[test]
fn all_that_was_asked_is_counted_once_and_nothing_is_left_behind() {
    let alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let before = read_tree(address);
    let of_load = |op: &str, rows: &[&str]| {
        let options = format!("--op {op} --operations {OPERATIONS} --nodes 40");
        let result = result_of(address, &format!("{options} --connections 4 --outstanding 5"));
        let counts: Vec<u64> = rows.iter().map(|row| count(&result, row)).collect();
        assert_eq!(counts.iter().sum::<u64>(), OPERATIONS, "{op}: {result:#}");
        assert_eq!(result["errors"], serde_json::json!({}), "{op}");
        (result, counts)
    };
    for op in ["get", "set", "create", "exists", "children", "multi"] {
        of_load(op, &[op]);
    }
    let (_, mixed) = of_load("mix --reads 50", &["get", "set"]);
    assert!(mixed.iter().all(|count| *count > 0), "{mixed:?}");
    // A connection may end between the two halves of a pair.
    let (_, pairs) = of_load("delete", &["create", "delete"]);
    assert!((pairs[1]..=pairs[1] + 4).contains(&pairs[0]), "{pairs:?}");
    let (watched, _) = of_load("watch", &["watch", "set"]);
    assert_eq!(count(&watched, "event"), count(&watched, "set"), "an event for each change");
    let (paced, _) = of_load("get --rate 100000", &["get"]);
    assert_eq!(paced["late"], 0);
    let after = read_tree(address);
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

#[test]
fn what_is_kept_is_what_was_asked_for() {
    let alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let options = "--op none --keep --root /kept --nodes 30 --name-bytes 12 --value-bytes 5";
    result_of(address, options);
    let tree = read_tree(address);
    let (value, ..) = &tree["/kept/000000000029"];
    assert_eq!(value.as_ref().map(|value| value.len()), Some(5));
    assert_eq!(tree["/kept"].2.len(), 30);
    // What is there may be used again, and then goes.
    result_of(address, "--op get --operations 10 --root /kept --nodes 30 --name-bytes 12");
    assert!(!read_tree(address).contains_key("/kept"));
}

#[test]
fn a_page_shows_what_the_table_says() {
    let alone = Plan::standalone().start();
    let page = tempfile::NamedTempFile::new().expect("a temporary file");
    let options = format!("--op get --operations 100 --html {}", page.path().display());
    let output = bench(alone.server(1).address, &options).output().expect("the program runs");
    assert!(output.status.success());
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("p99.9") && table.contains("\nget "), "{table}");
    let page = std::fs::read_to_string(page.path()).expect("it was written");
    assert!(page.contains(r#""op":"get","count":100"#) && !page.contains("{{"), "{page}");
    assert!(!page.contains("src=") && !page.contains("href=\"http"), "it needs nothing else");
}

#[test]
fn two_targets_are_compared_round_by_round() {
    let alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let options = format!("--compare {address} {address} --rounds 2 --op get --operations 50");
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.arg("bench").args(options.split_whitespace()).args(["--json", "-", "--quiet"]);
    let output = command.current_dir(alone.server(1).data_dir()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let compared: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(compared["rounds"].as_array().map(Vec::len), Some(2));
    assert!(compared["figures"][0]["ratio"]["median"].as_f64() > Some(0.0));
    assert!(compared["rounds"][0]["a"]["fdatasync_per_s"].as_f64() > Some(0.0));
}

#[test]
fn lost_connections_are_counted_and_end_the_run_with_1() {
    let mut alone = Plan::standalone().start();
    let options = "--op get --connections 3 --seconds 600 --warmup 0";
    let mut command = bench(alone.server(1).address, options);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program runs");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    // The first second of the measurement is over.
    said.read_line(&mut line).expect("a line");
    assert!(line.contains("ops/s"), "{line}");
    alone.server_mut(1).kill();
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("its end");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{rest}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("lost connections: "), "{table}");
    assert!(rest.contains("left behind: /quorate-bench-"), "{rest}");
}
