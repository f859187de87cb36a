//! Four-letter words over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::ensemble::{Plan, Server};

/// The answer when the word arrives in pieces and the client ends its side.
fn slowly(server: &Server, word: &str) -> String {
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    let (first, rest) = word.split_at(2);
    stream.write_all(first.as_bytes()).expect("the server listens");
    thread::yield_now();
    stream.write_all(rest.as_bytes()).expect("the server listens");
    stream.shutdown(std::net::Shutdown::Write).expect("an open socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and an end");
    answer
}

fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name:?} in:\n{text}"))
}

#[test]
fn the_words_of_a_serving_ensemble() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let leader = ensemble.leader();
    let mut client = ensemble.client(leader);
    client.create("/a", "x", 0).expect("a new node");
    client.get("/a", true).expect("it is there");
    ensemble.assert_same_trees();

    for server in &ensemble.servers {
        let word = |word: &str| server.word(word).expect("the server answers");
        assert_eq!(word("ruok"), "imok");
        assert_eq!(slowly(server, "ruok"), "imok");
        assert_eq!(word("isro"), "rw");
        let mode = if server.id == leader { "leader" } else { "follower" };
        let srvr = word("srvr");
        assert!(srvr.starts_with("Zookeeper version: "), "{srvr}");
        assert_eq!(value(&srvr, "Mode: "), mode);
        assert_eq!(value(&srvr, "Node count: "), "6", "/, /zookeeper with two, /a: {srvr}");
        let stat = word("stat");
        let lines = |end: &str| stat.lines().filter(|line| line.contains(end)).count();
        let clients = lines("[1](queued=0,recved=");
        assert_eq!(clients, usize::from(server.id == leader), "{stat}");
        assert_eq!(lines("[0](queued=0,recved=1,sent=0)"), 1, "the asking one: {stat}");
        assert_eq!(value(&stat, "Connections: "), (clients + 1).to_string());
        let mntr = word("mntr");
        assert_eq!(value(&mntr, "zk_server_state\t"), mode);
        assert_eq!(value(&mntr, "zk_quorum_size\t"), "3");
        assert_eq!(value(&mntr, "zk_watch_count\t"), if clients == 1 { "1" } else { "0" });
        assert_eq!(mntr.contains("zk_synced_followers\t2\n"), server.id == leader, "{mntr}");
    }
}

#[test]
fn a_word_that_is_not_whitelisted_says_so() {
    let alone = Plan::standalone().setting("4lw.commands.whitelist=srvr, ruok").start();
    let server = alone.server(1);
    assert_eq!(server.word("ruok").expect("the server answers"), "imok");
    for word in ["stat", "mntr", "dump"] {
        assert_eq!(
            server.word(word).expect("the server answers"),
            format!("{word} is not executed because it is not in the whitelist.\n")
        );
    }
}

#[test]
fn without_a_quorum_the_words_say_that_nobody_is_served() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    ensemble.server_mut(2).start();
    let server = ensemble.server(2);
    let answer = crate::ensemble::wait_for("an answer", || server.word("srvr").ok());
    let refusal = "This ZooKeeper instance is not currently serving requests\n";
    assert_eq!(answer, refusal);
    for word in ["stat", "mntr"] {
        assert_eq!(server.word(word).expect("the server answers"), refusal);
    }
    assert_eq!(server.word("isro").expect("the server answers"), "null");
}
