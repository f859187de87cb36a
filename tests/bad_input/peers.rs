//! Bytes on the election port and the quorum port that no server sends, and servers that are not
//! there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::ensemble::{Client, Ensemble, Plan, wait_for};

/// Writes bytes and leaves the connection open, so that they are read as they are.
fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(bytes).expect("the server listens");
    stream
}

/// Who leads and who follows, and that the ensemble takes writes.
struct Witness {
    leader: i64,
    client: Client,
    writes: usize,
}

impl Witness {
    fn new(ensemble: &Ensemble) -> Witness {
        let leader = ensemble.leader();
        let mut client = ensemble.client(leader);
        client.create("/witness", "", 0).expect("a new node");
        Witness { leader, client, writes: 0 }
    }

    /// Nobody took harm: every process lives, the same server leads, the connection to it that
    /// was there before still is, and both followers get what is written.
    #[track_caller]
    fn assert_unharmed(&mut self, ensemble: &mut Ensemble, after: &str) {
        self.assert_others_unharmed(ensemble, 0, after);
    }

    /// The same of all servers but this one, which cannot serve.
    #[track_caller]
    fn assert_others_unharmed(&mut self, ensemble: &mut Ensemble, but: i64, after: &str) {
        self.writes += 1;
        let text = self.writes.to_string();
        self.client.set("/witness", &text).unwrap_or_else(|why| panic!("{after}: {why:?}"));
        for id in [1, 2, 3] {
            ensemble.server_mut(id).assert_it_lives();
            if id == but {
                continue;
            }
            let mut client = ensemble.client(id);
            client.sync("/").expect("the ensemble is whole");
            let got = client.get("/witness", false).map(|(text, _)| text);
            assert_eq!(got.as_ref(), Ok(&text), "{after}: server {id}");
        }
        assert_eq!(ensemble.leader(), self.leader, "{after}");
        let log = ensemble.server(self.leader).log();
        assert!(!log.contains("giving up this role"), "{after}: the leadership ended");
    }
}

/// The handshake of a server that says it is `sid`.
pub(crate) fn handshake(sid: i64) -> Vec<u8> {
    let address = b"127.0.0.1:1";
    let mut bytes = (-65_536_i64).to_be_bytes().to_vec();
    bytes.extend_from_slice(&sid.to_be_bytes());
    bytes.extend_from_slice(&(address.len() as i32).to_be_bytes());
    bytes.extend_from_slice(address);
    bytes
}

/// A notification: LOOKING, leader, zxid, round and epoch as big as they can be, version 2, then
/// a configuration that claims this length.
fn notification(config_length: i32, config: &[u8]) -> Vec<u8> {
    let mut body = 0_i32.to_be_bytes().to_vec();
    for _ in 0..4 {
        body.extend_from_slice(&i64::MAX.to_be_bytes());
    }
    body.extend_from_slice(&2_i32.to_be_bytes());
    body.extend_from_slice(&config_length.to_be_bytes());
    body.extend_from_slice(config);
    body
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes()[..], body].concat()
}

#[test]
fn notifications_that_lie_harm_no_server() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut witness = Witness::new(&ensemble);
    let whole = notification(0, b"");
    let bodies = [
        ("a negative config length", framed(&notification(-1, b""))),
        ("the least config length", framed(&notification(i32::MIN, b"server.1=x"))),
        ("a config length beyond the end", framed(&notification(1_000_000, b"server.1=x"))),
        ("a body cut in its zxid", framed(&whole[..15])),
        ("a body of one byte", framed(&whole[..1])),
        ("a state that is none", framed(&[&[0, 0, 0, 9], &whole[4..]].concat())),
        ("a frame that never ends", [&1_000_i32.to_be_bytes()[..], &whole].concat()),
        ("an empty frame", framed(b"")),
        ("a negative frame length", (-5_i32).to_be_bytes().to_vec()),
        ("a frame of 2 GiB", i32::MAX.to_be_bytes().to_vec()),
    ];
    for (what, bytes) in bodies {
        // As a stranger, and as a server of the ensemble.
        let mut open = Vec::new();
        for (receiver, sender) in [(1, 77), (2, 77), (3, 77), (1, 3), (3, 1)] {
            let bytes = [handshake(sender), bytes.clone()].concat();
            open.push(send(ensemble.election_address(receiver), &bytes));
        }
        witness.assert_unharmed(&mut ensemble, what);
    }
    let warned = |id| ensemble.server(id).log().contains("closing an election link");
    assert!(warned(1) && warned(2) && warned(3), "each says what it closed");

    // They still elect: the listeners are alive, and no false vote is believed.
    let leader = witness.leader;
    ensemble.server_mut(leader).kill();
    assert_ne!(ensemble.leader(), leader);
    ensemble.server_mut(leader).start();
    ensemble.wait_until_all_serve();
    ensemble.assert_same_trees();
}

#[test]
fn handshakes_that_lie_harm_no_server() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut witness = Witness::new(&ensemble);
    let with_length = |length: i32| {
        let mut bytes = handshake(77);
        bytes[16..20].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let version = [&(-1_i64).to_be_bytes()[..], &handshake(77)[8..]].concat();
    for (what, bytes) in [
        ("a negative address length", with_length(-1)),
        ("an address of 2 GiB", with_length(i32::MAX)),
        ("an unknown version", version),
        ("a handshake that never ends", handshake(77)[..10].to_vec()),
        ("a web browser", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("our own id", handshake(2)),
        ("an observer without an id", handshake(i64::MAX)),
        ("the least id", handshake(i64::MIN)),
    ] {
        let open = [1, 2, 3].map(|id| send(ensemble.election_address(id), &bytes));
        witness.assert_unharmed(&mut ensemble, what);
        drop(open);
    }
}

/// A packet of the quorum port with nothing but a head.
pub(crate) fn packet(kind: i32, data_length: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend_from_slice(&0_i64.to_be_bytes());
    bytes.extend_from_slice(&data_length.to_be_bytes());
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    bytes
}

#[test]
fn garbage_on_the_quorum_port_harms_no_server() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut witness = Witness::new(&ensemble);
    let to = ensemble.quorum_address(witness.leader);
    let info = |sid: i64| {
        let rest = [&sid.to_be_bytes()[..], &0x10000_i32.to_be_bytes(), &[0; 8]].concat();
        packet(11, 20, &rest)
    };
    for (what, bytes) in [
        ("a web browser", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("ones", vec![0xff; 200]),
        ("zeros", vec![0; 200]),
        ("data of a negative length", packet(11, -7, b"")),
        ("data of 2 GiB", packet(11, i32::MAX, b"")),
        ("an unknown packet", packet(99, -1, b"")),
        ("FOLLOWERINFO without data", packet(11, -1, b"")),
        ("FOLLOWERINFO that is too short", packet(11, 3, b"abc")),
        ("an ACK before anything", packet(3, -1, b"")),
        ("a REQUEST before anything", packet(1, 3, b"abc")),
        ("ACKEPOCH of a stranger that is cut", [info(77), packet(18, 2, b"ab")].concat()),
        ("a snapshot to a leader", [info(77), packet(15, -1, b"")].concat()),
        ("a FOLLOWERINFO that never ends", info(77)[..18].to_vec()),
    ] {
        let open = send(to, &bytes);
        witness.assert_unharmed(&mut ensemble, what);
        drop(open);
    }
    let mntr = ensemble.server(witness.leader).word("mntr").expect("it answers");
    assert!(mntr.contains("zk_synced_followers\t2\n"), "{mntr}");
}

#[test]
fn a_server_that_is_not_up_yet_is_one_calm_line() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let lines = |ensemble: &Ensemble, words: &str| {
        let log = ensemble.server(1).log();
        log.lines().filter(|line| line.contains(words)).count()
    };
    ensemble.server_mut(1).start_with_log_level("info,quorate::peer::reach=debug");
    wait_for("repeated dials", || {
        (lines(&ensemble, "server 3 at ") >= 4 && lines(&ensemble, "server 2 at ") >= 4)
            .then_some(())
    });
    for id in [2, 3] {
        let address = ensemble.election_address(id);
        let calm = format!(
            "INFO quorate::peer::reach: server {id} at {address} is not reachable yet \
             (Connection refused); next try in "
        );
        assert_eq!(lines(&ensemble, &calm), 1, "server {id}:\n{}", ensemble.server(1).log());
        assert_eq!(lines(&ensemble, &format!("INFO quorate::peer::reach: server {id} ")), 1);
    }
    ensemble.server_mut(2).start();
    ensemble.server_mut(1).wait_until_it_serves();
    assert_eq!(lines(&ensemble, "server 2 is reachable now"), 1);
    ensemble.server_mut(3).start();
    ensemble.wait_until_all_serve();
    wait_for("server 3 to be heard of", || {
        (lines(&ensemble, "server 3 is reachable now") == 1).then_some(())
    });
    for word in ["panicked", "backtrace", "ERROR"] {
        assert_eq!(lines(&ensemble, word), 0, "{word}");
    }

    let dials =
        BTreeMap::from([2, 3].map(|id| (id, lines(&ensemble, &format!("server {id} at ")))));
    // They go: that is one line more for each, however often they are looked for.
    ensemble.server_mut(3).kill();
    ensemble.server_mut(2).kill();
    wait_for("the loss to be told", || {
        [2, 3]
            .iter()
            .all(|id| lines(&ensemble, &format!("server {id} at ")) >= dials[id] + 3)
            .then_some(())
    });
    for id in [2, 3] {
        assert_eq!(lines(&ensemble, &format!("INFO quorate::peer::reach: server {id} at ")), 2);
    }
}

#[test]
fn a_follower_that_cannot_join_asks_again_calmly() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut witness = Witness::new(&ensemble);
    let follower = ensemble.followers()[0];
    // It has promised the next epoch to a leader that came to nothing.
    let server = ensemble.server_mut(follower);
    server.kill();
    fs::write(server.file("data", "acceptedEpoch"), "2").expect("a writable directory");
    let before = server.log().len();
    let refusals = |ensemble: &Ensemble| {
        let log = ensemble.server(follower).log();
        log[before..].matches("offers epoch 1, we promised 2").count()
    };
    let begun = Instant::now();
    server.start();
    wait_for("some attempts", || (refusals(&ensemble) >= 8).then_some(()));
    // One at once, then 100 ms, then a tick at most between two: far from busy.
    let (count, elapsed) = (refusals(&ensemble), begun.elapsed());
    assert!(count as u128 <= 4 + elapsed.as_millis() / 100, "{count} in {elapsed:?}");
    witness.assert_others_unharmed(&mut ensemble, follower, "a follower that cannot join");

    // The next leader's epoch is that one, or a later one if it was asked before.
    let leader = witness.leader;
    ensemble.server_mut(leader).kill();
    ensemble.server_mut(leader).start();
    ensemble.wait_until_all_serve();
    let mut client = ensemble.client(follower);
    let (_, stat) = client.create2("/after", "", 0).expect("the ensemble is whole");
    assert!([2, 3].contains(&stat.czxid.epoch().0), "{}", stat.czxid);
    ensemble.assert_same_trees();
}
