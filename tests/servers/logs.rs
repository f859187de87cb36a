//! The log of the program, which strangers write too.

use std::fs;
use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use quorate::jute::client::{AuthPacket, op};

use serde_json::Value;

use crate::ensemble::{Client, Failure, Plan, Server, Session, pipeline_sets, wait_for};

fn auth(client: &mut Client, scheme: &str, proof: &str) -> Result<(), Failure> {
    let auth = Some(Bytes::copy_from_slice(proof.as_bytes()));
    let packet = AuthPacket { kind: 0, scheme: scheme.into(), auth };
    client.call(op::AUTH, &packet).map(|_| ())
}

#[test]
fn a_server_whose_log_nobody_reads_goes_on_and_says_later_what_is_missing() {
    let mut alone = Plan::standalone().lay_out();
    let unread = alone.server_mut(1).start_unread();
    alone.wait_until_all_serve();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    for n in 0..3000 {
        client.set("/a", &n.to_string()).expect("the server does not wait for its reader");
    }
    let missing = |line: &str| line.contains("lines of this log are missing here");
    let mut lines = BufReader::new(unread).lines().map(|line| line.expect("text"));
    let written = lines.by_ref().position(|line| missing(&line)).expect("a hole has a line");
    assert!(written > 100, "what was there before the hole is there");
    // Now that it is read, nothing is missing any more.
    client.set("/a", "the last").expect("it serves");
    assert!(lines.next().is_some_and(|line| !missing(&line)));
}

/// The lines of all files of a log, the oldest first.
fn all_lines(server: &Server) -> Vec<String> {
    let numbered = |n: u32| server.home.join(format!("server.log.{n}"));
    let mut text: String =
        (1..100).rev().filter_map(|n| fs::read_to_string(numbered(n)).ok()).collect();
    text.push_str(&server.log());
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_server_in_the_background_begins_new_log_files_and_keeps_some() {
    /// `log.maxSize`, or lines that waited together.
    const BYTES_MAX: u64 = 1 << 20;
    let mut alone = Plan::standalone()
        .setting("log.maxSize=64k")
        .setting("log.maxFiles=3")
        .setting("log.format=json")
        .lay_out();
    alone.server_mut(1).start_in_the_background();
    alone.wait_until_all_serve();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    let server = alone.server(1);
    let file = |n: u32| server.home.join(format!("server.log.{n}"));
    wait_for("three full files", || {
        pipeline_sets(&mut client, "/a", 20).expect("it serves");
        file(3).exists().then_some(())
    });
    // The first of them goes, and the server goes on.
    let oldest = fs::read_to_string(file(3)).expect("it is there");
    wait_for("the next one", || {
        pipeline_sets(&mut client, "/a", 20).expect("it serves");
        (fs::read_to_string(file(3)).ok()? != oldest).then_some(())
    });
    alone.server(1).terminate();
    alone.server_mut(1).wait_for_its_end();
    let server = alone.server(1);
    assert!(!server.home.join("server.log.4").exists());
    for name in ["server.log", "server.log.1", "server.log.2", "server.log.3"] {
        let len = fs::metadata(server.home.join(name)).expect("a file").len();
        assert!(len <= BYTES_MAX, "{name}: {len}");
    }
    for line in all_lines(server) {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for key in ["timestamp", "level", "target", "message"] {
            assert!(event[key].is_string(), "{key}: {line}");
        }
        assert!(event["fields"].is_object(), "{line}");
    }
}

#[test]
fn a_server_that_cannot_begin_a_new_log_file_goes_on_with_the_old_one() {
    let mut alone =
        Plan::standalone().setting("log.maxSize=1k").setting("log.maxFiles=1").lay_out();
    let blocked = alone.server(1).home.join("server.log.1/full");
    fs::create_dir_all(&blocked).expect("a directory");
    alone.server_mut(1).start_in_the_background();
    alone.wait_until_all_serve();
    alone.server(1).wait_for_words("cannot begin a new log file");
    alone.client(1).create("/still-told", "", 0).expect("it serves");
    alone.server(1).wait_for_words("/still-told");
}

#[test]
fn a_log_that_goes_where_it_was_sent_is_not_rotated() {
    let mut alone = Plan::standalone().setting("log.maxSize=1k").lay_out();
    let all = [("RUST_LOG", "trace"), ("QUORATE_TRACE", "1")];
    alone.server_mut(1).start_with_variables_alone(&all);
    alone.wait_until_all_serve();
    wait_for("a long log", || (alone.server(1).log().len() > 2048).then_some(()));
    drop(alone.client(1));
    assert!(!alone.server(1).home.join("server.log.1").exists());
}

#[test]
fn a_start_says_how_much_room_a_disk_should_have() {
    // Three logs of 2 TiB each.
    let mut alone = Plan::standalone().log_dirs().setting("preAllocSize=2147483647").lay_out();
    alone.server_mut(1).start();
    let server = alone.server(1);
    server.wait_for_words("MiB free, and 6291456 MiB are wanted");
    let log = server.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains(" are wanted")).collect();
    assert!(told[0].contains("dataDir (") && told.len() == 1, "both are on one disk: {told:?}");
    alone.wait_until_all_serve();
}

#[test]
fn strangers_neither_forge_lines_nor_fill_the_disk() {
    let alone = Plan::standalone().setting("ensembleAuthName=right").start();
    let forged = "x\n2026-01-01T00:00:00.000000Z ERROR quorate: forged\u{1b}[2J";
    for n in 0..50 {
        let mut client = alone.client(1);
        let proof = forged.to_owned() + &"y".repeat(10_000);
        let scheme = if n % 2 == 0 { "ensemble" } else { forged };
        assert!(auth(&mut client, scheme, &proof).is_err(), "it is no proof");
    }
    // The last of them that is written.
    let server = alone.server(1);
    server.wait_for_words_often("authentication failed", 20);
    server.wait_for_words_often("a client looks for another ensemble", 20);
    let log = server.log();
    let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(count("a client looks for another ensemble"), 20);
    assert_eq!(count("authentication failed"), 20);
    assert!(
        log.lines().all(|line| line.len() < 600 && !line.contains("ERROR quorate: forged\u{1b}"))
    );
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01T00:00:00.000000Z")), "{log}");
}

#[test]
fn no_level_of_the_log_shows_a_secret() {
    let mut alone = Plan::standalone()
        .setting("DigestAuthenticationProvider.superDigest=super:c3VwZXIgc2VjcmV0")
        .lay_out();
    let server = alone.server_mut(1);
    let jaas = server.home.join("jaas.conf");
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
    fs::write(&jaas, format!("Server {{ {module} required user_eve=\"sasl-secret\"; }};\n"))
        .expect("a writable directory");
    let line = format!("java.security.auth.login.config={}\n", jaas.display());
    server.edit_config(|text| text + &line);
    let mut said = server.start_unread();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        said.read_to_string(&mut text).map(|_| text)
    });
    alone.wait_until_all_serve();
    let mut client = alone.client(1);
    auth(&mut client, "digest", "bob:plain-secret").expect("whoever says so is bob");
    client.create("/said", "", 0).expect("a new node");
    let mut nameless = alone.client(1);
    auth(&mut nameless, "digest", "nameless-secret").expect("Apache takes it too");
    assert!(auth(&mut alone.client(1), "no-such-scheme", "other-secret").is_err());
    wait_for("a reply", || Client::connect(alone.server(1).address, &Session::new(30_000)).ok());
    alone.server_mut(1).kill();
    let text = reader.join().expect("it asserts nothing").expect("text");
    assert!(text.contains(r#"path: "/said""#) || text.contains(r#"body: b"...""#), "{text}");
    // The digest of bob:plain-secret goes into an ACL, not into a log.
    for secret in ["plain-secret", "nameless-secret", "other-secret", "sasl-secret", "c3VwZXIg"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
