//! Clients that ask for more than their share.

use std::io::{Read, Write};
use std::net::TcpStream;

use quorate::jute::client::{code, op};

use crate::ensemble::{
    Client, Ensemble, Failure, Plan, Session, path_watch, set_request, wait_for,
};

fn try_connect(alone: &Ensemble) -> Result<Client, Failure> {
    Client::connect(alone.server(1).address, &Session::new(30_000))
}

#[test]
fn connections_beyond_max_client_cnxns_are_closed_until_one_ends() {
    let alone = Plan::standalone().setting("maxClientCnxns=3").start();
    let mut clients: Vec<Client> =
        (0..3).map(|_| wait_for("a connection", || try_connect(&alone).ok())).collect();
    assert!(matches!(try_connect(&alone), Err(Failure::Lost(_))));
    clients[0].ping().expect("those that are there stay");
    clients.pop();
    clients.push(wait_for("the place of the one that left", || try_connect(&alone).ok()));
    clients[2].ping().expect("it has taken it");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let alone = Plan::standalone().setting("nio.sessionlessCnxnTimeout=100").start();
    let mut silent = TcpStream::connect(alone.server(1).address).expect("it listens");
    let mut half = TcpStream::connect(alone.server(1).address).expect("it listens");
    half.write_all(&[0, 0, 0, 44, 0]).expect("it is open");
    for stream in [&mut silent, &mut half] {
        assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
}

#[test]
fn beyond_the_outstanding_limit_and_in_the_throttlers_queue_every_request_has_its_turn() {
    for limit in ["globalOutstandingLimit=1", "request_throttle_max_requests=2"] {
        let alone = Plan::standalone().setting(limit).start();
        let mut clients: Vec<Client> = (0..3).map(|_| alone.client(1)).collect();
        let mut sent = vec![Vec::new(); clients.len()];
        clients[0].create("/a", "", 0).expect("a new node");
        for _ in 0..200 {
            for (client, sent) in clients.iter_mut().zip(&mut sent) {
                sent.push(client.send(op::SET_DATA, &set_request("/a", "x")).expect("open"));
                sent.push(client.send(op::GET_DATA, &path_watch("/a", false)).expect("open"));
            }
        }
        for (client, sent) in clients.iter_mut().zip(sent) {
            for xid in sent {
                let (header, _) = client.receive().expect("a reply");
                assert_eq!((header.xid, header.err), (xid, code::OK), "{limit}");
            }
        }
        let (_, stat) = clients[0].get("/a", false).expect("it is there");
        assert_eq!(stat.version, 600);
    }
}

#[test]
fn a_client_that_reads_late_gets_everything_and_costs_no_memory_meanwhile() {
    const READS: usize = 500;
    let alone = Plan::standalone().start();
    let mut client = alone.client(1);
    client.create("/big", &"x".repeat(900_000), 0).expect("a new node");
    let mut late = alone.client(1);
    let sent: Vec<i32> = (0..READS)
        .map(|_| late.send(op::GET_DATA, &path_watch("/big", false)).expect("open"))
        .collect();
    // More than the server may hold for one connection, if it held all of it.
    client.sync("/").expect("others are served");
    wait_for("the server to have read the requests", || {
        let received: u64 = alone.server(1).srvr("Received")?.parse().ok()?;
        (received > READS as u64).then_some(())
    });
    let resident = alone.server(1).resident_bytes();
    assert!(resident < 200 << 20, "{resident} bytes");
    for xid in sent {
        let (header, body) = late.receive().expect("a reply");
        assert_eq!((header.xid, header.err), (xid, code::OK));
        assert!(body.remaining() > 900_000);
    }
}

#[test]
fn a_raised_jute_maxbuffer_holds_for_clients_peers_and_disks() {
    let mut three = Plan::voters(&[1, 2, 3]).setting("jute.maxbuffer=0x800000").start();
    let follower = three.followers()[0];
    let big = "x".repeat(7 << 20);
    let mut client = three.client(follower);
    client.create("/big", &big, 0).expect("it is below the limit");
    client.sync("/").expect("a reply");
    assert!(matches!(client.create("/more", &"x".repeat(9 << 20), 0), Err(Failure::Lost(_)),));
    // One learns it from the leader's log or snapshot, all of them from their disks.
    three.server_mut(follower).kill();
    three.server(follower).wipe();
    three.server_mut(follower).start();
    three.wait_until_all_serve();
    for id in [1, 2, 3] {
        three.server_mut(id).restart();
    }
    three.wait_until_all_serve();
    for id in [1, 2, 3] {
        let mut client = three.client(id);
        client.sync("/").expect("a reply");
        let (data, _) = client.get("/big", false).expect("it is there");
        assert!(data == big, "server {id}: {} bytes", data.len());
    }
}

#[test]
fn quotas_hold_at_every_server_and_after_restarts() {
    let mut three = Plan::voters(&[1, 2, 3]).setting("enforceQuota=true").start();
    let mut client = three.client(1);
    client.create("/a", "four", 0).expect("a new node");
    client.create("/zookeeper/quota/a", "", 0).expect("a new node");
    let limits = "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3";
    client.create("/zookeeper/quota/a/zookeeper_limits", limits, 0).expect("a new node");
    client.create("/zookeeper/quota/a/zookeeper_stats", "", 0).expect("a new node");
    client.create("/a/x", "22", 0).expect("there is room");
    let exceeded = Err(Failure::Code(code::QUOTA_EXCEEDED));
    for round in 0..2 {
        for id in [1, 2, 3] {
            let mut client = three.client(id);
            client.sync("/").expect("a reply");
            let (stats, stat) =
                client.get("/zookeeper/quota/a/zookeeper_stats", false).expect("it is there");
            assert_eq!((&*stats, stat.version), ("count=2,bytes=6", 0), "{id}, round {round}");
            assert_eq!(client.create("/a/y", "55555", 0), exceeded);
            assert_eq!(client.set("/a/x", "7777777").map(|_| String::new()), exceeded);
        }
        for id in [1, 2, 3] {
            three.server_mut(id).restart();
        }
        three.wait_until_all_serve();
    }
    three.assert_same_trees();
}
