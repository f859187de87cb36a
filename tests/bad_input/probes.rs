//! Probes at the ports between servers, as load balancers and port scanners make them, while the
//! ensemble elects: none of them keeps a new leader from serving.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::peers::{handshake, packet};
use crate::ensemble::{Client, Ensemble, Plan, Session, wait_for};

/// Connections that stay open at each port without a byte.
const IDLE: usize = 40;
/// Rounds of probes that reach a port before the test goes on.
const ROUNDS: usize = 5;
/// Between two rounds: the servers need the machine too.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a connect may take: what only a hung server reaches.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// What the probes say, each on a connection of its own.
fn probes() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"GET /health HTTP/1.1\r\nHost: server\r\n\r\n".to_vec(),
        noise(300),
        // 2 GiB, for whoever reads a length first: of all, of an address, of a notification, of data.
        i32::MAX.to_be_bytes().to_vec(),
        [&handshake(77)[..16], &i32::MAX.to_be_bytes()].concat(),
        [handshake(77), i32::MAX.to_be_bytes().to_vec()].concat(),
        packet(11, i32::MAX, b""),
        // Ids that no server of the ensemble has.
        handshake(77),
        handshake(-5),
    ]
}

/// Bytes without a meaning, the same ones each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Probes that go on until they are told to stop.
struct Probing {
    ports: Vec<SocketAddr>,
    stop: AtomicBool,
    /// Rounds in which a port took every probe.
    rounds: Mutex<BTreeMap<SocketAddr, usize>>,
}

impl Probing {
    fn of(ensemble: &Ensemble) -> Probing {
        let ports = [1, 2, 3]
            .iter()
            .flat_map(|id| [ensemble.election_address(*id), ensemble.quorum_address(*id)]);
        let (stop, rounds) = (AtomicBool::new(false), Mutex::default());
        Probing { ports: ports.collect(), stop, rounds }
    }

    fn run(&self) {
        let mut idle: BTreeMap<SocketAddr, VecDeque<TcpStream>> = BTreeMap::new();
        while !self.stop.load(Ordering::Relaxed) {
            let mut open = Vec::new();
            for port in &self.ports {
                // Nobody listens at the quorum port of a follower, or at any of who is down.
                let Ok(new) = TcpStream::connect_timeout(port, CONNECT_MAX) else { continue };
                let held = idle.entry(*port).or_default();
                held.push_back(new);
                if held.len() > IDLE {
                    held.pop_front();
                }
                if probes().iter().all(|bytes| probe(*port, bytes, &mut open)) {
                    *self.rounds.lock().expect("no panic there").entry(*port).or_default() += 1;
                }
            }
            // What was said is read before its connection ends.
            thread::sleep(PAUSE);
        }
    }

    /// Waits until some rounds more have reached each of these ports.
    #[track_caller]
    fn wait_for_rounds(&self, ports: &[SocketAddr]) {
        let now = |port: &SocketAddr| {
            self.rounds.lock().expect("no panic there").get(port).copied().unwrap_or(0)
        };
        for port in ports {
            let before = now(port);
            wait_for(&format!("probes at {port}"), || (now(port) >= before + ROUNDS).then_some(()));
        }
    }
}

/// Whether the port took it. The connection stays open for the rest of the round.
fn probe(port: SocketAddr, bytes: &[u8], open: &mut Vec<TcpStream>) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&port, CONNECT_MAX) else {
        return false;
    };
    let written = stream.write_all(bytes).is_ok();
    // The one without a word leaves at once.
    if !bytes.is_empty() {
        open.push(stream);
    }
    written
}

/// Stops the probes, also when the test fails: it would wait for them without an end.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_new_leader_serves_while_probes_come_to_every_peer_port() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    ensemble.client(1).create("/before", "", 0).expect("a new node");
    let probing = Probing::of(&ensemble);
    thread::scope(|scope| {
        let stop = StopOnDrop(&probing.stop);
        scope.spawn(|| probing.run());
        let election_ports = [1, 2, 3].map(|id| ensemble.election_address(id));
        let old = ensemble.leader();
        probing.wait_for_rounds(&election_ports);
        probing.wait_for_rounds(&[ensemble.quorum_address(old)]);

        ensemble.server_mut(old).kill();
        let new = ensemble.leader();
        assert_ne!(new, old);
        let mut client = Client::reach(&[ensemble.server(new).address], &Session::new(30_000));
        client.create("/between", "", 0).expect("it leads");
        probing.wait_for_rounds(&[ensemble.quorum_address(new)]);

        ensemble.server_mut(old).start();
        ensemble.wait_until_all_serve();
        assert_eq!(ensemble.leader(), new, "it has not stepped down");
        probing.wait_for_rounds(&election_ports);
        client.create("/after", "", 0).expect("the connection is the same one");
        drop(stop);
    });
    for id in [1, 2, 3] {
        ensemble.server_mut(id).assert_it_lives();
    }
    let tree = ensemble.assert_same_trees();
    for path in ["/before", "/between", "/after"] {
        assert!(tree.contains_key(path), "{path}");
    }
}
