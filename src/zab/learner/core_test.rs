//! The learner, input by input.

use std::rc::Rc;

use bytes::Bytes;

use super::core::{DIALS_MAX, Input, Learner, Output, Phase};
use crate::base::invariant::testing::each_fires;
use crate::base::limits::{EPOCH_MAX, EPOCH_OF_NOBODY};
use crate::base::{ConnId, Epoch, LinkId, Mono, Now, ServerId, SessionId, Zxid};
use crate::config::{ServerConfig, ServerSpec};
use crate::database::Database;
use crate::jute::txn::{ErrorTxn, Proposal, Txn, TxnHeader, kind};
use crate::quorum::QuorumVerifier;
use crate::storage::EpochKind;
use crate::zab::Packet;

pub(super) const LINK: LinkId = LinkId(2);

pub(super) struct Bench {
    pub(super) learner: Learner,
    pub(super) db: Database,
    now: Now,
    out: Vec<Output>,
}

pub(super) fn z(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

fn proposal(zxid: Zxid) -> Rc<Proposal> {
    let header = TxnHeader { client_id: SessionId(1), cxid: 1, zxid, time: 0, kind: kind::ERROR };
    Rc::new(Proposal::new(header, Txn::Error(ErrorTxn { err: -101 }), None))
}

/// Of server 1, with voters 1 to `count`.
pub(super) fn config(count: i64) -> ServerConfig {
    let mut config = ServerConfig::defaults(ServerId(1));
    for sid in 1..=count {
        config.servers.insert(ServerId(sid), ServerSpec::test(sid));
    }
    config
}

impl Bench {
    pub(super) fn new() -> Bench {
        let (config, now) = (config(3), Now::default());
        let (db, verifier) = (Database::empty(500), QuorumVerifier::new(&config));
        let mut out = Vec::new();
        let learner = Learner::new(now, &config, verifier, ServerId(3), LINK, &db, &mut out);
        assert!(matches!(out[..], [Output::Dial(LINK, ServerId(3))]));
        Bench { learner, db, now, out: Vec::new() }
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Output> {
        self.learner.step(self.now, input, &mut self.db, &mut self.out);
        std::mem::take(&mut self.out)
    }

    pub(super) fn packet(&mut self, packet: Packet) -> Vec<Output> {
        self.step(Input::Packet(LINK, packet))
    }

    pub(super) fn durable(&mut self, kind: EpochKind, epoch: i64) -> Vec<Output> {
        self.db.set_epoch(kind, Epoch(epoch));
        self.step(Input::EpochDurable(kind, Epoch(epoch)))
    }

    /// The disk is at work, for longer than any limit.
    fn works_for_long(&mut self) {
        self.now.mono = self.now.mono + self.learner.init_timeout * 10;
        assert!(!gave_up(&self.step(Input::Timer)), "{:?}", self.learner.phase);
    }

    /// Has promised epoch 1 and waits for the leader's history.
    pub(super) fn awaiting_sync() -> Bench {
        let mut bench = Bench::new();
        bench.step(Input::Connected(LINK));
        bench.packet(Packet::LeaderInfo { epoch: Epoch(1) });
        bench.durable(EpochKind::Accepted, 1);
        bench
    }

    /// Follows in epoch 1 with an empty history.
    pub(super) fn following() -> Bench {
        let mut bench = Bench::awaiting_sync();
        bench.packet(Packet::Diff { zxid: Zxid::ZERO });
        bench.packet(newleader());
        bench.durable(EpochKind::Current, 1);
        bench.packet(Packet::UpToDate);
        assert!(bench.learner.phase == Phase::Broadcast);
        bench
    }
}

pub(super) fn newleader() -> Packet {
    Packet::NewLeader { zxid: z(0), config: Some(Bytes::new()) }
}

pub(super) fn acks(out: &[Output]) -> Vec<Zxid> {
    let ack = |o: &Output| match o {
        Output::Send(_, Packet::Ack { zxid }) => Some(*zxid),
        _ => None,
    };
    out.iter().filter_map(ack).collect()
}

pub(super) fn appended(out: &[Output]) -> Vec<Zxid> {
    let zxid = |o: &Output| match o {
        Output::Append(proposal) => Some(proposal.zxid()),
        _ => None,
    };
    out.iter().filter_map(zxid).collect()
}

pub(super) fn gave_up(out: &[Output]) -> bool {
    out.iter().any(|o| matches!(o, Output::GiveUp(_)))
}

#[test]
fn the_epoch_is_acked_only_when_the_promise_is_durable() {
    let mut bench = Bench::new();
    bench.step(Input::Connected(LINK));
    let out = bench.packet(Packet::LeaderInfo { epoch: Epoch(1) });
    assert!(matches!(out[..], [Output::WriteEpoch(EpochKind::Accepted, Epoch(1))]), "{out:?}");
    let out = bench.durable(EpochKind::Accepted, 1);
    assert!(out.iter().any(|o| matches!(o, Output::Send(_, Packet::AckEpoch { .. }))), "{out:?}");
}

#[test]
fn an_epoch_promised_before_is_acked_without_a_vote() {
    let mut bench = Bench::new();
    bench.db.set_epoch(EpochKind::Accepted, Epoch(1));
    bench.step(Input::Connected(LINK));
    let out = bench.packet(Packet::LeaderInfo { epoch: Epoch(1) });
    let counted =
        |o: &Output| matches!(o, Output::Send(_, Packet::AckEpoch { current_epoch: None, .. }));
    assert!(out.iter().any(counted), "{out:?}");
}

#[test]
fn an_epoch_below_the_promise_is_refused() {
    let mut bench = Bench::new();
    bench.db.set_epoch(EpochKind::Accepted, Epoch(7));
    bench.step(Input::Connected(LINK));
    assert!(gave_up(&bench.packet(Packet::LeaderInfo { epoch: Epoch(1) })));
}

#[test]
fn an_epoch_that_nobody_can_have_reached_is_not_promised() {
    let offer = |accepted, epoch| {
        let mut bench = Bench::new();
        bench.db.set_epoch(EpochKind::Accepted, accepted);
        bench.step(Input::Connected(LINK));
        gave_up(&bench.packet(Packet::LeaderInfo { epoch }))
    };
    assert!(!offer(Epoch(0), EPOCH_OF_NOBODY), "a server that was wiped joins at any epoch");
    assert!(offer(Epoch(0), EPOCH_OF_NOBODY.next()));
    assert!(offer(Epoch(0), EPOCH_MAX));
    assert!(!offer(EPOCH_OF_NOBODY, EPOCH_OF_NOBODY.next()), "the next one is always in reach");
}

#[test]
fn newleader_is_acked_after_history_then_epoch_are_durable() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: z(1) });
    bench.packet(Packet::Proposal(proposal(z(1))));
    bench.packet(Packet::Commit { zxid: z(1) });
    let out = bench.packet(newleader());
    assert_eq!(appended(&out), [z(1)]);
    assert!(acks(&out).is_empty());
    let out = bench.step(Input::Durable(z(1)));
    assert!(matches!(out[..], [Output::WriteEpoch(EpochKind::Current, Epoch(1))]), "{out:?}");
    assert_eq!(acks(&bench.durable(EpochKind::Current, 1)), [z(0)]);
}

#[test]
fn a_diff_moves_nothing_before_its_proposals_come() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: z(9) });
    assert_eq!((bench.db.last_logged(), bench.db.committed()), (Zxid::ZERO, Zxid::ZERO));
}

#[test]
fn a_commit_between_newleader_and_uptodate_finds_its_proposal() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: Zxid::ZERO });
    bench.packet(Packet::Proposal(proposal(z(1))));
    bench.packet(newleader());
    assert!(!gave_up(&bench.packet(Packet::Commit { zxid: z(1) })), "it waits for our ack");
    let out = bench.durable(EpochKind::Current, 1);
    assert!(!gave_up(&out), "{out:?}");
    assert_eq!(acks(&out), [z(0)], "NEWLEADER is acked first");
    assert_eq!(bench.db.committed(), z(1));
}

#[test]
fn no_ack_before_the_log_is_durable() {
    let mut bench = Bench::following();
    let out = bench.packet(Packet::Proposal(proposal(z(1))));
    assert_eq!((appended(&out), acks(&out)), (vec![z(1)], vec![]));
    assert_eq!(acks(&bench.step(Input::Durable(z(1)))), [z(1)]);
}

#[test]
fn a_commit_of_something_else_ends_the_link() {
    let mut bench = Bench::following();
    bench.packet(Packet::Proposal(proposal(z(1))));
    assert!(gave_up(&bench.packet(Packet::Commit { zxid: z(2) })));
}

#[test]
fn a_hole_in_the_broadcast_ends_the_link() {
    let mut bench = Bench::following();
    bench.packet(Packet::Proposal(proposal(z(1))));
    assert!(gave_up(&bench.packet(Packet::Proposal(proposal(z(3))))));
}

#[test]
fn packets_wait_while_the_log_is_cut() {
    let mut bench = Bench::awaiting_sync();
    let out = bench.packet(Packet::Trunc { zxid: Zxid::ZERO });
    assert!(matches!(out[..], [Output::Truncate { to: Zxid::ZERO }]), "{out:?}");
    assert!(bench.packet(newleader()).is_empty());
    let out = bench.step(Input::Replaced);
    assert!(matches!(out[..], [Output::WriteEpoch(EpochKind::Current, Epoch(1))]), "{out:?}");
}

/// Apache's leaders queue packets from a learner's registration on, and choose the zxid of its
/// snapshot later.
#[test]
fn what_a_snapshot_holds_is_not_logged_again() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Snap { zxid: z(2) });
    bench.step(Input::Snapshot(LINK, Bytes::new().into()));
    for n in 1..=3 {
        bench.packet(Packet::Proposal(proposal(z(n))));
        bench.packet(Packet::Commit { zxid: z(n) });
    }
    for n in 1..=2 {
        bench.db.append(proposal(z(n)));
    }
    bench.db.fast_forward(); // as if it were the snapshot
    let out = bench.step(Input::Replaced);
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(appended(&bench.packet(newleader())), [z(3)]);
}

#[test]
fn a_snapshot_may_take_longer_than_init_limit_as_long_as_it_moves() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Snap { zxid: z(2) });
    for _ in 0..3 {
        let late = bench.learner.next_deadline();
        bench.now.mono = Mono(late.0 - 1);
        bench.step(Input::Progress(LINK));
        bench.now.mono = late;
        assert!(!gave_up(&bench.step(Input::Timer)));
    }
    bench.now.mono = bench.learner.next_deadline();
    assert!(gave_up(&bench.step(Input::Timer)), "it stands still");
}

#[test]
fn what_our_own_disk_takes_is_not_held_against_the_leader() {
    let mut bench = Bench::new();
    bench.step(Input::Connected(LINK));
    bench.packet(Packet::LeaderInfo { epoch: Epoch(1) });
    bench.works_for_long();
    bench.durable(EpochKind::Accepted, 1);
    bench.packet(Packet::Snap { zxid: Zxid::ZERO });
    bench.step(Input::Snapshot(LINK, Bytes::new().into()));
    bench.packet(Packet::Proposal(proposal(z(1))));
    bench.packet(Packet::Commit { zxid: z(1) });
    bench.packet(newleader());
    bench.works_for_long();
    bench.step(Input::Replaced);
    bench.works_for_long();
    bench.step(Input::Durable(z(1)));
    bench.works_for_long();
    let out = bench.durable(EpochKind::Current, 1);
    assert_eq!(acks(&out), [z(0)]);
    assert_eq!(bench.learner.next_deadline(), bench.now.mono + bench.learner.init_timeout);
}

#[test]
fn a_leader_that_is_not_established_may_be_silent_for_init_limit() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: Zxid::ZERO });
    bench.packet(newleader());
    bench.durable(EpochKind::Current, 1);
    bench.packet(Packet::Proposal(proposal(z(1))));
    bench.now.mono = bench.now.mono + bench.learner.sync_timeout;
    assert!(!gave_up(&bench.step(Input::Timer)));
    bench.now.mono = bench.learner.next_deadline();
    assert!(gave_up(&bench.step(Input::Timer)));
}

#[test]
fn an_unreachable_leader_is_dialled_for_as_long_as_apache_does() {
    let mut bench = Bench::new();
    let mut dials = 1;
    for _ in 0..20 {
        if gave_up(&bench.step(Input::DialFailed(bench.learner.link, "refused".into()))) {
            break;
        }
        bench.now.mono = bench.learner.next_deadline();
        dials += bench.step(Input::Timer).len();
    }
    assert_eq!((dials, bench.now.mono.millis()), (DIALS_MAX as usize, 420));
}

#[test]
fn a_silent_leader_is_left_after_sync_limit() {
    let mut bench = Bench::following();
    bench.now.mono = bench.learner.next_deadline();
    assert!(bench.now.mono > Mono(0) && gave_up(&bench.step(Input::Timer)));
}

#[test]
fn a_server_that_cannot_cut_its_log_asks_for_a_snapshot_and_is_not_counted() {
    let mut bench = Bench::new();
    bench.db.append(proposal(z(1)));
    bench.db.require_snapshot();
    bench.step(Input::Connected(LINK));
    bench.packet(Packet::LeaderInfo { epoch: Epoch(2) });
    let out = bench.durable(EpochKind::Accepted, 2);
    let asks = |output: &Output| {
        let ack = Packet::AckEpoch { last_zxid: Zxid::IN_NO_HISTORY, current_epoch: None };
        matches!(output, Output::Send(_, packet) if *packet == ack)
    };
    assert!(out.iter().any(asks), "{out:?}");
    let out = bench.packet(Packet::Diff { zxid: z(1) });
    assert!(matches!(out[..], [Output::GiveUp(_)]), "a DIFF goes on behind the wrong history");
}

#[test]
fn an_inform_behind_a_hole_ends_the_role_and_nothing_else() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: z(3) });
    let out = bench.packet(Packet::Inform(proposal(z(3))));
    assert!(matches!(out[..], [Output::GiveUp(_)]), "{out:?}");
    bench.packet(Packet::NewLeader { zxid: z(0), config: None });
}

#[test]
fn a_ping_is_answered_with_whom_we_heard_of_and_who_is_still_there() {
    let mut bench = Bench::following();
    let timeout_ms = 4000;
    for session in [1, 2] {
        bench.step(Input::Touch { session: SessionId(session), timeout_ms });
    }
    bench.step(Input::SessionClosed(SessionId(1)));
    let touched = |out: Vec<Output>| match &out[..] {
        [Output::Send(LINK, Packet::PingReply { touches, .. })] => {
            touches.iter().map(|touch| touch.session.0).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(touched(bench.packet(Packet::Ping { zxid: z(0) })), [2]);
    assert_eq!(touched(bench.packet(Packet::Ping { zxid: z(0) })), [0; 0]);
}

#[test]
fn syncs_are_answered_in_the_order_in_which_they_were_asked() {
    let mut bench = Bench::following();
    for conn in [7, 5] {
        let (session, body) = (SessionId(1), Bytes::new());
        let out = bench.step(Input::Sync { conn: ConnId(conn), session, cxid: 1, body });
        assert!(matches!(&out[..], [Output::Send(LINK, Packet::Request { .. })]), "{out:?}");
    }
    for conn in [7, 5] {
        let out = bench.packet(Packet::Sync);
        assert!(matches!(out[..], [Output::SyncDone { conn: to, .. }] if to == ConnId(conn)));
    }
}

#[test]
fn what_another_link_says_means_nothing() {
    let mut bench = Bench::following();
    let old = LinkId(0);
    let lost = Input::Lost(old, "reset".into());
    for input in [lost, Input::Packet(old, Packet::UpToDate), Input::Connected(old)] {
        assert!(bench.step(input).is_empty());
    }
    let out = bench.step(Input::Lost(LINK, "reset".into()));
    assert!(matches!(&out[..], [Output::GiveUp(_)]), "{out:?}");
    assert!(bench.packet(Packet::UpToDate).is_empty(), "the role is over");
    assert!(matches!(bench.step(Input::Stop)[..], [Output::Close(LINK)]));
}

#[test]
fn what_waited_behind_the_end_of_the_role_reaches_neither_log_nor_database() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: Zxid::ZERO });
    bench.packet(newleader());
    // They wait for currentEpoch: a hole, and what would go on behind the log's end.
    bench.packet(Packet::Proposal(proposal(z(7))));
    bench.packet(Packet::Proposal(proposal(z(1))));
    let out = bench.durable(EpochKind::Current, 1);
    assert!(gave_up(&out) && appended(&out).is_empty(), "{out:?}");
    assert_eq!(bench.db.last_logged(), Zxid::ZERO, "the log would not hold it");
}

#[test]
fn each_invariant_fires() {
    fn syncing() -> Bench {
        let mut bench = Bench::awaiting_sync();
        bench.packet(Packet::Diff { zxid: z(9) });
        bench
    }
    let good = Bench::following;
    each_fires(
        include_str!("invariants.rs"),
        |bench: &Bench| bench.learner.invariants(&bench.db),
        &[
            ("LN-2", good, |b| b.learner.to_log.push_back(proposal(z(1)))),
            ("LN-2", good, |b| b.learner.committed_in_sync = 1),
            ("LN-2", syncing, |b| b.learner.committed_in_sync = 1),
            ("S-14", syncing, |b| b.learner.to_log.push_back(proposal(z(5)))),
            ("LN-3", good, |b| b.learner.waiting.push_back(Packet::UpToDate)),
            ("LN-4", good, |b| b.learner.dial_at = Mono(0)),
            ("LN-5", syncing, |b| b.learner.syncs.push_back(ConnId(1))),
            ("S-13", syncing, |b| b.db.set_epoch(EpochKind::Accepted, Epoch(2))),
            ("S-13", good, |b| b.db.set_epoch(EpochKind::Current, Epoch(2))),
            ("S-18", good, |b| b.learner.durable = Zxid(-1)),
            ("I-11", good, |b| {
                b.learner.history_end = z(1);
                b.learner.durable = z(1);
            }),
        ],
    );
}
