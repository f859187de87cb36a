//! Command `snapshot` of the admin port.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use quorate::jute::client::{SetAclRequest, op};
use quorate::jute::data::{Acl, Id, perms};

use crate::ensemble::{Ensemble, Plan};

/// Of `bob:pw`.
const BOB: &str = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn ask(address: SocketAddr, path: &str, authorization: &str) -> Response {
    let mut stream = TcpStream::connect(address).expect("the admin port is open");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let lines = match authorization {
        "" => String::new(),
        proof => format!("authorization: {proof}\r\n"),
    };
    write!(stream, "GET {path} HTTP/1.0\r\n{lines}\r\n").expect("a request");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("a response");
    let end = response.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(response[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Response { status, head, body: response[end + 4..].to_vec() }
}

fn error_of(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    body["error"].as_str().unwrap_or_default().to_string()
}

fn only(perms: i32, id: &str) -> Acl {
    Acl { perms, id: Id { scheme: "digest".into(), id: id.into() } }
}

fn guard_root(ensemble: &Ensemble, list: Vec<Acl>) {
    let mut client = ensemble.client(1);
    let request = SetAclRequest { path: "/".into(), acl: Some(list), version: -1 };
    client.call(op::SET_ACL, &request).expect("it is set");
}

#[test]
fn a_snapshot_is_refused_to_who_may_not_do_all_with_the_root() {
    let ensemble = Plan::standalone().setting("admin.enableServer=true").start();
    let admin = ensemble.admin(0);
    // All of the root but one permission: the sum of them once passed for all of them.
    guard_root(&ensemble, vec![only(perms::ALL & !perms::ADMIN, BOB), only(perms::ALL, "al:x=")]);
    let refused = ask(admin, "/commands/snapshot", "");
    assert_eq!((refused.status, error_of(&refused).contains("Authorization")), (401, true));
    assert_eq!(ask(admin, "/commands/snapshot", "nosuch x").status, 401);
    assert_eq!(ask(admin, "/commands/snapshot", "ip").status, 403);
    assert_eq!(ask(admin, "/commands/snapshot", "digest bob:other").status, 403);
    assert_eq!(ask(admin, "/commands/snapshot", "digest bob:pw").status, 403);
}

#[test]
fn the_snapshot_that_is_sent_is_the_file_and_the_last_one() {
    let ensemble = Plan::standalone().setting("admin.enableServer=true").start();
    let admin = ensemble.admin(0);
    let mut client = ensemble.client(1);
    for n in 0..3_000 {
        client.create(&format!("/n{n}"), &"x".repeat(100), 0).expect("a node");
    }
    guard_root(&ensemble, vec![only(perms::ALL, BOB)]);
    let sent = ask(admin, "/commands/snapshot", "digest bob:pw");
    assert_eq!(sent.status, 200, "{}", sent.head);
    let header = |name: &str| {
        let line = sent.head.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or_default().to_string()
    };
    let zxid = header("last_zxid").trim_start_matches("0x").to_string();
    let file = ensemble.server(1).data_dir().join(format!("version-2/snapshot.{zxid}"));
    let on_disk = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(header("snapshot_size"), on_disk.len().to_string());
    assert!(on_disk.len() > 300_000 && on_disk == sent.body, "{} bytes", sent.body.len());

    let last = ask(admin, "/commands/last_snapshot", "");
    let last: Value = serde_json::from_slice(&last.body).expect("JSON");
    assert_eq!(last["zxid"], zxid.as_str());
    assert!(last["timestamp"].as_i64() > Some(1_700_000_000), "{last}");

    let restore = ask(admin, "/commands/restore", "digest bob:pw");
    assert_eq!((restore.status, error_of(&restore).contains("snapshot.LAST_ZXID")), (501, true));
    let mut other = Plan::standalone().lay_out();
    let version_2 = other.server(1).data_dir().join("version-2");
    fs::create_dir_all(&version_2).expect("a directory");
    fs::write(version_2.join(format!("snapshot.{zxid}")), &sent.body).expect("a file");
    other.start_all();
    other.wait_until_all_serve();
    let seen = other.client(1).exists("/n2999", false).expect("an answer");
    assert_eq!(seen, client.exists("/n2999", false).expect("an answer"));

    let soon = ask(admin, "/commands/snapshot?streaming=false", "digest bob:pw");
    assert_eq!((soon.status, error_of(&soon).contains("too soon")), (429, true));
}

#[test]
fn a_snapshot_may_stay_where_it_is_or_be_refused_to_all() {
    let plan = Plan::standalone().setting("admin.enableServer=true");
    let mut ensemble = plan.setting("admin.rateLimiterIntervalInMS=0").start();
    let admin = ensemble.admin(0);
    let kept = ask(admin, "/commands/snapshot?streaming=false", "digest who:ever");
    let fields: Value = serde_json::from_slice(&kept.body).expect("JSON");
    assert_eq!((kept.status, fields["last_zxid"].as_str()), (200, Some("0x0")));
    assert!(ask(admin, "/commands/snapshot", "digest who:ever").body.starts_with(b"ZKSN"));

    // It can be read again.
    let mut client = ensemble.client(1);
    client.create("/a", "", 0).expect("a node");
    assert_eq!(ask(admin, "/commands/snap", "digest who:ever").status, 200);
    client.create("/b", "", 0).expect("a node");
    ensemble.server_mut(1).restart();
    ensemble.wait_until_all_serve();
    assert!(ensemble.client(1).exists("/a", false).expect("an answer").is_some());
    let last = ask(admin, "/commands/lsnp", "");
    let last: Value = serde_json::from_slice(&last.body).expect("JSON");
    assert_eq!(
        (last["zxid"].as_str().unwrap_or_default() != "0", &last["timestamp"]),
        (true, &(-1).into())
    );

    let plan = Plan::standalone().setting("admin.enableServer=true");
    let ensemble = plan.setting("admin.snapshot.enabled=false").start();
    let refused = ask(ensemble.admin(0), "/commands/snapshot", "digest who:ever");
    assert_eq!(
        (refused.status, error_of(&refused)),
        (503, "admin.snapshot.enabled is false".into())
    );
}

#[test]
fn what_is_committed_is_sent_as_it_was_logged() {
    let ensemble = Plan::standalone().setting("admin.enableServer=true").start();
    let (admin, server) = (ensemble.admin(0), ensemble.server(1));
    let mut client = ensemble.client(1);
    // More than what is read at once.
    for n in 0..300 {
        client.create(&format!("/n{n}"), &"x".repeat(1_000), 0).expect("a node");
    }
    assert_eq!(ask(admin, "/commands/txnlog", "digest who:ever").status, 400);
    assert_eq!(ask(admin, "/commands/txnlog?from=0x1", "").status, 401);
    assert_eq!(ask(admin, "/commands/txnlog?from=0x1", "ip").status, 200);

    let sent = ask(admin, "/commands/txnlog?from=0x1", "digest who:ever");
    let last = server.srvr("Zxid").expect("it serves");
    assert!(sent.head.contains(&format!("last_zxid: {last}")), "{}", sent.head);
    let log = fs::read(server.file("data", "log.1")).expect("a readable file");
    assert!(sent.body.len() > 300_000, "{} bytes", sent.body.len());
    assert!(
        sent.body == log[16..16 + sent.body.len()]
            && log[16 + sent.body.len()..].iter().all(|b| *b == 0)
    );
    let end = ask(admin, &format!("/commands/txnlog?from={last}"), "digest who:ever");
    assert!(sent.body.ends_with(&end.body) && (1_000..1_300).contains(&end.body.len()));
    assert!(ask(admin, "/commands/txnlog?from=0xffff", "digest who:ever").body.is_empty());

    fs::remove_file(server.file("data", "log.1")).expect("it is there");
    let gone = ask(admin, "/commands/txnlog?from=0x1", "digest who:ever");
    assert_eq!((gone.status, error_of(&gone).contains("do not reach back to 0x1")), (410, true));
}
