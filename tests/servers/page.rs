//! The page for an operator: what it is told, and by whom it may be asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::ensemble::{Ensemble, Plan, create_request, wait_for};
use quorate::jute::client::{CreateRequest, op};
use quorate::jute::data::{Acl, Id};

/// CreateMode.EPHEMERAL
const EPHEMERAL: i32 = 1;
/// `bob:secret` in an ACL.   (DigestAuthenticationProvider.generateDigest)
const BOB: &str = "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=";

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Response {
    let mut stream = TcpStream::connect(address).expect("the admin port is open");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(stream, "{method} {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n")
        .expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Response { status: status.expect("a status"), head: head.into(), body: body.into() }
}

fn get(address: SocketAddr, path: &str, headers: &[&str]) -> Response {
    let headers = [&["host: 127.0.0.1"], headers].concat();
    request(address, "GET", path, &headers)
}

fn node(address: SocketAddr, query: &str, headers: &[&str]) -> (u16, Value) {
    let response = get(address, &format!("/page/node?{query}"), headers);
    (response.status, response.json())
}

fn with_tree() -> Ensemble {
    Plan::standalone()
        .setting("admin.enableServer=true")
        .setting("admin.page.tree.enabled=true")
        .start()
}

fn closed_to(path: &str, scheme: &str, id: &str) -> CreateRequest {
    let id = Id { scheme: scheme.into(), id: id.into() };
    CreateRequest {
        path: path.into(),
        data: Some("for one alone".into()),
        acl: Some(vec![Acl { perms: 31, id }]),
        flags: 0,
    }
}

#[test]
fn a_leader_tells_of_its_followers_and_a_follower_of_its_leader() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("admin.enableServer=true").start();
    let glance = |n: usize| get(ensemble.admin(n), "/page/glance", &[]).json();
    let leader = (0..3).find(|n| glance(*n)["role"] == "leading").expect("one leads");
    let follower = usize::from(leader == 0);
    let id_of = |n: usize| ensemble.servers[n].id;
    let state_of = |glance: &Value, id: i64| -> Value {
        let servers = glance["servers"].as_array().expect("a list");
        let server = servers.iter().find(|server| server["id"] == id);
        server.expect("every server is there")["state"].clone()
    };
    wait_for("both to follow", || {
        let of_leader = glance(leader);
        let others = (0..3).filter(|n| *n != leader);
        others.into_iter().all(|n| state_of(&of_leader, id_of(n)) == "following").then_some(())
    });
    let mut client = ensemble.client(id_of(follower));
    client.call(op::CREATE, &create_request("/a", "", 0)).expect("a new node");
    let of_leader = wait_for("all to have acked what is durable", || {
        let of_leader = glance(leader);
        let servers = of_leader["servers"].as_array().expect("a list");
        let level = servers.iter().filter(|server| server["acked"] == of_leader["durable"]);
        (level.count() == 2 && of_leader["counts"]["txns"] == 2).then_some(of_leader)
    });
    assert_eq!(state_of(&of_leader, id_of(leader)), "itself");
    assert_eq!((&of_leader["serves"], &of_leader["blocks"]), (&true.into(), &json!([])));
    let changes = of_leader["changes"].as_array().expect("a list");
    let whats: Vec<_> = changes.iter().map(|change| change["what"].as_str()).collect();
    assert_eq!(whats[..2], [Some("serves"), Some("elected")], "the newest first");
    let of_follower = glance(follower);
    assert_eq!(state_of(&of_follower, id_of(leader)), "leading");
    assert!(of_follower["leader_heard_ms"].is_u64(), "{of_follower}");

    let gone = (0..3).find(|n| *n != leader && *n != follower).expect("there are three");
    let (gone_id, on, other) = (id_of(gone), ensemble.admin(leader), ensemble.admin(follower));
    ensemble.servers[gone].kill();
    let blocks = wait_for("the alarm", || {
        let glance = get(on, "/page/glance", &[]).json();
        glance["blocks"].as_array().filter(|blocks| !blocks.is_empty()).cloned()
    });
    assert_eq!((&blocks[0]["level"], &blocks[0]["id"]), (&"alarm".into(), &"voter_absent".into()));
    assert!(blocks[0]["what"].to_string().contains(&format!("server {gone_id} ")), "{blocks:?}");
    ensemble.servers[leader].kill();
    let glance = wait_for("the end of the quorum", || {
        let glance = get(other, "/page/glance", &[]).json();
        (glance["serves"] == false).then_some(glance)
    });
    let ended = glance["changes"].as_array().expect("a list").iter().find(|c| c["what"] == "ended");
    assert_eq!(ended.expect("its role has ended")["role"], "following");
}

#[test]
fn the_last_hour_grows_by_itself() {
    let ensemble = Plan::standalone().setting("admin.enableServer=true").start();
    let mut client = ensemble.client(1);
    client.call(op::CREATE, &create_request("/a", "", 0)).expect("a new node");
    let history = || get(ensemble.admin(0), "/page/history", &[]).json();
    let columns = wait_for("an interval", || {
        let columns = history()["columns"].clone();
        (columns["at_ms"] != json!([])).then_some(columns)
    });
    let at_ms = columns["at_ms"][0].as_i64().expect("a time");
    assert_eq!((&columns["serves"][0], &columns["connections"][0]), (&true.into(), &1.into()));
    assert!(columns["fsync_us"]["max"][0].as_u64() > Some(0), "{columns}");
    let behind = get(ensemble.admin(0), &format!("/page/history?behind={at_ms}"), &[]).json();
    assert!(!behind["columns"]["at_ms"].as_array().expect("a list").contains(&at_ms.into()));
}

#[test]
fn strangers_names_and_other_methods_are_turned_away() {
    let ensemble = Plan::standalone()
        .setting("admin.enableServer=true")
        .setting("admin.page.hosts=status.corp")
        .start();
    let admin = ensemble.admin(0);
    for path in ["/", "/page", "/page/glance", "/page/node", "/page/sessions"] {
        assert_eq!(request(admin, "GET", path, &["host: evil.example"]).status, 421, "{path}");
        assert_eq!(request(admin, "POST", path, &["host: 127.0.0.1"]).status, 405, "{path}");
    }
    let page = request(admin, "GET", "/page", &["host: status.corp:8080"]);
    assert_eq!(page.status, 200);
    for header in ["content-security-policy: default-src 'none'", "x-frame-options: DENY"] {
        assert!(page.head.contains(header), "{}", page.head);
    }
    assert!(!page.head.contains("access-control"), "{}", page.head);
    let root = get(admin, "/", &[]);
    assert_eq!((root.status, root.head.contains("location: page")), (302, true));
    assert_eq!(node(admin, "path=/", &[]).0, 403, "the tree is not shown unless somebody wants it");
    let off = Plan::standalone().setting("admin.enableServer=true");
    let off = off.setting("admin.page.enabled=false").start();
    assert_eq!(get(off.admin(0), "/page", &[]).status, 404);
    assert_eq!(get(off.admin(0), "/commands/ruok", &[]).status, 200);
}

#[test]
fn a_node_is_shown_to_whoever_may_read_it() {
    let ensemble = with_tree();
    let admin = ensemble.admin(0);
    let mut client = ensemble.client(1);
    client.call(op::CREATE, &create_request("/open", "{}", 0)).expect("a new node");
    let closed = closed_to("/closed", "digest", BOB);
    client.call(op::CREATE, &closed).expect("a new node");
    let (status, open) = node(admin, "path=%2Fopen", &[]);
    assert_eq!((status, &open["data"]), (200, &json!({ "offset": 0, "base64": "e30=" })));
    assert_eq!(open["acl"], json!([{ "perms": "cdrwa", "scheme": "world", "id": "anyone" }]));
    assert_eq!(open["stat"]["version"], 0);
    let (status, shut) = node(admin, "path=/closed", &[]);
    assert_eq!(status, 200);
    for what in ["stat", "data", "children", "acl"] {
        assert_eq!(shut[what], Value::Null, "{what}");
    }
    let bob = "authorization: digest bob:secret";
    let (_, seen) = node(admin, "path=/closed", &[bob]);
    assert_eq!(seen["data"]["base64"], "Zm9yIG9uZSBhbG9uZQ==");
    assert_eq!(
        node(admin, "path=/closed", &["authorization: digest bob:wrong"]).1["data"],
        Value::Null
    );
    assert_eq!(node(admin, "path=/closed", &["authorization: nosuch x"]).0, 401);
    assert_eq!(seen["acl"][0]["id"], BOB, "whoever may administer it sees the digest");
    let mut half = closed_to("/half", "digest", BOB);
    let anyone = Id { scheme: "world".into(), id: "anyone".into() };
    half.acl.as_mut().expect("one").push(Acl { perms: 1, id: anyone });
    client.call(op::CREATE, &half).expect("a new node");
    let (_, half) = node(admin, "path=/half", &[]);
    assert_eq!(half["acl"][0], json!({ "perms": "cdrwa", "scheme": "digest", "id": "bob:x" }));
    assert_eq!(node(admin, "path=/none", &[]).0, 404);
    assert_eq!(get(admin, "/page/node?path=none", &[]).status, 400);
    let (_, root) = node(admin, "path=/", &[]);
    let children = root["children"].as_array().expect("a list");
    let closed =
        children.iter().find(|child| child["name"] == "closed").expect("its name is no secret");
    assert_eq!(closed["bytes"], Value::Null, "and all else is");
}

#[test]
fn who_proves_nothing_sees_nothing_where_clients_have_to_prove_who_they_are() {
    let ensemble = Plan::standalone()
        .setting("admin.enableServer=true")
        .setting("admin.page.tree.enabled=true")
        .setting("enforce.auth.enabled=true")
        .setting("enforce.auth.schemes=digest")
        .start();
    let admin = ensemble.admin(0);
    assert_eq!(node(admin, "path=/", &[]).0, 401);
    assert_eq!(node(admin, "path=/", &["authorization: digest bob:secret"]).0, 200);
}

#[test]
fn children_and_data_come_a_piece_at_a_time_and_not_too_often() {
    let ensemble = with_tree();
    let admin = ensemble.admin(0);
    let mut client = ensemble.client(1);
    client.call(op::CREATE, &create_request("/many", &"x".repeat(100_000), 0)).expect("a node");
    for n in 0..150 {
        let path = format!("/many/n{n:03}");
        client.call(op::CREATE, &create_request(&path, "", 0)).expect("a node");
    }
    let names = |node: &Value| -> Vec<String> {
        let children = node["children"].as_array().expect("a list");
        children.iter().map(|child| child["name"].as_str().expect("a name").into()).collect()
    };
    let (_, first) = node(admin, "path=/many", &[]);
    assert_eq!((names(&first).len(), &first["more_children"]), (100, &true.into()));
    let (_, rest) = node(admin, "path=/many&behind=n099&offset=65536", &[]);
    assert_eq!((names(&rest).len(), names(&rest)[0].as_str()), (50, "n100"));
    assert_eq!(rest["more_children"], false);
    let piece = |node: &Value| node["data"]["base64"].as_str().map(str::len);
    assert_eq!(piece(&first), Some(65_536_usize.div_ceil(3) * 4));
    assert_eq!(piece(&rest), Some((100_000_usize - 65_536).div_ceil(3) * 4));
    let statuses: Vec<u16> = (0..200).map(|_| node(admin, "path=/", &[]).0).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(get(admin, "/page/glance", &[]).status, 200, "that is answered all the same");
}

#[test]
fn sessions_are_listed_with_what_they_own_and_watch() {
    let ensemble = Plan::standalone().setting("admin.enableServer=true").start();
    let admin = ensemble.admin(0);
    let mut client = ensemble.client(1);
    client.call(op::CREATE, &create_request("/mine", "", EPHEMERAL)).expect("a node");
    let watch = crate::ensemble::path_watch("/mine", true);
    client.call(op::GET_DATA, &watch).expect("data");
    client.call(op::GET_CHILDREN, &watch).expect("no children");
    let sessions = get(admin, "/page/sessions", &[]).json();
    assert_eq!((&sessions["total"], &sessions["next"]), (&1.into(), &Value::Null));
    let session = &sessions["sessions"][0];
    assert_eq!(session["ephemerals"], 1);
    let connection = &session["connection"];
    assert_eq!((&connection["data_watches"], &connection["child_watches"]), (&1.into(), &1.into()));
    let id = session["id"].as_str().expect("an id");
    for list in ["ephemerals", "data", "child"] {
        let query = format!("/page/session?id={id}&list={list}");
        let paths = get(admin, &query, &[]).json();
        assert_eq!(paths, json!({ "paths": ["/mine"], "more": false }), "{list}");
        let behind = get(admin, &format!("{query}&behind=%2Fmine"), &[]).json();
        assert_eq!(behind["paths"], json!([]));
    }
    let next = get(admin, "/page/sessions?from=0x7fffffffffffffff", &[]).json();
    assert_eq!(next["sessions"], json!([]));
}
