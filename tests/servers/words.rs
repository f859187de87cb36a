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
    for word in ["stat", "mntr", "dump", "srst", "stmk"] {
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

#[test]
fn srvr_is_answered_whatever_the_whitelist_says() {
    let alone = Plan::standalone().setting("4lw.commands.whitelist=ruok").start();
    assert_eq!(alone.server(1).mode().as_deref(), Some("standalone"));
    let quiet = Plan::standalone().setting("4lw.commands.whitelist=").start();
    assert_eq!(quiet.server(1).mode().as_deref(), Some("standalone"));
    let refused = quiet.server(1).word("isro").expect("the server answers");
    assert!(refused.contains("not in the whitelist"), "{refused}");
}

#[test]
fn each_server_shows_its_connections_sessions_and_watches() {
    let ensemble = Plan::voters(&[1, 2, 3]).observer(4).start();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let mut clients = [leader, follower, 4].map(|id| (id, ensemble.client(id)));
    for (id, client) in &mut clients {
        client.create(&format!("/e{id}"), "x", 1).expect("a new ephemeral node");
        client.get(&format!("/e{id}"), true).expect("it is there");
    }
    ensemble.assert_same_trees();

    for (id, _) in &clients {
        let server = ensemble.server(*id);
        let word = |word: &str| server.word(word).expect("the server answers");
        let wchc = word("wchc");
        let session = wchc.lines().next().expect("a session").to_string();
        assert_eq!(wchc, format!("{session}\n\t/e{id}\n\n"));
        assert_eq!(word("wchp"), format!("/e{id}\n\t{session}\n\n"));
        assert_eq!(word("wchs"), "1 connections watching 1 paths\nTotal watches:1\n");

        let cons = word("cons");
        let line = cons.lines().find(|line| line.contains("sid=")).expect("the client");
        assert!(line.contains(&format!("[1](queued=0,recved=3,sent=3,sid={session},lop=GETD,")));
        assert!(line.contains(",to=30000,lcxid=0x"), "{line}");
        assert_eq!(word("crst"), "Connection stats reset.\n");
        let cons = word("cons");
        assert!(cons.contains(&format!("recved=0,sent=0,sid={session},lop=NA,")), "{cons}");

        let dump = word("dump");
        let head = if *id == leader { "Session Sets (" } else { "Global Sessions(3):" };
        assert!(dump.starts_with(&format!("SessionTracker dump:\n{head}")), "{dump}");
        assert!(dump.contains("\nSessions with Ephemerals (3):\n"), "{dump}");
        assert!(dump.contains(&format!("\n{session}:\n\t/e{id}\n")), "{dump}");
        assert!(dump.contains(&format!(" sessionId: {session}\n")), "{dump}");

        assert_eq!(word("srst"), "Server stats reset.\n");
        let srvr = word("srvr");
        assert!(
            srvr.contains("\nReceived: 1\nSent: 1\n"),
            "this word, and the answer before: {srvr}"
        );
    }
}

#[test]
fn a_member_shows_its_configuration_and_what_its_directories_hold() {
    let ensemble = Plan::voters(&[1, 2, 3]).observer(4).log_dirs().start();
    ensemble.client(1).create("/a", "x", 0).expect("a new node");
    ensemble.assert_same_trees();
    let port = |address: std::net::SocketAddr| address.port().to_string();
    let line = |id: i64| {
        let kind = if id == 4 { "observer" } else { "participant" };
        let (quorum, election) = (ensemble.quorum_address(id), ensemble.election_address(id));
        format!("server.{id}=127.0.0.1:{}:{}:{kind}\n", quorum.port(), election.port())
    };
    let membership = (1..=4).map(line).collect::<String>() + "version=0";
    for server in &ensemble.servers {
        let conf = server.word("conf").expect("the server answers");
        let shows = |name: &str, shown: &str| assert_eq!(value(&conf, name), shown, "{conf}");
        shows("clientPort=", &port(server.address));
        shows("secureClientPort=", "-1");
        shows("dataDir=", &server.data_dir().join("version-2").display().to_string());
        shows("dataLogDir=", &server.home.join("log/version-2").display().to_string());
        shows("tickTime=", "250");
        shows("maxSessionTimeout=", "60000");
        shows("serverId=", &server.id.to_string());
        shows("initLimit=", "40");
        shows("electionPort=", &port(ensemble.election_address(server.id)));
        shows("quorumPort=", &port(ensemble.quorum_address(server.id)));
        shows("peerType=", if server.id == 4 { "1" } else { "0" });
        assert!(conf.ends_with(&format!("membership: \n{membership}")), "{conf}");

        let bytes_in = |dir: &str| -> u64 {
            let files = server.files(dir);
            let len =
                |name: &String| server.file(dir, name).metadata().map_or(0, |file| file.len());
            files.iter().map(len).sum()
        };
        let dirs = server.word("dirs").expect("the server answers");
        assert_eq!(value(&dirs, "datadir_size: "), bytes_in("data").to_string());
        assert_ne!(value(&dirs, "logdir_size: "), "0", "{dirs}");
        let envi = server.word("envi").expect("the server answers");
        assert_ne!(value(&envi, "host.name="), "<NA>", "{envi}");
        assert!(value(&envi, "os.memory.total=").ends_with("MB"), "{envi}");
    }
}

#[test]
fn the_trace_mask_is_kept() {
    let alone = Plan::standalone().start();
    let server = alone.server(1);
    assert_eq!(server.word("gtmk").expect("the server answers"), "306");
    let word = "stmk\0\0\0\0\0\0\u{1}\u{2}";
    assert_eq!(server.word(word).expect("the server answers"), "258");
    assert_eq!(server.word("gtmk").expect("the server answers"), "258");
}

#[test]
fn servers_that_have_come_equally_far_show_the_same_digests() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut client = ensemble.client(ensemble.leader());
    for n in 0..300 {
        client.create(&format!("/n{n}"), "x", 0).expect("a new node");
    }
    ensemble.assert_same_trees();
    let hashes = ensemble.servers.iter().map(|server| server.word("hash"));
    let hashes: Vec<String> = hashes.map(|hash| hash.expect("the server answers")).collect();
    assert_eq!(hashes[0].lines().count(), 2, "{hashes:?}");
    assert!(hashes[0].starts_with("100000080: "), "{hashes:?}");
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}
