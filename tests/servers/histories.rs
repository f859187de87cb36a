//! Several clients write many requests at a time while servers are killed or stand still.
//!
//! What survives of the writes of one connection is their beginning: all that were acknowledged,
//! perhaps some more, and none behind one that is missing. That is what clients build on when
//! they send a second write before the first is acknowledged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use quorate::jute::client::{code, op};

use crate::ensemble::{Client, Ensemble, Failure, Plan, Session, create_request, wait_for};

const ROUNDS: usize = 3;
/// Writes on their way at once.
const DEPTH: usize = 10;
/// Between two batches of a writer: keeps the tree small enough to be compared.
const PAUSE: Duration = Duration::from_millis(5);
/// Batches acknowledged, over all writers, before something happens.
const BATCHES: usize = 40;

/// Of one writer: how many writes were acknowledged on each of its connections.
type Acked = BTreeMap<usize, usize>;

struct Writers<'a> {
    stop: &'a AtomicBool,
    batches: &'a AtomicUsize,
}

impl Writers<'_> {
    /// Writes until it is told to stop, on as many connections as that takes.
    fn run(&self, writer: usize, at: &[SocketAddr]) -> Acked {
        // A server that stands still must not hold its client for long.
        let session = Session::new(30_000).with_patience(Duration::from_secs(3));
        let mut client = Client::reach(at, &session);
        let mut acked = Acked::new();
        for connection in 0.. {
            let prefix = format!("/p/{writer}-{connection:03}-");
            let (count, lost) = self.write(&mut client, &prefix);
            acked.insert(connection, count);
            if !lost {
                break;
            }
            client = Client::reach(at, &client.drop_connection());
        }
        client.close_session().expect("the ensemble is whole");
        acked
    }

    /// Returns how many writes were acknowledged, and whether the connection was lost.
    fn write(&self, client: &mut Client, prefix: &str) -> (usize, bool) {
        let (mut sent, mut acked) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            for _ in 0..DEPTH {
                let node = create_request(&format!("{prefix}{sent:06}"), "", 0);
                if client.send(op::CREATE, &node).is_err() {
                    return (acked, true);
                }
                sent += 1;
            }
            while acked < sent {
                let Ok((head, _)) = client.receive() else { return (acked, true) };
                assert_eq!(head.err, code::OK, "{prefix}{acked:06}");
                acked += 1;
            }
            self.batches.fetch_add(1, Ordering::Relaxed);
            thread::sleep(PAUSE);
        }
        (acked, false)
    }
}

/// Lets `happen` happen a few times under the load of one writer a server, and checks what is
/// left when all is over.
fn assert_beginnings_survive(plan: Plan, mut happen: impl FnMut(&mut Ensemble)) {
    let mut ensemble = plan.start();
    ensemble.client(1).create("/p", "", 0).expect("a new node");
    let (stop, batches) = (AtomicBool::new(false), AtomicUsize::new(0));
    let addresses = ensemble.addresses();
    let acked = thread::scope(|scope| {
        let writers = [0, 1, 2].map(|n| {
            let mut order = addresses.clone();
            order.rotate_left(n);
            let writers = Writers { stop: &stop, batches: &batches };
            scope.spawn(move || writers.run(n, &order))
        });
        for _ in 0..ROUNDS {
            let before = batches.load(Ordering::Relaxed);
            wait_for("writes to be acknowledged", || {
                assert!(writers.iter().all(|writer| !writer.is_finished()), "a writer failed");
                (batches.load(Ordering::Relaxed) >= before + BATCHES).then_some(())
            });
            happen(&mut ensemble);
            ensemble.wait_until_all_serve();
        }
        stop.store(true, Ordering::Relaxed);
        writers.map(|writer| writer.join().expect("a writer asserts what holds"))
    });
    assert!(acked.iter().any(|writer| writer.len() > 1), "no connection was lost");
    check(&ensemble, &acked);
}

fn check(ensemble: &Ensemble, acked: &[Acked; 3]) {
    let children = |id| -> Result<Vec<String>, Failure> {
        let mut client = ensemble.client(id);
        client.sync("/")?;
        client.children("/p", false)
    };
    let found = children(1).expect("the ensemble is whole");
    for id in [2, 3] {
        assert_eq!(children(id).as_ref(), Ok(&found), "server {id} and server 1");
    }
    let mut survived: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for name in &found {
        let (connection, number) = name.rsplit_once('-').expect("writer-connection-number");
        let number = number.parse().expect("writer-connection-number");
        survived.entry(connection.into()).or_default().push(number);
    }
    for (writer, connections) in acked.iter().enumerate() {
        for (connection, acked) in connections {
            let name = format!("{writer}-{connection:03}");
            let numbers = survived.remove(&name).unwrap_or_default();
            let beginning: Vec<usize> = (0..numbers.len()).collect();
            assert_eq!(numbers, beginning, "{name}: a write is missing before a later one");
            assert!(numbers.len() >= *acked, "{name}: {acked} acknowledged, {}", numbers.len());
            assert!(numbers.len() <= acked + DEPTH, "{name}: more than was sent");
        }
    }
    assert!(survived.is_empty(), "{survived:?}");
}

#[test]
fn beginnings_survive_kills_of_the_leader() {
    assert_beginnings_survive(Plan::voters(&[1, 2, 3]), |ensemble| {
        let leader = ensemble.leader();
        ensemble.server_mut(leader).kill();
        assert_ne!(ensemble.leader(), leader);
        ensemble.server_mut(leader).start();
    });
}

#[test]
fn beginnings_survive_kills_of_the_whole_ensemble() {
    assert_beginnings_survive(Plan::voters(&[1, 2, 3]).setting("snapCount=100"), |ensemble| {
        for server in &mut ensemble.servers {
            server.kill();
        }
        ensemble.start_all();
    });
}

#[test]
fn beginnings_survive_a_leader_that_stands_still_and_goes_on() {
    // A second without a word, and the others elect.
    let plan = Plan::voters(&[1, 2, 3]).setting("syncLimit=4");
    assert_beginnings_survive(plan, |ensemble| {
        let leader = ensemble.leader();
        ensemble.server_mut(leader).stop();
        assert_ne!(ensemble.leader(), leader);
        ensemble.server_mut(leader).go_on();
        wait_for("the old leader to follow", || {
            (ensemble.server(leader).mode()? == "follower").then_some(())
        });
    });
}

#[test]
fn beginnings_survive_a_follower_that_stands_still_and_goes_on() {
    let plan = Plan::voters(&[1, 2, 3]).setting("syncLimit=4");
    assert_beginnings_survive(plan, |ensemble| {
        let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
        ensemble.server_mut(follower).stop();
        wait_for("the leader to let the follower go", || {
            let mntr = ensemble.server(leader).word("mntr").ok()?;
            mntr.contains("zk_synced_followers\t1\n").then_some(())
        });
        ensemble.server_mut(follower).go_on();
        wait_for("the follower to be synchronised again", || {
            let mntr = ensemble.server(ensemble.leader()).word("mntr").ok()?;
            mntr.contains("zk_synced_followers\t2\n").then_some(())
        });
    });
}
