//! The admin port of servers that run.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use quorate::jute::client::op;

use crate::ensemble::{Ensemble, Plan, create_request, wait_for};

/// CreateMode.EPHEMERAL
const EPHEMERAL: i32 = 1;

/// Status and body of the response to a request that ends its connection.
pub(super) fn request(address: SocketAddr, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the admin port is open");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    write!(stream, "{head}\r\nhost: x\r\nconnection: close\r\n\r\n").expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.into())
}

pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    request(address, &format!("GET {path} HTTP/1.1"))
}

fn command(address: SocketAddr, name: &str) -> Value {
    let (status, body) = get(address, &format!("/commands/{name}"));
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

/// The places of the leader and of another server.
fn leader_and_follower(ensemble: &Ensemble) -> (usize, usize) {
    let leads = |n: &usize| ensemble.servers[*n].mode().as_deref() == Some("leader");
    let leader = (0..ensemble.servers.len()).find(leads).expect("one leads");
    (leader, usize::from(leader == 0))
}

#[test]
fn an_ensemble_says_who_leads_who_is_ready_and_who_may_be_stopped() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("admin.enableServer=true").start();
    let (leader, follower) = leader_and_follower(&ensemble);
    let (leading, following) = (ensemble.admin(leader), ensemble.admin(follower));
    let leader_id = ensemble.servers[leader].id;
    for n in 0..3 {
        let said = command(ensemble.admin(n), "leader");
        assert_eq!(
            (&said["leader_id"], &said["is_leader"]),
            (&leader_id.into(), &(n == leader).into())
        );
        assert_eq!(get(ensemble.admin(n), "/ready"), (200, "serves\n".into()));
        assert_eq!(get(ensemble.admin(n), "/live").0, 200);
    }
    assert_eq!(command(leading, "mntr")["quorum_size"], 3);
    assert!(get(following, "/metrics").1.contains("\nznode_count "));
    assert_eq!(command(leading, "zabstate")["zabstate"], "broadcast");
    let open = command(following, "monitor")["open_file_descriptor_count"].as_u64();
    assert!(open > Some(10), "{open:?}");
    wait_for("both followers to follow", || {
        (command(leading, "monitor")["synced_followers"] == 2).then_some(())
    });
    assert_eq!(get(leading, "/safe-to-stop").0, 200);
    let (status, words) = get(following, "/safe-to-stop");
    assert_eq!(status, 503);
    assert!(words.contains(&format!("ask server {leader_id}")), "{words}");
    let other = ensemble.servers[follower].id;
    assert_eq!(get(leading, &format!("/safe-to-stop?server={other}")).0, 200);

    ensemble.servers[follower].kill();
    wait_for("the leader to miss it", || {
        (command(leading, "monitor")["synced_followers"] == 1).then_some(())
    });
    let third = ensemble.servers.iter().find(|s| s.id != leader_id && s.id != other);
    let third = third.expect("there are three").id;
    assert_eq!(get(leading, &format!("/safe-to-stop?server={third}")).0, 503);
    assert_eq!(get(leading, &format!("/safe-to-stop?server={other}")).0, 200);
}

#[test]
fn what_is_no_question_gets_a_clear_answer_and_the_server_goes_on() {
    let plan = Plan::standalone().setting("admin.enableServer=true");
    let ensemble = plan.setting("admin.idleTimeout=300").start();
    let admin = ensemble.admin(0);
    assert_eq!(get(admin, "/nosuch").0, 404);
    assert!(get(admin, "/commands").1.contains("href=\"/commands/monitor\""));
    assert_eq!(command(admin, "nosuch")["error"], "Unknown command: nosuch");
    assert_eq!(command(admin, "leader")["error"], "server is not initialized");
    assert_eq!(get(admin, "/safe-to-stop").0, 503);
    assert_eq!(get(admin, "/safe-to-stop?server=x").0, 400);
    assert_eq!(request(admin, "TRACE / HTTP/1.1").0, 405);
    let long = "x".repeat(900_000);
    for _ in 0..10 {
        assert!((400..500).contains(&get(admin, &format!("/{long}")).0));
    }
    let mut strangers: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(admin).expect("the backlog has room")).collect();
    for stranger in &mut strangers {
        stranger.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
        assert!(matches!(stranger.read(&mut [0]), Ok(0) | Err(_)), "it is ended");
    }
    assert_eq!(command(admin, "ruok")["error"], Value::Null);
}

#[test]
fn who_holds_connections_and_asks_nothing_keeps_nobody_out() {
    let ensemble = Plan::standalone().setting("admin.enableServer=true").start();
    let admin = ensemble.admin(0);
    let ask = "GET /live HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut asker = TcpStream::connect(admin).expect("the admin port is open");
    let held: Vec<TcpStream> = (0..63)
        .map(|_| {
            let mut stranger = TcpStream::connect(admin).expect("the admin port is open");
            stranger.write_all(b"G").expect("it is taken");
            stranger
        })
        .collect();
    asker.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    asker.write_all(ask.as_bytes()).expect("it is taken");
    assert!(asker.read(&mut [0; 1024]).expect("an answer") > 0);
    for _ in 0..10 {
        assert_eq!(get(admin, "/live").0, 200);
    }
    asker.write_all(ask.as_bytes()).expect("it is taken");
    assert!(
        asker.read(&mut [0; 1024]).expect("an answer") > 0,
        "others have asked nothing for longer"
    );
    drop(held);
}

/// 64 MiB of them may wait: answers of 8 MB here, more than the kernel takes of one. All are asked for at once, and
/// again behind that, before anything is read.
#[test]
fn answers_that_nobody_reads_are_not_piled_up() {
    const NODES: usize = 4_000;
    let plan = Plan::standalone().setting("admin.enableServer=true").setting("maxClientCnxns=0");
    let ensemble = plan.start();
    let admin = ensemble.admin(0);
    let mut owner = ensemble.client(1);
    let name = "x".repeat(2_000);
    for n in 0..NODES {
        let request = create_request(&format!("/{name}{n}"), "", EPHEMERAL);
        owner.send(op::CREATE, &request).expect("it is sent");
        if n % 100 == 99 {
            for _ in 0..100 {
                owner.receive().expect("a new node");
            }
        }
    }
    let ask = |_| {
        let mut stream = TcpStream::connect(admin).expect("the admin port is open");
        let request = "GET /commands/dump HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
        stream.write_all(request.as_bytes()).expect("two requests");
        stream
    };
    let unread: Vec<TcpStream> = (0..20).map(ask).collect();
    wait_for("the bound", || (get(admin, "/commands/ruok").0 == 503).then_some(()));
    let answered = |stream: &TcpStream| {
        let mut head = [0; 12];
        (&*stream).read_exact(&mut head).expect("an answer");
        head == *b"HTTP/1.1 200"
    };
    let long = unread.iter().filter(|stream| answered(stream)).count();
    assert!((1..=9).contains(&long), "{long} answers of 8 MB are made");
    assert_eq!(get(admin, "/live").0, 200, "probes are answered always");
    drop(unread);
    wait_for("room again", || (get(admin, "/commands/ruok").0 == 200).then_some(()));
    assert!(get(admin, "/commands/dump").1.len() > NODES * 2_000);
}
