//! The leader, input by input.
//!
//! Over 500 lines: one bench, and a case for each rule of it.

use std::rc::Rc;
use std::time::Duration;

use super::core::{Input, Leader, Output, Stage};
use super::handler::{Awaited, Handler, Phase};
use crate::base::invariant::testing::{each_fires, fires};
use crate::base::{Dismissed, Epoch, LinkId, Mono, Note, Now, PeerMisbehaved, ServerId};
use crate::base::{SessionId, Zxid};
use crate::config::{ServerConfig, ServerSpec};
use crate::database::Database;
use crate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION};
use crate::jute::txn::{ErrorTxn, Proposal, Txn, TxnHeader, kind};
use crate::quorum::{AckSet, QuorumVerifier};
use crate::storage::EpochKind;
use crate::tree::SnapshotCursor;
use crate::zab::Packet;

pub(super) const A: LinkId = LinkId(1);
pub(super) const B: LinkId = LinkId(3);
const OBSERVER: LinkId = LinkId(5);
pub(super) const NEWLEADER: Zxid = Zxid::new(Epoch(1), 0);

pub(super) struct Bench {
    pub(super) leader: Leader,
    pub(super) db: Database,
    pub(super) now: Now,
    out: Vec<Output>,
}

fn config() -> ServerConfig {
    let mut config = ServerConfig::defaults(ServerId(3));
    for sid in [1, 2, 3, 9] {
        let spec = ServerSpec::test(sid);
        let spec = if sid == 9 { spec.observing() } else { spec };
        config.servers.insert(ServerId(sid), spec);
    }
    config
}

pub(super) fn five_voters() -> QuorumVerifier {
    let mut config = config();
    for sid in [4, 5] {
        config.servers.insert(ServerId(sid), ServerSpec::test(sid));
    }
    QuorumVerifier::new(&config)
}

pub(super) fn proposal(zxid: Zxid) -> Rc<Proposal> {
    let header = TxnHeader { client_id: SessionId(1), cxid: 1, zxid, time: 0, kind: kind::ERROR };
    Rc::new(Proposal::new(header, Txn::Error(ErrorTxn { err: -101 }), None))
}

impl Bench {
    pub(super) fn new() -> Bench {
        let (config, now) = (config(), Now::default());
        let db = Database::empty(500);
        let mut out = Vec::new();
        let leader = Leader::new(now, &config, QuorumVerifier::new(&config), &db, &mut out);
        Bench { leader, db, now, out }
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Output> {
        self.leader.step(self.now, input, &mut self.db, &mut self.out);
        std::mem::take(&mut self.out)
    }

    pub(super) fn packet(&mut self, link: LinkId, packet: Packet) -> Vec<Output> {
        self.step(Input::Packet(link, packet))
    }

    pub(super) fn connect(&mut self, link: LinkId, sid: i64, accepted: i64) -> Vec<Output> {
        self.connect_with(link, sid, accepted, 0)
    }

    pub(super) fn connect_with(
        &mut self,
        link: LinkId,
        sid: i64,
        accepted: i64,
        config_version: i64,
    ) -> Vec<Output> {
        self.step(Input::Accepted(link));
        let info = LearnerInfo {
            server_id: ServerId(sid),
            protocol_version: PROTOCOL_VERSION,
            config_version,
        };
        let accepted_epoch = Epoch(accepted);
        self.packet(
            link,
            if sid == 9 {
                Packet::ObserverInfo { accepted_epoch, info }
            } else {
                Packet::FollowerInfo { accepted_epoch, info }
            },
        )
    }

    pub(super) fn durable(&mut self, kind: EpochKind, epoch: i64) -> Vec<Output> {
        self.db.set_epoch(kind, Epoch(epoch));
        self.step(Input::EpochDurable(kind, Epoch(epoch)))
    }

    /// Leads epoch 1 with server 1 synced over link A.
    pub(super) fn established() -> Bench {
        let mut bench = Bench::new();
        bench.connect(A, 1, 0);
        bench.durable(EpochKind::Accepted, 1);
        bench.packet(A, ack_epoch(0, Some(0)));
        bench.durable(EpochKind::Current, 1);
        bench.packet(A, Packet::Ack { zxid: NEWLEADER });
        assert!(bench.leader.is_established(), "server 1 and the leader are two of three");
        bench.packet(A, Packet::Ack { zxid: NEWLEADER }); // Of UPTODATE.
        bench
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
    }

    /// More than syncLimit passes; these learners answer each PING.
    fn pass_sync_limit(&mut self, answers: &[LinkId]) {
        let end = self.now.mono + self.leader.sync_timeout + self.leader.tick;
        while self.now.mono < end {
            self.now.mono = self.now.mono + self.leader.tick / 2;
            for link in answers {
                let (zxid, touches) = (Zxid::ZERO, Vec::new());
                self.packet(*link, Packet::PingReply { zxid, touches });
            }
            self.step(Input::Timer);
        }
    }

    pub(super) fn propose(&mut self, zxid: Zxid) -> Vec<Output> {
        self.step(Input::Propose(proposal(zxid)))
    }
}

pub(super) fn ack_epoch(last: i64, current: Option<i64>) -> Packet {
    Packet::AckEpoch { last_zxid: Zxid(last), current_epoch: current.map(Epoch) }
}

pub(super) fn sent(out: &[Output], link: LinkId) -> Vec<String> {
    let text = |o: &Output| match o {
        Output::Send(to, packet) if *to == link => Some(packet.to_string()),
        _ => None,
    };
    out.iter().filter_map(text).collect()
}

fn kinds(packets: &[String]) -> Vec<&str> {
    packets.iter().filter_map(|text| text.split([' ', '(']).next()).collect()
}

pub(super) fn committed(out: &[Output]) -> Vec<Zxid> {
    let zxid = |o: &Output| match o {
        Output::Note(Note::Committed { zxid, .. }) => Some(*zxid),
        _ => None,
    };
    out.iter().filter_map(zxid).collect()
}

fn gave_up(out: &[Output]) -> bool {
    out.iter().any(|o| matches!(o, Output::GiveUp(_)))
}

#[test]
fn no_epoch_is_offered_before_our_own_promise_is_durable() {
    let mut bench = Bench::new();
    let out = bench.connect(A, 1, 4);
    assert!(matches!(out[..], [Output::WriteEpoch(EpochKind::Accepted, Epoch(5))]), "{out:?}");
    let out = bench.durable(EpochKind::Accepted, 5);
    assert_eq!(sent(&out, A).len(), 1, "LEADERINFO leaves now: {out:?}");
}

#[test]
fn an_observer_makes_no_quorum_for_an_epoch() {
    let mut bench = Bench::new();
    let out = bench.connect(OBSERVER, 9, 7);
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn a_follower_that_is_ahead_ends_the_leadership() {
    let mut bench = Bench::new();
    bench.connect(A, 1, 0);
    bench.durable(EpochKind::Accepted, 1);
    let out = bench.packet(A, ack_epoch(0x1, Some(0)));
    assert!(gave_up(&out), "{out:?}");
}

#[test]
fn a_follower_that_acked_the_epoch_before_is_not_counted() {
    let mut bench = Bench::new();
    bench.connect(A, 1, 0);
    bench.durable(EpochKind::Accepted, 1);
    let out = bench.packet(A, ack_epoch(0, None));
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn nothing_is_synchronised_before_our_current_epoch_is_durable() {
    let mut bench = Bench::new();
    bench.connect(A, 1, 0);
    bench.durable(EpochKind::Accepted, 1);
    let out = bench.packet(A, ack_epoch(0, Some(0)));
    assert!(sent(&out, A).is_empty(), "{out:?}");
    let out = bench.durable(EpochKind::Current, 1);
    assert_eq!(sent(&out, A).len(), 2, "DIFF and NEWLEADER: {out:?}");
}

#[test]
fn a_proposal_acked_before_newleader_ends_the_link() {
    let mut bench = Bench::established();
    bench.connect(B, 2, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    let out = bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 1) });
    let [Output::Close(B, Dismissed::Misbehaved { did, .. })] = &out[..] else { panic!("{out:?}") };
    assert!(matches!(did, PeerMisbehaved::UnexpectedAck { .. }), "{did:?}");
}

/// Apache 3.8.0 logs the history in another thread than the one that acks NEWLEADER.
#[test]
fn an_ack_that_overtakes_the_one_of_newleader_counts_behind_it() {
    let mut bench = Bench::established();
    let zxid = Zxid::new(Epoch(1), 1);
    bench.propose(zxid);
    bench.step(Input::Durable(zxid));
    bench.connect(B, 2, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    assert!(bench.packet(B, Packet::Ack { zxid }).is_empty(), "it counts for nothing yet");
    let out = bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    assert_eq!(committed(&out), [zxid]);
}

#[test]
fn what_committed_before_newleader_need_not_be_acked_singly() {
    let mut bench = Bench::established();
    bench.leader.snapshot_slice = 1;
    let zxid = Zxid::new(Epoch(1), 1);
    bench.connect(B, 2, 1);
    bench.packet(B, ack_epoch(0x5_0000_0000, None));
    bench.propose(zxid);
    bench.packet(A, Packet::Ack { zxid });
    bench.step(Input::Durable(zxid));
    while bench.leader.handlers[&B].phase != Phase::Syncing {
        bench.step(Input::Drained(B));
    }
    bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    bench.pass_sync_limit(&[A, B]);
    assert!(bench.leader.handlers.contains_key(&B), "it has acked all of it with NEWLEADER");
}

#[test]
fn a_learner_has_time_as_long_as_its_snapshot_moves_and_then_as_long_again() {
    let mut bench = Bench::established();
    bench.leader.snapshot_slice = 1;
    bench.connect(B, 2, 1);
    bench.packet(B, ack_epoch(0x5_0000_0000, None));
    let allowed = bench.leader.init_timeout + bench.leader.sync_timeout;
    let mut slices = 0;
    while bench.leader.handlers[&B].phase != Phase::Syncing {
        bench.now.mono = bench.leader.handlers[&B].deadline;
        bench.step(Input::Drained(B));
        slices += 1;
    }
    assert!(slices >= 2);
    let saved = bench.now.mono + allowed * slices + allowed;
    assert_eq!(bench.leader.handlers[&B].deadline, saved);
    bench.now.mono = saved;
    bench.step(Input::Timer);
    assert!(!bench.leader.handlers.contains_key(&B), "it has not acked it");
}

/// Nothing is established before it has saved its snapshot.
#[test]
fn a_leadership_that_waits_for_a_snapshot_has_the_time_that_its_learner_has_to_save_it() {
    let mut bench = Bench::new();
    bench.leader.snapshot_slice = 1;
    bench.connect(A, 1, 0);
    bench.connect(B, 2, 0);
    bench.durable(EpochKind::Accepted, 1);
    bench.packet(A, ack_epoch(0, Some(0)));
    bench.packet(B, ack_epoch(0x5_0000_0000, None));
    bench.durable(EpochKind::Current, 1);
    let began = bench.now.mono;
    while bench.leader.handlers[&B].phase == Phase::SendingSnapshot {
        bench.pass(bench.leader.init_timeout);
        bench.step(Input::Drained(B));
    }
    assert_eq!(bench.leader.handlers[&B].phase, Phase::Syncing);
    let sending = bench.now.mono.since(began);
    assert_eq!(bench.leader.deadline, bench.now.mono + bench.leader.init_timeout + sending);
}

#[test]
fn the_time_for_an_ack_begins_with_the_ack_of_newleader() {
    let mut bench = Bench::established();
    let zxid = Zxid::new(Epoch(1), 1);
    bench.connect(B, 2, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    bench.propose(zxid);
    bench.now.mono = bench.now.mono + bench.leader.sync_timeout + bench.leader.tick;
    bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    bench.step(Input::Timer);
    assert!(bench.leader.handlers.contains_key(&B), "it had other things to write");
    bench.pass_sync_limit(&[A, B]);
    assert!(!bench.leader.handlers.contains_key(&B), "it acks nothing");
}

/// Apache's followers answer no PING before UPTODATE.
#[test]
fn a_synchronised_follower_may_be_silent_until_the_leader_is_established() {
    let mut bench = Bench::new();
    bench.leader.verifier = five_voters();
    bench.connect(A, 1, 0);
    bench.connect(B, 2, 0);
    bench.durable(EpochKind::Accepted, 1);
    bench.packet(A, ack_epoch(0, Some(0)));
    bench.packet(B, ack_epoch(0, Some(0)));
    bench.durable(EpochKind::Current, 1);
    bench.packet(A, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    assert!(!bench.leader.is_established());
    bench.pass_sync_limit(&[]);
    assert!(bench.leader.handlers.contains_key(&A));
    bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    assert!(bench.leader.is_established());
}

/// It may follow the leader of a later epoch by now.
#[test]
fn the_ack_of_a_learner_that_has_gone_does_not_help_to_establish_a_leader() {
    let mut bench = Bench::new();
    bench.leader.verifier = five_voters();
    let newleader = Zxid::new(Epoch(1), 0);
    bench.connect(A, 1, 0);
    bench.connect(B, 2, 0);
    bench.durable(EpochKind::Accepted, 1);
    bench.packet(A, ack_epoch(0, Some(0)));
    bench.packet(B, ack_epoch(0, Some(0)));
    bench.durable(EpochKind::Current, 1);
    bench.packet(A, Packet::Ack { zxid: newleader });
    bench.step(Input::Lost(A));
    bench.packet(B, Packet::Ack { zxid: newleader });
    assert!(!bench.leader.is_established(), "of five, the leader and server 2 are left");
    let again = LinkId(7);
    bench.connect(again, 1, 1);
    bench.packet(again, ack_epoch(0, None));
    bench.packet(again, Packet::Ack { zxid: newleader });
    assert!(bench.leader.is_established(), "server 1 is back");
}

#[test]
fn the_epoch_is_above_whatever_an_observer_has_accepted() {
    let mut bench = Bench::new();
    bench.connect(OBSERVER, 9, 7);
    let out = bench.connect(A, 1, 4);
    assert!(matches!(out[..], [Output::WriteEpoch(EpochKind::Accepted, Epoch(8))]), "{out:?}");
}

#[test]
fn a_proposal_commits_with_our_log_and_one_follower() {
    let mut bench = Bench::established();
    let zxid = Zxid::new(Epoch(1), 1);
    let out = bench.propose(zxid);
    assert_eq!(sent(&out, A).len(), 1);
    assert!(committed(&bench.packet(A, Packet::Ack { zxid })).is_empty(), "one of three");
    let out = bench.step(Input::Durable(zxid));
    assert_eq!(committed(&out), [zxid]);
    assert_eq!(bench.db.committed(), zxid);
}

#[test]
fn the_same_ack_twice_counts_once() {
    let mut bench = Bench::established();
    let zxid = Zxid::new(Epoch(1), 1);
    bench.propose(zxid);
    bench.packet(A, Packet::Ack { zxid });
    assert!(committed(&bench.packet(A, Packet::Ack { zxid })).is_empty());
}

#[test]
fn commits_leave_in_order_whatever_order_acks_come_in() {
    let mut bench = Bench::established();
    let (first, second) = (Zxid::new(Epoch(1), 1), Zxid::new(Epoch(1), 2));
    bench.propose(first);
    bench.propose(second);
    bench.packet(A, Packet::Ack { zxid: second });
    assert!(committed(&bench.step(Input::Durable(second))).is_empty(), "the first has no quorum");
    bench.step(Input::Durable(first));
    assert_eq!(committed(&bench.packet(A, Packet::Ack { zxid: first })), [first, second]);
}

#[test]
fn a_learner_that_joins_gets_outstanding_proposals_and_everything_after() {
    let mut bench = Bench::established();
    let (first, second) = (Zxid::new(Epoch(1), 1), Zxid::new(Epoch(1), 2));
    bench.propose(first);
    bench.connect(B, 2, 1);
    let out = bench.packet(B, ack_epoch(0, Some(0)));
    assert_eq!(kinds(&sent(&out, B)), ["DIFF", "NEWLEADER", "PROPOSAL"], "{out:?}");
    let out = bench.propose(second);
    assert_eq!(sent(&out, B).len(), 1, "it is registered: {out:?}");
}

#[test]
fn a_leader_without_a_quorum_steps_down_although_an_observer_is_there() {
    let mut bench = Bench::established();
    bench.connect(OBSERVER, 9, 0);
    bench.packet(OBSERVER, ack_epoch(0, Some(0)));
    bench.packet(OBSERVER, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    bench.leader.handlers.get_mut(&A).expect("it follows").deadline = Mono(0); // it is silent
    let mut down = false;
    for _ in 0..2 {
        let at = bench.leader.next_ping.0;
        bench.now.mono = Mono(at);
        down |= gave_up(&bench.step(Input::Timer));
    }
    assert!(down, "one voter of three is no quorum");
}

#[test]
fn a_leader_whose_last_quorum_hangs_up_steps_down_at_once() {
    let mut bench = Bench::established();
    assert!(gave_up(&bench.step(Input::Lost(A))));

    // The other follower is there, or the one that is lost has come back already.
    let mut bench = Bench::established();
    bench.connect(B, 2, 1);
    assert!(!gave_up(&bench.step(Input::Lost(A))));
    let mut bench = Bench::established();
    bench.connect(B, 1, 1);
    assert!(!gave_up(&bench.step(Input::Lost(A))));
    assert!(gave_up(&bench.step(Input::Lost(B))));

    // Strangers and observers are no voters.
    let mut bench = Bench::established();
    bench.connect(OBSERVER, 9, 1);
    bench.connect(B, 8, 1);
    assert!(gave_up(&bench.step(Input::Lost(A))));
}

#[test]
fn a_sync_waits_for_what_was_proposed_before_it() {
    let mut bench = Bench::established();
    let zxid = Zxid::new(Epoch(1), 1);
    bench.propose(zxid);
    let out = bench.step(Input::Sync(super::SyncOrigin::Learner(A)));
    assert!(out.is_empty(), "{out:?}");
    bench.step(Input::Durable(zxid));
    let out = bench.packet(A, Packet::Ack { zxid });
    let to_a = sent(&out, A);
    assert!(to_a.len() == 2 && to_a[1].starts_with("SYNC"), "COMMIT, then SYNC: {to_a:?}");
}

#[test]
fn the_counter_of_an_epoch_does_not_run_into_the_next() {
    let mut bench = Bench::established();
    bench.leader.broadcast.begin(Zxid::new(Epoch(1), u32::MAX - 1));
    let out = bench.propose(bench.leader.next_zxid());
    assert!(matches!(&out[..], [Output::GiveUp(_)]), "{out:?}");
}

#[test]
fn an_ack_counts_no_more_when_its_server_is_synchronised_anew() {
    let mut bench = Bench::established();
    let zxid = Zxid::new(Epoch(1), 1);
    bench.propose(zxid);
    bench.packet(A, Packet::Ack { zxid });
    bench.connect(B, 1, 1);
    bench.step(Input::Lost(A));
    let out = bench.packet(B, ack_epoch(zxid.0, Some(1)));
    assert!(sent(&out, B)[0].starts_with("TRUNC"), "{out:?}");
    assert!(committed(&bench.step(Input::Durable(zxid))).is_empty(), "server 1 cuts it just now");
}

#[test]
fn newleader_follows_what_was_committed_while_a_snapshot_was_written_and_nothing_else() {
    let mut bench = Bench::established();
    bench.leader.snapshot_slice = 1;
    let (zxid, outstanding) = (Zxid::new(Epoch(1), 1), Zxid::new(Epoch(1), 2));
    bench.connect(B, 2, 1);
    let out = bench.packet(B, ack_epoch(0x5_0000_0000, None));
    assert!(sent(&out, B)[0].starts_with("SNAP") && sent(&out, B).len() == 1, "{out:?}");
    bench.propose(zxid);
    bench.propose(outstanding);
    bench.packet(A, Packet::Ack { zxid });
    assert!(sent(&bench.step(Input::Durable(zxid)), B).is_empty(), "it waits for the snapshot");
    let mut to_b = Vec::new();
    for _ in 0..10 {
        to_b.extend(sent(&bench.step(Input::Drained(B)), B));
    }
    assert_eq!(kinds(&to_b), ["PROPOSAL", "COMMIT", "NEWLEADER", "PROPOSAL"], "{to_b:?}");
    let out = bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    assert!(sent(&out, B)[0].starts_with("UPTODATE"), "{out:?}");
}

#[test]
fn a_transaction_that_no_learner_takes_reaches_it_in_a_snapshot() {
    let (first, second) = (Zxid::new(Epoch(1), 1), Zxid::new(Epoch(1), 2));
    for (max, how) in [(1000, "DIFF"), (10, "SNAP")] {
        let mut bench = Bench::established();
        for zxid in [first, second] {
            bench.propose(zxid);
            bench.packet(A, Packet::Ack { zxid });
            bench.step(Input::Durable(zxid));
        }
        while bench.db.apply_next().is_some() {}
        bench.leader.txn_bytes_max = max;
        bench.connect(B, 2, 1);
        let to_b = sent(&bench.packet(B, ack_epoch(first.0, Some(1))), B);
        assert!(to_b[0].starts_with(how), "{to_b:?}");
        let alone = to_b.iter().any(|packet| packet.starts_with("PROPOSAL"));
        assert_eq!(alone, how == "DIFF", "{to_b:?}");
    }
    fires("BR-2", || {
        let mut bench = Bench::established();
        bench.leader.txn_bytes_max = 10;
        bench.propose(first)
    });
}

#[test]
fn nothing_follows_the_end_of_a_leadership_until_it_is_stopped() {
    let mut bench = Bench::new();
    bench.connect(A, 1, 0);
    bench.now.mono = bench.leader.epoch_deadline;
    bench.leader.next_ping = bench.now.mono;
    bench.durable(EpochKind::Accepted, 1);
    bench.now.mono = bench.leader.deadline;
    let out = bench.step(Input::Timer);
    assert!(matches!(&out[..], [Output::GiveUp(_)]), "no ping, no link is closed: {out:?}");
    let out = bench.packet(A, ack_epoch(0, Some(0)));
    assert!(out.is_empty(), "{out:?}");
    let out = bench.step(Input::Stop);
    assert!(matches!(&out[..], [Output::Close(A, _)]), "{out:?}");
}

#[test]
fn an_ack_of_newleader_before_the_snapshot_has_left_ends_the_link() {
    let mut bench = Bench::established();
    bench.leader.snapshot_slice = 1;
    bench.connect(B, 2, 1);
    let out = bench.packet(B, ack_epoch(0x5_0000_0000, None));
    assert!(sent(&out, B)[0].starts_with("SNAP"), "{out:?}");
    let out = bench.packet(B, Packet::Ack { zxid: Zxid::new(Epoch(1), 0) });
    let Some(Output::Close(B, Dismissed::Misbehaved { server, did })) = out.last() else {
        panic!("{out:?}");
    };
    assert_eq!(*server, ServerId(2));
    assert!(
        matches!(did, PeerMisbehaved::UnexpectedAck { phase: "SendingSnapshot", .. }),
        "{did:?}"
    );
}

#[test]
fn each_invariant_fires() {
    /// Server 1 follows over A; a proposal is on its way.
    fn leading() -> Bench {
        let mut bench = Bench::established();
        bench.propose(Zxid::new(Epoch(1), 1));
        bench
    }
    fn learner(bench: &mut Bench) -> &mut Handler {
        bench.leader.handlers.get_mut(&A).expect("it is connected")
    }
    fn observer_in(set: &mut AckSet) {
        set.add(ServerId(9), &QuorumVerifier::alone(ServerId(9)));
    }
    let good = leading;
    each_fires(
        include_str!("invariants.rs"),
        |bench: &Bench| bench.leader.invariants(&bench.db),
        &[
            ("I-7", good, |b| b.leader.stage = Stage::Synchronisation),
            ("S-20", good, |b| b.leader.connecting.remove(ServerId(3))),
            ("S-20", good, |b| b.leader.electing.remove(ServerId(1))),
            ("S-20", good, |b| b.leader.newleader_acks = AckSet::default()),
            ("S-20", good, |b| observer_in(&mut b.leader.electing)),
            ("I-1", good, |b| b.leader.max_accepted = Epoch(1)),
            ("S-13", good, |b| b.db.set_epoch(EpochKind::Accepted, Epoch(2))),
            ("S-13", good, |b| b.db.set_epoch(EpochKind::Current, Epoch(2))),
            ("LD-2", good, |b| {
                let second =
                    Handler { sid: ServerId(1), phase: Phase::Serving, ..Handler::new(Mono(0)) };
                b.leader.handlers.insert(B, second);
            }),
            ("LD-2", good, |b| learner(b).shadow = true),
            ("LD-3", good, |b| learner(b).phase = Phase::Synced),
            ("LD-3", good, |b| learner(b).phase = Phase::AwaitEpoch),
            ("LD-3", good, |b| learner(b).phase = Phase::AwaitElection),
            ("LD-4", good, |b| learner(b).awaits = Some(Awaited::Link)),
            ("LD-4", good, |b| learner(b).snapshot = Some(SnapshotCursor::new())),
            ("I-11", good, |b| {
                let verifier = b.leader.verifier.clone();
                b.leader.newleader_acks.add(ServerId(2), &verifier);
                b.leader.newleader_acks.remove(ServerId(1));
            }),
        ],
    );
    fires("S-14", || leading().propose(Zxid::new(Epoch(1), 3)));
    let observer = ServerConfig { my_id: ServerId(9), ..config() };
    let verifier = QuorumVerifier::new(&observer);
    let (now, db) = (Now::default(), Database::empty(500));
    fires("E-4", || Leader::new(now, &observer, verifier, &db, &mut Vec::new()));
}
