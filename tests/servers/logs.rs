//! The log of the program, which strangers write too.

use std::fs;
use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use quorate::jute::client::{AuthPacket, op};

use crate::ensemble::{Client, Failure, Plan, Session, wait_for};

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
