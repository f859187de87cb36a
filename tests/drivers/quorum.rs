use bytes::Bytes;
use quorate::base::limits::PEER_LINKS_PER_ADDRESS_MAX;
use quorate::base::limits::{JUTE_FIELD_BYTES_MAX, LINK_QUEUE_BYTES_MAX};
use quorate::base::{LinkId, Zxid};
use quorate::jute::Jute;
use quorate::jute::quorum::{QuorumPacket, kind};
use quorate::runtime::os::Machine;
use quorate::runtime::{Label, LabelKind, Runtime};
use quorate::zab::driver::{QuorumDriver, QuorumEvent};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::{
    Events, PATIENCE, connect, free_address, is_closed, listening, read_exactly, read_to_end, run,
};

/// What a leader sent to a learner that joined with nothing: LEADERINFO, SNAP and its stream of
/// 746 bytes from offset 44, NEWLEADER and so on.
const LEADER_TO_LEARNER: &[u8] = include_bytes!("../golden/quorum/3.9.3/noreconfig/q05-2-to-3.bin");
const SNAPSHOT: std::ops::Range<usize> = 44..790;
const KINDS: [i32; 8] = [
    kind::LEADER_INFO,
    kind::SNAP,
    kind::NEW_LEADER,
    kind::UP_TO_DATE,
    kind::PING,
    kind::PROPOSAL,
    kind::PING,
    kind::COMMIT,
];

const PROPOSAL: Label = Label { kind: LabelKind::Proposal, zxid: Some(Zxid(1)) };

fn driver(machine: &Machine) -> (QuorumDriver<Machine>, Events<QuorumEvent>) {
    let (events, post) = Events::new();
    (QuorumDriver::new(machine.clone(), post), events)
}

/// Dials a plain socket: our end is link 2, the other end is returned.
async fn dialled(
    machine: &Machine,
    driver: &QuorumDriver<Machine>,
    events: &Events<QuorumEvent>,
) -> TcpStream {
    let (listener, to) = listening().await;
    driver.dial(machine.stamp(), LinkId(2), to, PATIENCE);
    let (peer, _) = listener.accept().await.expect("a connection");
    peer.set_nodelay(true).expect("a socket has options");
    assert_eq!(events.next().await, QuorumEvent::Connected { link: LinkId(2) });
    peer
}

fn lost(link: u64, why: &str) -> QuorumEvent {
    QuorumEvent::Lost { link: LinkId(link), why: why.into() }
}

#[test]
fn a_captured_sync_is_packets_and_one_snapshot_whatever_the_pieces() {
    for piece in [1, 7, 100, 800, LEADER_TO_LEARNER.len()] {
        run(async |machine| {
            let (driver, events) = driver(&machine);
            let mut leader = dialled(&machine, &driver, &events).await;
            for bytes in LEADER_TO_LEARNER.chunks(piece) {
                leader.write_all(bytes).await.expect("write");
                tokio::task::yield_now().await;
            }
            drop(leader);
            let (mut kinds, mut again) = (Vec::new(), Vec::new());
            loop {
                match events.next().await {
                    QuorumEvent::Packet { packet, .. } => {
                        packet.encode(&mut again);
                        kinds.push(packet.kind);
                    }
                    QuorumEvent::Packets { packets, .. } => {
                        packets.iter().for_each(|packet| packet.encode(&mut again));
                        kinds.extend(packets.iter().map(|packet| packet.kind));
                    }
                    QuorumEvent::Snapshot { body, .. } => {
                        assert_eq!(kinds.last(), Some(&kind::SNAP));
                        let body = body.0.concat();
                        assert_eq!(body, LEADER_TO_LEARNER[SNAPSHOT]);
                        again.extend(&body);
                    }
                    other => {
                        assert_eq!(other, lost(2, "closed by the other side"));
                        break;
                    }
                }
            }
            assert_eq!(kinds, KINDS, "pieces of {piece}");
            assert_eq!(again, LEADER_TO_LEARNER, "pieces of {piece}");
            events.assert_none().await;
        });
    }
}

#[test]
fn only_a_leader_sends_snapshots() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());
        let mut learner = connect(&on).await;
        let snap = QuorumPacket::bare(kind::SNAP, Zxid(5));
        let ping = QuorumPacket::bare(kind::PING, Zxid(5));
        let mut bytes = snap.to_jute();
        ping.encode(&mut bytes);
        learner.write_all(&bytes).await.expect("write");
        let peer = learner.local_addr().expect("bound").to_string();
        let link = LinkId(1);
        assert_eq!(events.next().await, QuorumEvent::Accepted { link, peer });
        let packets = vec![snap, ping];
        assert_eq!(events.next().await, QuorumEvent::Packets { link, packets });
    });
}

#[test]
fn an_oversized_field_ends_the_link_with_its_length() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let mut leader = dialled(&machine, &driver, &events).await;
        let mut bytes = vec![0; 12];
        (JUTE_FIELD_BYTES_MAX as i32 + 1).encode(&mut bytes);
        leader.write_all(&bytes).await.expect("write");
        let event = events.next().await;
        let QuorumEvent::Lost { link: LinkId(2), why } = event else { panic!("{event:?}") };
        assert!(why.contains(&(JUTE_FIELD_BYTES_MAX + 1).to_string()), "{why}");
        assert!(is_closed(&mut leader).await);
        events.assert_none().await;
    });
}

#[test]
fn a_port_that_is_not_listened_on_refuses_but_keeps_its_links() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());
        let mut learner = connect(&on).await;
        assert!(matches!(events.next().await, QuorumEvent::Accepted { link: LinkId(1), .. }));
        driver.unlisten();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        driver.dial(machine.stamp(), LinkId(2), on.clone(), PATIENCE);
        assert!(matches!(events.next().await, QuorumEvent::DialFailed { link: LinkId(2), .. }));
        driver.write(machine.stamp(), LinkId(1), Bytes::from_static(b"still here"), PROPOSAL);
        assert_eq!(read_exactly(&mut learner, 10).await, b"still here");

        // The same address again, and at once after an unlisten.
        driver.listen(on.clone());
        driver.unlisten();
        driver.listen(on.clone());
        let _learner = connect(&on).await;
        assert!(matches!(events.next().await, QuorumEvent::Accepted { link: LinkId(3), .. }));
        events.assert_none().await;
    });
}

#[test]
fn an_address_has_no_more_than_its_share_of_learners() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());
        let mut held = Vec::new();
        for n in 0..PEER_LINKS_PER_ADDRESS_MAX as u64 {
            held.push(connect(&on).await);
            let link = LinkId(2 * n + 1);
            let next = events.next().await;
            assert!(
                matches!(next, QuorumEvent::Accepted { link: of, .. } if of == link),
                "{next:?}"
            );
        }
        assert!(is_closed(&mut connect(&on).await).await, "it is one too many");
        events.assert_none().await;
        held.pop();
        assert!(matches!(events.next().await, QuorumEvent::Lost { .. }));
        held.push(connect(&on).await);
        assert!(matches!(events.next().await, QuorumEvent::Accepted { .. }), "its place is free");
    });
}

#[test]
fn drained_comes_when_a_slow_peer_has_taken_everything() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let mut peer = dialled(&machine, &driver, &events).await;
        let link = LinkId(2);
        // Nothing waits: at once.
        driver.notify_drained(machine.stamp(), link);
        assert_eq!(events.next().await, QuorumEvent::Drained { link });

        let piece = Bytes::from(vec![3; 8 << 20]);
        for _ in 0..8 {
            driver.write(machine.stamp(), link, piece.clone(), PROPOSAL);
        }
        driver.notify_drained(machine.stamp(), link);
        events.assert_none().await;
        let read = read_exactly(&mut peer, 8 * piece.len()).await;
        assert!(read.iter().all(|byte| *byte == 3));
        assert_eq!(events.next().await, QuorumEvent::Drained { link });
        events.assert_none().await;
    });
}

#[test]
fn a_peer_that_does_not_read_is_given_up_at_the_limit() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let mut peer = dialled(&machine, &driver, &events).await;
        let piece = Bytes::from(vec![3; 16 << 20]);
        for _ in 0..LINK_QUEUE_BYTES_MAX / piece.len() {
            driver.write(machine.stamp(), LinkId(2), piece.clone(), PROPOSAL);
        }
        events.assert_none().await;
        // What the sockets hold meanwhile has left the queue: more than one piece may be needed.
        for _ in 0..8 {
            driver.write(machine.stamp(), LinkId(2), piece.clone(), PROPOSAL);
        }
        let event = events.next().await;
        let QuorumEvent::Lost { link: LinkId(2), why } = event else { panic!("{event:?}") };
        assert!(why.contains("too slow"), "{why}");
        events.assert_none().await;
        // The connection is gone, not only silent.
        while !is_closed(&mut peer).await {}
    });
}

#[test]
fn a_closed_link_writes_what_it_has_and_hears_no_more() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let mut peer = dialled(&machine, &driver, &events).await;
        let large = Bytes::from(vec![3; 8 << 20]);
        driver.write(machine.stamp(), LinkId(2), large.clone(), PROPOSAL);
        driver.close(machine.stamp(), LinkId(2));
        peer.write_all(&QuorumPacket::bare(kind::PING, Zxid(1)).to_jute()).await.expect("write");
        assert_eq!(read_to_end(&mut peer).await, large);
        assert_eq!(events.next().await, lost(2, "closed by this server"));
        events.assert_none().await;
    });
}
