//! A learner's history goes out portion by portion, from memory and from the log.

use std::rc::Rc;
use std::time::Duration;

use super::core::{HistoryRead, Input, Output};
use super::core_test::{A, B, Bench, ack_epoch, five_voters, proposal, sent};
use super::handler::{Awaited, Phase};
use crate::base::{Dismissed, Epoch, LinkId, Note, ServerId, Zxid};
use crate::database::Database;
use crate::jute::txn::Proposal;
use crate::storage::EpochKind;
use crate::zab::Packet;

/// Far above everything: it is answered with a snapshot.
const ANOTHER_HISTORY: i64 = 0x5_0000_0000;

fn z(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

fn proposals(range: std::ops::RangeInclusive<u32>) -> Vec<Rc<Proposal>> {
    range.map(|counter| proposal(z(counter))).collect()
}

/// Server 1 follows, and the committed log keeps two transactions.
fn bench() -> Bench {
    keeping(2)
}

fn keeping(transactions: usize) -> Bench {
    let mut bench = Bench::established();
    bench.db = Database::empty(transactions);
    bench.db.set_epoch(EpochKind::Accepted, Epoch(1));
    bench.db.set_epoch(EpochKind::Current, Epoch(1));
    bench
}

impl Bench {
    /// Committed and applied. Our own log has it too if `is_durable`.
    fn commit(&mut self, counter: u32, is_durable: bool) -> Vec<Output> {
        let mut out = self.propose(z(counter));
        if is_durable {
            self.db.set_durable(z(counter));
            out.extend(self.step(Input::Durable(z(counter))));
        }
        out.extend(self.packet(A, Packet::Ack { zxid: z(counter) }));
        while self.db.apply_next().is_some() {}
        out
    }

    /// Server 2 says that its log ends there.
    fn join(&mut self, last: i64) -> Vec<Output> {
        self.connect(B, 2, 1);
        self.packet(B, ack_epoch(last, None))
    }

    fn drain(&mut self) -> Vec<Output> {
        self.step(Input::Drained(B))
    }

    /// Until the snapshot is out.
    fn drain_snapshot(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        while self.leader.handlers[&B].phase == Phase::SendingSnapshot {
            out = self.drain();
        }
        out
    }

    fn answer(&mut self, read: HistoryRead) -> Vec<Output> {
        let Some(Awaited::Log { from, .. }) = self.leader.handlers[&B].awaits else {
            panic!("nothing is read")
        };
        self.step(Input::HistoryRead { link: B, from, read })
    }

    fn read(&mut self, records: Vec<Rc<Proposal>>) -> Vec<Output> {
        self.answer(HistoryRead::Records { records, next: None })
    }
}

fn asked(out: &[Output]) -> Option<(Zxid, Zxid)> {
    out.iter().find_map(|output| match output {
        Output::ReadHistory { from, up_to, .. } => Some((*from, *up_to)),
        _ => None,
    })
}

/// The zxids of the proposals, and whether NEWLEADER is among all that was sent.
fn history(out: &[Output]) -> (Vec<u32>, bool) {
    let zxid = |output: &Output| match output {
        Output::Send(link, Packet::Proposal(proposal)) if *link == B => {
            Some(proposal.zxid().counter())
        }
        _ => None,
    };
    let is_asked = sent(out, B).iter().any(|packet| packet.starts_with("NEWLEADER"));
    (out.iter().filter_map(zxid).collect(), is_asked)
}

#[test]
fn behind_a_snapshot_the_log_is_read_for_what_memory_no_longer_holds() {
    let mut bench = bench();
    bench.leader.snapshot_slice = 1;
    bench.commit(1, true);
    bench.join(ANOTHER_HISTORY);
    for counter in 2..=6 {
        assert!(sent(&bench.commit(counter, true), B).is_empty(), "nothing queues up for it");
    }
    let out = bench.drain_snapshot();
    assert_eq!(asked(&out), Some((z(2), z(6))));
    // The committed log keeps what the reading will end before, however long that takes.
    for counter in 7..=10 {
        bench.commit(counter, true);
    }
    let out = bench.read(proposals(2..=6));
    assert_eq!(history(&out), ((2..=10).collect(), true), "{out:?}");
    bench.commit(11, true);
    assert_eq!(bench.db.committed_log().count(), 2, "nobody reads any more");
}

#[test]
fn a_portion_goes_out_when_the_one_before_it_has_left() {
    let mut bench = keeping(100);
    for counter in 1..=9 {
        bench.commit(counter, true);
    }
    bench.leader.portion_bytes = 3 * proposal(z(1)).bytes().len();
    let out = bench.join(z(1).0);
    assert_eq!(history(&out), (vec![2, 3, 4], false));
    assert!(sent(&bench.propose(z(10)), B).is_empty(), "it is not registered yet");
    assert_eq!(history(&bench.drain()), (vec![5, 6, 7], false));
    // With the last portion it gets what is proposed, and is registered.
    assert_eq!(history(&bench.drain()), (vec![8, 9, 10], true));
    assert_eq!(history(&bench.propose(z(11))), (vec![11], false));
}

#[test]
fn a_log_on_disk_goes_out_in_portions_too() {
    let mut bench = bench();
    for counter in 1..=9 {
        bench.commit(counter, true);
    }
    let out = bench.join(z(1).0);
    assert_eq!(asked(&out), Some((z(1), z(9))));
    assert_eq!(bench.leader.handlers[&B].phase, Phase::ReadingLog);
    let out = bench.read(proposals(1..=4));
    assert!(sent(&out, B)[0].starts_with("DIFF"), "{out:?}");
    assert_eq!((history(&out).0, asked(&out)), (vec![2, 3, 4], None));
    assert_eq!(asked(&bench.drain()), Some((z(5), z(9))));
    let out = bench.read(proposals(5..=9));
    assert_eq!(history(&out), ((5..=9).collect(), true));
}

#[test]
fn a_log_that_went_another_way_than_the_learner_is_no_history_for_it() {
    let mut bench = bench();
    for counter in 1..=9 {
        bench.commit(counter, true);
    }
    bench.join(z(1).0);
    let out = bench.read(proposals(2..=4));
    assert!(sent(&out, B)[0].starts_with("SNAP"), "{out:?}");
}

#[test]
fn history_that_is_gone_or_has_a_hole_ends_the_link() {
    let gone = |out: &[Output]| {
        let server = ServerId(2);
        let why = Dismissed::HistoryGone { server };
        out.iter().any(|output| matches!(output, Output::Close(B, is) if *is == why))
    };
    for records in [None, Some(proposals(4..=6))] {
        let mut bench = bench();
        bench.leader.snapshot_slice = 1;
        bench.commit(1, true);
        bench.join(ANOTHER_HISTORY);
        for counter in 2..=9 {
            bench.commit(counter, true);
        }
        bench.drain_snapshot();
        let out = match records {
            None => bench.answer(HistoryRead::Gone),
            Some(records) => bench.read(records),
        };
        assert!(gone(&out), "{out:?}");
    }
}

#[test]
fn a_transaction_in_the_log_that_no_learner_takes_is_passed_by_with_a_snapshot() {
    let mut bench = bench();
    for counter in 1..=9 {
        bench.commit(counter, true);
    }
    bench.join(z(1).0);
    bench.read(proposals(1..=2));
    bench.drain();
    bench.leader.txn_bytes_max = proposal(z(1)).bytes().len() - 1;
    let out = bench.read(proposals(3..=4));
    assert!(out.iter().any(|output| matches!(output, Output::Close(B, _))), "{out:?}");
    assert!(sent(&out, B).is_empty(), "{out:?}");
    let out = bench.join(z(2).0);
    assert!(sent(&out, B).iter().any(|packet| packet.starts_with("SNAP")), "{out:?}");
}

/// The others have it on disk, and we do not: it is committed.
#[test]
fn a_leader_whose_own_log_is_behind_reads_it_when_it_is_there() {
    let mut bench = Bench::new();
    bench.db = Database::empty(2);
    bench.leader.snapshot_slice = 1;
    bench.leader.verifier = five_voters();
    let others = [(LinkId(7), 4), (LinkId(9), 5)];
    let followers = [(A, 1), others[0], others[1]];
    for (link, sid) in followers {
        bench.connect(link, sid, 0);
    }
    bench.durable(EpochKind::Accepted, 1);
    for (link, _) in followers {
        bench.packet(link, ack_epoch(0, Some(0)));
    }
    bench.durable(EpochKind::Current, 1);
    for (link, _) in followers {
        bench.packet(link, Packet::Ack { zxid: z(0) });
    }
    bench.commit(1, true);
    for (link, _) in others {
        bench.packet(link, Packet::Ack { zxid: z(1) });
    }
    while bench.db.apply_next().is_some() {}
    bench.join(ANOTHER_HISTORY);
    for counter in 2..=9 {
        bench.commit(counter, false);
        for (link, _) in others {
            bench.packet(link, Packet::Ack { zxid: z(counter) });
        }
        while bench.db.apply_next().is_some() {}
    }
    assert_eq!(bench.db.committed(), z(9));
    assert_eq!(asked(&bench.drain_snapshot()), None);
    bench.db.set_durable(z(5));
    let out = bench.step(Input::Durable(z(5)));
    assert_eq!(asked(&out), Some((z(2), z(5))));
}

#[test]
fn a_long_synchronisation_is_told_of() {
    let mut bench = keeping(100);
    for counter in 1..=10 {
        bench.commit(counter, true);
    }
    bench.leader.portion_bytes = 1;
    bench.join(z(2).0);
    bench.drain();
    assert_eq!(bench.leader.syncs(&bench.db).map(|sync| sync.percent).collect::<Vec<_>>(), [25]);
    bench.pass(Duration::from_secs(9));
    assert_eq!(told(&bench.drain()), None);
    bench.pass(Duration::from_secs(1));
    assert_eq!(told(&bench.drain()), Some((50, 10_000)));
    assert_eq!(told(&bench.drain()), None);
    while bench.leader.handlers[&B].phase != Phase::Syncing {
        bench.drain();
    }
    assert_eq!(bench.leader.syncs(&bench.db).count(), 0);
}

fn told(out: &[Output]) -> Option<(u64, u64)> {
    out.iter().find_map(|output| match output {
        Output::Note(Note::SyncProgress { percent, took_ms, .. }) => Some((*percent, *took_ms)),
        _ => None,
    })
}

/// Where the next epoch begins says nothing of where the last one ended.
#[test]
fn a_portion_that_ends_within_an_epoch_is_not_followed_by_the_next_epoch() {
    let mut bench = bench();
    bench.have_an_old_epoch();
    bench.commit(1, true);
    bench.commit(2, true);
    bench.join(old(1).0);
    let records = (1..=5).map(|counter| proposal(old(counter))).collect();
    bench.read(records);
    assert_eq!(asked(&bench.drain()), Some((old(6), z(2))));
    let records = (6..=9).map(|counter| proposal(old(counter)));
    let out = bench.read(records.chain(proposals(1..=2)).collect());
    assert_eq!(history(&out), (vec![6, 7, 8, 9, 1, 2], true));
}

impl Bench {
    fn have_an_old_epoch(&mut self) {
        for counter in 1..=9 {
            self.db.append(proposal(old(counter)));
        }
        self.db.commit_to(old(9));
        while self.db.apply_next().is_some() {}
    }
}

fn old(counter: u32) -> Zxid {
    Zxid::new(Epoch(0), counter)
}

#[test]
fn who_waits_too_long_for_the_log_gets_a_snapshot() {
    let mut bench = bench();
    for counter in 1..=9 {
        bench.commit(counter, true);
    }
    bench.join(z(1).0);
    let half = bench.leader.init_timeout / 2;
    bench.pass(half);
    assert!(bench.leader.next_deadline() <= bench.now.mono);
    let out = bench.step(Input::Timer);
    assert!(sent(&out, B)[0].starts_with("SNAP"), "{out:?}");
    let read = HistoryRead::Records { records: proposals(1..=9), next: None };
    let late = bench.step(Input::HistoryRead { link: B, from: z(1), read });
    assert!(late.is_empty(), "{late:?}");
}

#[test]
fn a_leadership_lasts_as_long_as_the_history_of_its_quorum_moves() {
    let mut bench = Bench::new();
    bench.db = Database::empty(2);
    bench.have_an_old_epoch();
    bench.leader.snapshot_slice = 1;
    bench.connect(A, 1, 0);
    bench.durable(EpochKind::Accepted, 1);
    bench.packet(A, ack_epoch(0, Some(0)));
    bench.durable(EpochKind::Current, 1);
    let allowed = bench.leader.init_timeout;
    bench.pass(allowed * 3 / 4);
    bench.step(Input::Drained(A));
    bench.pass(allowed / 2);
    let out = bench.step(Input::Timer);
    assert!(!out.iter().any(|output| matches!(output, Output::GiveUp(_))), "{out:?}");
    bench.pass(allowed);
    let out = bench.step(Input::Timer);
    assert!(out.iter().any(|output| matches!(output, Output::GiveUp(_))), "{out:?}");
}
