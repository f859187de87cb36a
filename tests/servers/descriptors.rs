//! More connections than a server has file descriptors for.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};

use quorate::jute::client::op;

use crate::ensemble::{Client, Ensemble, Plan, Session, path_watch, pipeline_sets, wait_for};

/// What a server may have: far less than [`CROWD`].
const DESCRIPTORS: u32 = 100;
/// Connections of strangers to one port.
const CROWD: usize = 250;

/// Opens connections that say nothing. The kernel takes them, whatever the server does.
fn crowd(address: SocketAddr) -> Vec<TcpStream> {
    let connect = |_| wait_for("a place in the backlog", || TcpStream::connect(address).ok());
    (0..CROWD).map(connect).collect()
}

/// Those that the server has not ended.
fn open_ones(crowd: &[TcpStream]) -> usize {
    let is_open = |mut stream: &TcpStream| {
        stream.set_nonblocking(true).expect("a socket");
        stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    crowd.iter().filter(|stream| is_open(stream)).count()
}

fn plan(plan: Plan) -> Ensemble {
    let settings = ["snapCount=50", "maxClientCnxns=0", "nio.sessionlessCnxnTimeout=600000"];
    let mut ensemble = settings.into_iter().fold(plan, Plan::setting).lay_out();
    for server in &mut ensemble.servers {
        server.start_with_descriptors(DESCRIPTORS / 2, DESCRIPTORS);
    }
    ensemble.wait_until_all_serve();
    ensemble
}

#[test]
fn a_server_without_room_for_more_clients_goes_on_with_those_it_has() {
    let mut alone = plan(Plan::standalone());
    alone
        .server(1)
        .wait_for_words("may have 100 open files, which is room for 44 clients: 4096 or more");
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    let logs = |alone: &Ensemble| {
        let files = alone.server(1).files("data");
        files.iter().filter(|name| name.starts_with("log.")).count()
    };
    let address = alone.server(1).address;
    let strangers = crowd(address);
    wait_for("the end of those who find no room", || {
        (open_ones(&strangers) < DESCRIPTORS as usize).then_some(())
    });
    let before = logs(&alone);
    wait_for("the next logs", || {
        pipeline_sets(&mut client, "/a", 60).expect("it serves those it has");
        (logs(&alone) > before + 2).then_some(())
    });
    assert!(open_ones(&strangers) > 20, "and strangers have had their share, of all descriptors");
    alone.server_mut(1).assert_it_lives();
    drop(strangers);
    let mut late = wait_for("room again", || Client::connect(address, &Session::new(30_000)).ok());
    late.call(op::GET_DATA, &path_watch("/a", false)).expect("it is there");
    alone.server(1).wait_for_words("Too many connections");
}

/// How often one of them became a leader whom a quorum follows.
fn elected(ensemble: &Ensemble, ids: &[i64]) -> usize {
    let of = |id: &i64| ensemble.server(*id).log().matches("a quorum follows: leading").count();
    ids.iter().map(of).sum()
}

#[test]
fn crowds_at_every_port_keep_no_ensemble_from_a_new_leader() {
    let mut three = plan(Plan::voters(&[1, 2, 3]));
    three.client(1).create("/a", "", 0).expect("a new node");
    let leader = three.leader();
    let followers = three.followers();
    let before = elected(&three, &followers);
    let ports =
        followers.iter().flat_map(|id| [three.server(*id).address, three.election_address(*id)]);
    let crowds: Vec<Vec<TcpStream>> = ports.map(crowd).collect();
    wait_for("the end of those who find no room", || {
        let mut open = crowds.iter().map(|crowd| open_ones(crowd));
        open.all(|open| open < DESCRIPTORS as usize).then_some(())
    });
    // One of the others needs a descriptor for its quorum port, and for the log of a new epoch.
    three.server_mut(leader).kill();
    wait_for("a new leader", || {
        followers.iter().for_each(|id| three.server_mut(*id).assert_it_lives());
        (elected(&three, &followers) > before).then_some(())
    });
    drop(crowds);
    three.server_mut(leader).start_with_descriptors(DESCRIPTORS, DESCRIPTORS);
    three.wait_until_all_serve();
    three.client(leader).set("/a", "again").expect("it is there");
}
