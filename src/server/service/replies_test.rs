//! Replies are counted before they are made: of one, of a connection, and of all.

use std::time::Duration;

use super::limits_test::{A, B, C, World, seconds};
use super::{Input, Output};
use crate::base::limits::CLIENT_UNSENT_BYTES_HOLD;
use crate::base::{ConnId, Mono, Zxid};
use crate::config::ClientLimits;
use crate::jute::client::{
    MultiHeader, PathWatchRequest, RequestHeader, SetWatches2, code, op, xid,
};
use crate::jute::{Jute, Reader};
use crate::server::gate::TURN_REQUESTS_MAX;

const MIB: usize = 1024 * 1024;
const END: MultiHeader = MultiHeader { kind: -1, done: true, err: -1 };

fn multi_read(parts: impl Iterator<Item = (i32, String)>) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, path) in parts {
        MultiHeader { kind, done: false, err: -1 }.encode(&mut body);
        PathWatchRequest { path, watch: false }.encode(&mut body);
    }
    END.encode(&mut body);
    body
}

/// Asks for something that is all header and these bytes.
fn ask(world: &mut World, conn: ConnId, xid: i32, op: i32, record: &[u8]) {
    world.frame(conn, [&RequestHeader { xid, op }.to_jute(), record].concat());
}

fn read_children(world: &mut World, conn: ConnId, xid: i32, op: i32, path: &str) {
    world.ask(conn, xid, op, PathWatchRequest { path: path.into(), watch: true });
}

/// A server with connections `A`, `B` and `C`.
fn world(change: impl FnOnce(&mut ClientLimits)) -> World {
    let mut world = World::new(change);
    for conn in [A, B, C] {
        world.connect(conn);
    }
    world
}

#[test]
fn a_reply_that_is_too_long_is_an_error_and_the_connection_goes_on() {
    let mut world = world(|limits| limits.response_bytes_max = 100_000);
    world.make_node(A, "/fits", 100_000 - 20 - 4 - 68);
    world.make_node(A, "/long", 100_000 - 20 - 4 - 68 + 1);
    world.make_node(A, "/a", 0);
    for n in 0..200 {
        world.make_node(A, &format!("/a/{n:0>500}"), 0);
    }
    world.take_bytes(A);
    world.read(A, 1, "/fits");
    assert_eq!(world.take_bytes(A), 100_000, "to the byte");
    world.read(A, 2, "/long");
    read_children(&mut world, A, 3, op::GET_CHILDREN, "/a");
    read_children(&mut world, A, 4, op::GET_CHILDREN2, "/a");
    let paths: Vec<String> = (0..4000).map(|n| format!("/{n}")).collect();
    let watches = SetWatches2 { data_watches: paths, ..SetWatches2::default() };
    ask(&mut world, A, xid::SET_WATCHES, op::SET_WATCHES2, &watches.to_jute());
    let too_long = code::MARSHALLING_ERROR;
    let want = [(1, 0), (2, too_long), (3, too_long), (4, too_long), (xid::SET_WATCHES, too_long)];
    assert_eq!(world.take_replies(A), want);
    assert_eq!(world.service.watch_count(), 0, "what failed watches nothing");
    world.read(A, 5, "/");
    assert_eq!(world.take_replies(A), [(5, 0)]);
    assert_eq!(world.take_others(), Vec::<String>::new());
}

/// The results would be 20 GB.
#[test]
fn a_multi_read_stops_where_its_reply_would_be_too_long_and_small_results_still_fit() {
    let mut world = world(|_| {});
    world.make_node(A, "/big", 1_000_000);
    world.make_node(A, "/small", 10);
    let path = |n: usize| if n % 1000 == 999 { "/small" } else { "/big" }.to_owned();
    let parts = (0..20_000).map(|n| (op::GET_DATA, path(n)));
    let out = world.outputs(A, 1, op::MULTI_READ, &multi_read(parts));
    let frames: Vec<_> = out
        .iter()
        .filter_map(|o| if let Output::Write(_, bytes) = o { Some(bytes) } else { None })
        .collect();
    let [frame] = frames[..] else { panic!("one reply") };
    assert!(frame.len() < 64 * MIB + 20_000 * 13, "{}", frame.len());
    let mut from = Reader::new(frame.slice(20..));
    let (mut whole, mut small, mut failed) = (0, 0, 0);
    for n in 0..20_000 {
        match MultiHeader::decode(&mut from).expect("a header") {
            MultiHeader { kind: op::GET_DATA, done: false, err: 0 } => {
                let data = from.buffer().expect("data").expect("not null");
                from.bytes(68).expect("a stat");
                *if data.len() == 10 { &mut small } else { &mut whole } += 1;
                assert_eq!(data.len() == 10, n % 1000 == 999);
            }
            MultiHeader { kind: -1, done: false, err: code::MARSHALLING_ERROR } => {
                assert_eq!(from.int(), Ok(code::MARSHALLING_ERROR));
                failed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(MultiHeader::decode(&mut from), Ok(END));
    assert_eq!((whole, small, failed), (67, 20, 20_000 - 87));
}

/// They would be 5 GB if all were made when the write is committed.
#[test]
fn reads_behind_a_write_are_answered_as_the_client_takes_them() {
    let mut world = world(|_| {});
    world.make_node(A, "/big", 900_000);
    world.write(A, 1);
    for xid in 2..=900 {
        world.read(A, xid, "/big");
    }
    world.write(A, 901);
    assert_eq!(world.submitted_xids(), [1, 901]);
    world.take_bytes(A);
    world.commit(1);
    assert_eq!(world.take_xids(A), [1, 2, 3], "C-2");
    assert!(world.take_bytes(A) < CLIENT_UNSENT_BYTES_HOLD + 900_200, "LI-3");
    assert_eq!(world.service.gate.in_process().0, 1, "nobody waits for who does not read");
    world.commit(1);
    assert_eq!(world.take_xids(A), Vec::<i32>::new(), "what is committed waits for its turn");
    let mut seen = 3;
    for _ in 0..2000 {
        world.input(Input::Drained { conn: A });
        let xids = world.take_xids(A);
        assert!(xids.iter().copied().eq(seen + 1..=seen + xids.len() as i32), "{xids:?}");
        assert!(world.take_bytes(A) < CLIENT_UNSENT_BYTES_HOLD + 900_200, "LI-3");
        seen += xids.len() as i32;
    }
    assert_eq!(seen, 901);
    world.read(A, 902, "/");
    assert_eq!(world.take_xids(A), [902]);
}

#[test]
fn a_session_that_is_closed_behind_replies_that_wait_hears_them_all() {
    let mut world = world(|_| {});
    world.make_node(A, "/big", 900_000);
    world.write(A, 1);
    for xid in 2..=6 {
        world.read(A, xid, "/big");
    }
    ask(&mut world, A, 7, op::CLOSE_SESSION, &[]);
    world.commit(2);
    assert_eq!(world.take_xids(A), [1, 2, 3]);
    world.ping(A);
    assert!(!world.take_others().contains(&format!("{A} closed")));
    for _ in 0..4 {
        world.input(Input::Drained { conn: A });
    }
    assert_eq!(world.take_xids(A), [4, 5, 6, 7], "and what came behind the close is not heard");
    assert!(world.take_others().contains(&format!("{A} closed")));
}

#[test]
fn where_all_have_too_much_on_the_way_a_read_waits_for_room_and_a_small_one_does_not() {
    let mut world = world(|limits| {
        limits.pending_responses_bytes_max = 8 * MIB;
        limits.pending_response_bytes_max = 4 * MIB;
    });
    world.make_node(A, "/big", 1_000_000);
    world.make_node(A, "/small", 1000);
    for (conn, count) in [(A, 4), (B, 2)] {
        for xid in 1..=5 {
            world.read(conn, xid, "/big");
        }
        assert_eq!(world.take_xids(conn).len(), count, "{conn}: as much as is free beside it");
    }
    world.take_others();
    world.read(C, 1, "/small");
    world.read(C, 2, "/big");
    world.read(C, 3, "/big");
    world.ping(C);
    assert_eq!(world.take_xids(C), [1, 2], "LI-1");
    world.input(Input::Lost { conn: B });
    assert_eq!(world.take_xids(C), [3, -2], "there is room again");
    assert_eq!(
        world.take_others(),
        Vec::<String>::new(),
        "C was asked before, and has not answered"
    );
}

#[test]
fn who_lets_lie_what_others_wait_for_to_leave_is_closed() {
    let mut world = world(|limits| {
        limits.pending_responses_bytes_max = 8 * MIB;
        limits.pending_response_bytes_max = 8 * MIB;
        limits.sessionless_timeout = seconds(1000);
    });
    world.make_node(A, "/big", 1_000_000);
    for conn in [A, B] {
        for xid in 1..=9 {
            world.read(conn, xid, "/big");
        }
    }
    // All were asked when A began to wait for room: B when it had read all but its first replies.
    for conn in [B, C] {
        world.input(Input::Drained { conn });
    }
    assert_eq!(world.service.next_deadline(), Mono(0) + seconds(11), "of B");
    world.pass(seconds(10));
    world.input(Input::Drained { conn: B });
    world.take_others();
    world.pass(seconds(2));
    assert_eq!(world.take_others(), Vec::<String>::new());
    world.pass(seconds(2));
    assert_eq!(world.take_others(), [format!("{A} closed")]);
    assert_eq!(world.service.gate.held_and_queued().0, 4, "B still waits: A is not gone");
    world.input(Input::Lost { conn: A });
    assert!(world.service.gate.held_and_queued().0 < 4);
}

#[test]
fn a_step_answers_so_many_requests_and_the_others_in_their_turn() {
    let mut world = world(|limits| limits.outstanding_max = 100_000);
    const TURN: i32 = TURN_REQUESTS_MAX as i32;
    for (conn, last) in [(A, 2 * TURN + 1), (B, 10)] {
        world.write(conn, 1);
        for xid in 2..=last {
            world.read(conn, xid, "/");
        }
    }
    world.commit(1);
    assert_eq!(world.take_xids(A), (1..=TURN).collect::<Vec<_>>());
    world.ping(A);
    assert_eq!(world.take_xids(A), (TURN + 1..=2 * TURN).collect::<Vec<_>>(), "TU-1");
    world.commit(1);
    assert_eq!(world.take_xids(B), (1..=10).collect::<Vec<_>>());
    assert_eq!(world.take_xids(A), [2 * TURN + 1, -2], "LI-1: in the next step, whatever it is of");
    assert_eq!(world.take_others(), Vec::<String>::new());
}

#[test]
fn who_waits_for_a_turn_gets_it_when_nothing_else_happens() {
    let mut world = world(|limits| limits.outstanding_max = 100_000);
    world.write(A, 1);
    for xid in 2..=1000 {
        world.read(A, xid, "/");
    }
    world.commit(1);
    let seen = world.take_xids(A).len();
    let soon = world.service.next_deadline();
    assert!(soon <= world.now.mono + Duration::from_millis(1), "in a moment");
    world.pass(Duration::from_millis(1));
    assert_eq!((seen, world.take_xids(A).len()), (TURN_REQUESTS_MAX, TURN_REQUESTS_MAX));
    world.pass(Duration::from_millis(2));
    assert_eq!(world.take_xids(A).last(), Some(&1000));
    assert!(world.service.next_deadline() > soon + Duration::from_secs(1));
}

#[test]
fn a_sync_waits_until_the_tree_has_come_so_far() {
    let mut world = world(|_| {});
    for conn in [A, B] {
        world.ask(conn, 1, op::SYNC, String::from("/"));
        world.read(conn, 2, "/");
    }
    let reached = Zxid(world.zxid);
    world.input(Input::SyncDone { conn: A, zxid: Zxid(reached.0 + 2) });
    world.input(Input::SyncDone { conn: B, zxid: Zxid(reached.0 + 1) });
    assert_eq!(world.service.reaching.len(), 2);
    for (xid, conn, other) in [(1, B, A), (2, A, B)] {
        world.write(C, xid);
        world.commit(1);
        assert_eq!((world.take_xids(conn), world.take_xids(other)), (vec![1, 2], vec![]));
    }
    assert!(world.service.reaching.is_empty(), "nobody is looked at any more");
}
