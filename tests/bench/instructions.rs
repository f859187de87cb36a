//! Operations of a server, to be counted in instructions: tests/bench/instructions.py runs this
//! program under callgrind, and tells what it counts.
//!
//!     instructions OPERATION      performs it many times, and prints how many
//!
//! Counted are the functions below whose names begin with `counted_`, and what they call: a step
//! of one server, and the decoding of what it heard. Not counted: the other servers, the network,
//! the disk (both in memory, ensemble.rs), the clients, and the beginning, up to a steady state.
//! No clock, no thread, nothing random: the same build gives the same count.

#[path = "../../fuzz/fuzz_targets/common/mod.rs"]
mod disk;
mod ensemble;

use std::process::ExitCode;

use bytes::Bytes;
use ensemble::{Ensemble, config};
use quorate::base::{COSTLY_CHECKS, Epoch, Mono, Now, ServerId, Zxid};
use quorate::election::core::{Input as Heard, Output as Said};
use quorate::election::packet::{Form, NOTIFICATION_VERSION};
use quorate::election::{Election, Notification, PeerState};
use quorate::jute::Reader;
use quorate::jute::client::op;
use quorate::jute::quorum::{KnownIds, QuorumPacket};
use quorate::peer::{Input, Output, Peer};
use quorate::quorum::QuorumVerifier;

/// So often an operation is performed while it is counted.
const TIMES: u64 = 4096;
/// And before that: tables have grown by then, and old transactions leave the committed log.
const TIMES_BEFORE: u64 = 2048;

/// Numbers of servers. The largest leads.
const FOLLOWER: i64 = 1;
const LEADER: i64 = 3;

fn main() -> ExitCode {
    if COSTLY_CHECKS {
        eprintln!("costly checks are on: build with --release -p quorate alone");
        return ExitCode::from(2);
    }
    let operation = std::env::args().nth(1).unwrap_or_default();
    match operation.as_str() {
        "set-leader" => requests(op::SET_DATA, LEADER, LEADER),
        "set-follower" => requests(op::SET_DATA, LEADER, FOLLOWER),
        "set-forwarded" => requests(op::SET_DATA, FOLLOWER, FOLLOWER),
        "create-leader" => requests(op::CREATE, LEADER, LEADER),
        "get" => requests(op::GET_DATA, FOLLOWER, FOLLOWER),
        "vote" => votes(),
        _ => {
            eprintln!(
                "instructions set-leader | set-follower | set-forwarded | create-leader | get | vote"
            );
            return ExitCode::from(2);
        }
    }
    println!("{TIMES}");
    ExitCode::SUCCESS
}

/// What clients of the server `asked` want, counted at the server `counted`.
fn requests(op: i32, asked: i64, counted: i64) {
    let mut ensemble = Ensemble::establish(ServerId(LEADER));
    ensemble.open_sessions(ServerId(asked));
    ensemble.create_nodes();
    ensemble.ask(op, TIMES_BEFORE);
    ensemble.count(ServerId(counted));
    ensemble.ask(op, TIMES);
}

#[inline(never)]
pub(crate) fn counted_step(peer: &mut Peer, now: Now, input: Input, out: &mut Vec<Output>) {
    peer.step_into(now, input, out);
}

/// As the driver of the quorum port does it: what one read gave.
#[inline(never)]
pub(crate) fn counted_packets(row: Bytes, known: &mut KnownIds, out: &mut Vec<QuorumPacket>) {
    packets(row, known, out);
}

#[inline(always)]
pub(crate) fn packets(row: Bytes, known: &mut KnownIds, out: &mut Vec<QuorumPacket>) {
    let mut row = Reader::new(row);
    while row.remaining() > 0 {
        out.push(QuorumPacket::decode_next(&mut row, known).expect("a packet of ours"));
    }
}

/// A server of five that is LOOKING hears of better and better candidates: it changes its vote,
/// counts who stands behind it, and tells the four others.
fn votes() {
    let now = Now { mono: Mono(1_000_000_000), wall_ms: 1_000_000 };
    let config = config(ServerId(1), 5);
    let verifier = QuorumVerifier::new(&config);
    let text: Bytes = verifier.config_text().into();
    let mut election = Election::new(&config, verifier);
    let mut out = Vec::new();
    election.step(
        now,
        Heard::Look { zxid: Zxid(1), epoch: Epoch(1), after_term: false, successor: None },
        &mut out,
    );
    let round = election.round();
    let told = |n: u64| {
        let from = ServerId(2 + (n % 4) as i64);
        let notification = Notification {
            state: PeerState::Looking,
            leader: from,
            zxid: Zxid(0x1_0000_0000 + n as i64),
            election_epoch: round,
            peer_epoch: Epoch(1),
            version: NOTIFICATION_VERSION,
            config: Some(text.clone()),
            form: Form::Current,
            trailing: Bytes::new(),
        };
        (from, notification.encode())
    };
    for n in 0..TIMES {
        let (from, body) = told(n);
        out.clear();
        counted_vote(&mut election, now, from, body, &mut out);
        let sent = out.iter().filter(|said| matches!(said, Said::Send { .. })).count();
        assert_eq!((sent, election.vote().leader), (4, from), "it follows the better vote");
    }
}

#[inline(never)]
fn counted_vote(
    election: &mut Election,
    now: Now,
    from: ServerId,
    body: Bytes,
    out: &mut Vec<Said>,
) {
    let notification = Notification::decode(body).expect("a notification of ours");
    election.step(now, Heard::Notification { from, notification }, out);
}
