use std::time::Duration;

use bytes::Bytes;
use quorate::base::LinkId;
use quorate::base::ServerId;
use quorate::base::limits::PEER_LINKS_PER_ADDRESS_MAX;
use quorate::election::driver::{ElectionDriver, ElectionEvent, ElectionLimits};
use quorate::runtime::os::Machine;
use quorate::runtime::{HostPort, Label, LabelKind, Runtime};
use tokio::io::AsyncWriteExt;

use crate::{
    Events, PATIENCE, connect, frame, free_address, is_closed, listening, read_to_end, run,
};

const NOTIFICATION: Label = Label { kind: LabelKind::Notification, zxid: None };

fn driver(machine: &Machine) -> (ElectionDriver<Machine>, Events<ElectionEvent>) {
    let (events, post) = Events::new();
    (ElectionDriver::new(machine.clone(), limits(PATIENCE, PATIENCE), post), events)
}

/// Servers 1 to 3 belong to the ensemble.
fn limits(handshake_timeout: Duration, stranger_timeout: Duration) -> ElectionLimits {
    let members = (1..=3).map(ServerId).collect();
    ElectionLimits { handshake_timeout, stranger_timeout, members, bind_tries: Some(3) }
}

fn handshake(sid: i64) -> Vec<u8> {
    let mut bytes = (-65536i64).to_be_bytes().to_vec();
    bytes.extend(sid.to_be_bytes());
    bytes.extend(frame(b"127.0.0.1:3888"));
    bytes
}

fn accepted(link: u64, sid: i64) -> ElectionEvent {
    ElectionEvent::Accepted { link: LinkId(link), sid, address: "127.0.0.1:3888".into() }
}

fn message(link: u64, body: &[u8]) -> ElectionEvent {
    ElectionEvent::Frame { link: LinkId(link), body: Bytes::copy_from_slice(body) }
}

fn lost(link: u64, why: &str) -> ElectionEvent {
    ElectionEvent::Lost { link: LinkId(link), why: why.into() }
}

#[test]
fn frames_are_whole_however_the_bytes_arrive() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());

        let mut drop_by_drop = connect(&on).await;
        let mut bytes = handshake(3);
        bytes.extend(frame(b"vote"));
        for byte in bytes {
            drop_by_drop.write_all(&[byte]).await.expect("write");
            tokio::task::yield_now().await;
        }
        assert_eq!(events.next().await, accepted(1, 3));
        assert_eq!(events.next().await, message(1, b"vote"));

        let mut at_once = connect(&on).await;
        let mut bytes = handshake(4);
        let largest = vec![9; 512 * 1024];
        for body in [b"one".as_slice(), b"2", &largest, b"three"] {
            bytes.extend(frame(body));
        }
        at_once.write_all(&bytes).await.expect("write");
        assert_eq!(events.next().await, accepted(3, 4));
        for body in [b"one".as_slice(), b"2", &largest, b"three"] {
            assert_eq!(events.next().await, message(3, body));
        }
    });
}

#[test]
fn a_length_out_of_range_ends_the_link_once() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());
        for (n, length) in [0, -1, 512 * 1024 + 1, i32::MIN].into_iter().enumerate() {
            let link = 2 * n as u64 + 1;
            let mut peer = connect(&on).await;
            let mut bytes = handshake(3);
            bytes.extend(length.to_be_bytes());
            peer.write_all(&bytes).await.expect("write");
            assert_eq!(events.next().await, accepted(link, 3));
            assert_eq!(events.next().await, lost(link, &format!("message length {length}")));
            assert!(is_closed(&mut peer).await);
        }
        events.assert_none().await;
    });
}

/// Three real captures end right after a length.
#[test]
fn an_end_between_length_and_body_is_an_ordinary_end() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());
        let mut peer = connect(&on).await;
        peer.write_all(&handshake(3)).await.expect("write");
        peer.write_all(&[0, 0, 0, 9]).await.expect("write");
        drop(peer);
        assert_eq!(events.next().await, accepted(1, 3));
        assert_eq!(events.next().await, lost(1, "closed by the other side"));
        events.assert_none().await;
    });
}

#[test]
fn nothing_is_told_of_a_connection_without_a_handshake() {
    run(async |machine| {
        let (events, post) = Events::new();
        let limits = limits(Duration::from_millis(20), PATIENCE);
        let driver = ElectionDriver::new(machine.clone(), limits, post);
        let on = free_address();
        driver.listen(on.clone());
        let mut stranger = connect(&on).await;
        stranger.write_all(&(-7i64).to_be_bytes()).await.expect("write");
        assert!(is_closed(&mut stranger).await);
        let mut silent = connect(&on).await;
        assert!(is_closed(&mut silent).await);
        drop(connect(&on).await);
        events.assert_none().await;

        // Who has shown its handshake may be silent as long as it likes.
        let mut peer = connect(&on).await;
        peer.write_all(&handshake(3)).await.expect("write");
        assert_eq!(events.next().await, accepted(7, 3));
        tokio::time::sleep(Duration::from_millis(60)).await;
        peer.write_all(&frame(b"vote")).await.expect("write");
        assert_eq!(events.next().await, message(7, b"vote"));
    });
}

#[test]
fn a_server_outside_the_configuration_does_not_stay() {
    run(async |machine| {
        let (events, post) = Events::new();
        let limits = limits(PATIENCE / 100, PATIENCE / 100);
        let driver = ElectionDriver::new(machine.clone(), limits, post);
        let on = free_address();
        driver.listen(on.clone());
        let mut member = connect(&on).await;
        member.write_all(&handshake(3)).await.expect("write");
        assert_eq!(events.next().await, accepted(1, 3));
        let mut stranger = connect(&on).await;
        stranger.write_all(&handshake(77)).await.expect("write");
        assert_eq!(events.next().await, accepted(3, 77));
        assert!(is_closed(&mut stranger).await);
        let why = "a server outside the configuration stays too long";
        assert_eq!(events.next().await, lost(3, why));
        member.write_all(&frame(b"vote")).await.expect("write");
        assert_eq!(events.next().await, message(1, b"vote"));
    });
}

#[test]
fn an_address_has_no_more_than_its_share_of_connections() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let on = free_address();
        driver.listen(on.clone());
        let mut held = Vec::new();
        for _ in 0..PEER_LINKS_PER_ADDRESS_MAX {
            held.push(connect(&on).await);
        }
        assert!(is_closed(&mut connect(&on).await).await, "it is one too many");
        let first = &mut held[0];
        first.write_all(&handshake(3)).await.expect("write");
        assert_eq!(events.next().await, accepted(1, 3));
    });
}

#[test]
fn a_dialled_peer_gets_handshake_and_frames_in_order_then_the_end() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let (listener, to) = listening().await;
        let (link, at) = (LinkId(2), machine.stamp());
        driver.dial(at, link, to, Bytes::from_static(b"HANDSHAKE"), PATIENCE);
        // Not yet connected: it is kept until then.
        driver.write(at, link, Bytes::from_static(b"early"), NOTIFICATION);
        let (mut peer, _) = listener.accept().await.expect("a connection");
        assert_eq!(events.next().await, ElectionEvent::Connected { link });
        driver.write(machine.stamp(), link, Bytes::from_static(b"late"), NOTIFICATION);
        driver.close(machine.stamp(), link);
        driver.write(machine.stamp(), link, Bytes::from_static(b"too late"), NOTIFICATION);
        let mut wanted = b"HANDSHAKE".to_vec();
        wanted.extend(frame(b"early"));
        wanted.extend(frame(b"late"));
        assert_eq!(read_to_end(&mut peer).await, wanted);
        assert_eq!(events.next().await, lost(2, "closed by this server"));
        driver.close(machine.stamp(), link);
        events.assert_none().await;
    });
}

#[test]
fn a_dial_that_fails_or_is_closed_tells_so_once() {
    run(async |machine| {
        let (driver, events) = driver(&machine);
        let nobody = free_address();
        driver.dial(machine.stamp(), LinkId(2), nobody, Bytes::new(), PATIENCE);
        let failed = events.next().await;
        let ElectionEvent::DialFailed { link: LinkId(2), why, refused: true } = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(why, "Connection refused");

        let blackhole = HostPort::new("192.0.2.1", 1);
        driver.dial(machine.stamp(), LinkId(4), blackhole, Bytes::new(), PATIENCE);
        driver.close(machine.stamp(), LinkId(4));
        let failed = events.next().await;
        assert!(matches!(failed, ElectionEvent::DialFailed { link: LinkId(4), .. }), "{failed:?}");
        events.assert_none().await;
    });
}
