//! What was proposed and has no quorum yet.                          (Leader.outstandingProposals)
//!
//! - S-14  zxids are given one behind the other, and what is committed goes up to the first that
//!   is outstanding
//! - BR-1  commits leave in zxid order: the oldest proposal is the one that waits for its quorum

use std::collections::VecDeque;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::base::{COSTLY_CHECKS, ConnId, LinkId, Mono, Museum, ServerId, Zxid, invariant};
use crate::database::Database;
use crate::jute::txn::Proposal;
use crate::quorum::{AckSet, QuorumVerifier};

/// Who asked for a sync.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SyncOrigin {
    Learner(LinkId),
    Local(ConnId),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outstanding {
    pub(super) proposal: Rc<Proposal>,
    pub(super) acks: AckSet,
    pub(super) proposed: Mono,
    /// When our own log had it.
    pub(super) durable: Option<Mono>,
    /// Syncs that are answered right behind this commit.
    pub(super) syncs: VecDeque<SyncOrigin>,
}

impl Outstanding {
    fn zxid(&self) -> Zxid {
        self.proposal.zxid()
    }
}

/// Proposals that have no quorum yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Broadcast {
    /// Their zxids follow each other without a gap.
    outstanding: VecDeque<Outstanding>,
    pub(super) last_proposed: Zxid,
    museum: Museum,
}

impl Broadcast {
    pub(super) fn new(museum: Museum) -> Broadcast {
        Broadcast { outstanding: VecDeque::new(), last_proposed: Zxid::ZERO, museum }
    }

    /// Zxids go on after `last`.
    pub(super) fn begin(&mut self, last: Zxid) {
        self.last_proposed = last;
    }

    /// The next proposal waits for its acks.
    pub(super) fn propose(&mut self, proposed: Mono, proposal: Rc<Proposal>) {
        self.last_proposed = proposal.zxid();
        let (acks, syncs) = (AckSet::new(self.museum), VecDeque::new());
        let durable = None;
        self.outstanding.push_back(Outstanding { proposal, acks, proposed, durable, syncs });
    }

    pub(super) fn outstanding_at(&mut self, zxid: Zxid) -> Option<&mut Outstanding> {
        let place = zxid.0.checked_sub(self.outstanding.front()?.zxid().0)?;
        self.outstanding.get_mut(usize::try_from(place).ok()?)
    }

    pub(super) fn newest(&mut self) -> Option<&mut Outstanding> {
        self.outstanding.back_mut()
    }

    /// Takes the oldest out if it has its quorum.
    pub(super) fn take_decided(&mut self, verifier: &QuorumVerifier) -> Option<Outstanding> {
        self.outstanding.pop_front_if(|oldest| oldest.acks.has_quorum(verifier))
    }

    pub(super) fn outstanding_proposals(&self) -> Vec<Rc<Proposal>> {
        self.outstanding.iter().map(|o| o.proposal.clone()).collect()
    }

    /// A learner is synchronised anew: TRUNC may cut what it has acked, so its acks of proposals
    /// without a commit count no more. It gets these proposals again, and acks them again (S-12).
    pub(super) fn forget_acks_of(&mut self, sid: ServerId) {
        for outstanding in &mut self.outstanding {
            outstanding.acks.remove(sid);
        }
    }

    pub(super) fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    /// Whether every proposal is committed.
    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// What must hold between two steps, once zxids are given. `commits`: the leader is established.
    pub(super) fn invariants(&self, commits: bool, db: &Database, verifier: &QuorumVerifier) {
        let (committed, last) = (db.committed(), self.last_proposed);
        let Some((oldest, newest)) = self.outstanding.front().zip(self.outstanding.back()) else {
            let level = committed == last || (last.counter() == 0 && committed < last);
            return invariant!(level, "S-14", "{last} was proposed last, {committed} is committed");
        };
        let (first, newest) = (oldest.zxid(), newest.zxid());
        invariant!(newest == last, "S-14", "{newest} is outstanding, {last} was proposed last");
        let is_next = committed.is_followed_by(first);
        invariant!(is_next, "S-14", "{first} is outstanding, {committed} is committed");
        let row = (newest.0 - first.0 + 1) as usize;
        let held = self.outstanding.len();
        invariant!(row == held, "S-14", "{held} outstanding from {first} to {newest}");
        let waits = !COSTLY_CHECKS || !commits || !oldest.acks.has_quorum(verifier);
        invariant!(waits, "BR-1", "{first} is not committed, by {:?}", oldest.acks);
    }
}

#[cfg(test)]
mod tests {
    use super::super::core_test::proposal;
    use super::*;
    use crate::base::Epoch;
    use crate::base::invariant::testing::each_fires;

    type State = (Broadcast, Database);

    const ME: ServerId = ServerId(3);

    fn z(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    /// 1 is committed; 2 to 4 are not.
    fn good() -> State {
        let (mut broadcast, mut db) = (Broadcast::new(Museum::default()), Database::empty(500));
        for n in 1..=4 {
            let proposal = proposal(z(n));
            db.append(proposal.clone());
            broadcast.propose(Mono(0), proposal);
        }
        broadcast.outstanding.pop_front();
        db.commit_to(z(1));
        (broadcast, db)
    }

    #[test]
    fn each_invariant_fires() {
        let alone = QuorumVerifier::alone(ME);
        each_fires(
            include_str!("outstanding.rs"),
            |(broadcast, db): &State| broadcast.invariants(true, db, &alone),
            &[
                ("S-14", good, |(broadcast, _)| broadcast.outstanding.clear()),
                ("S-14", good, |(broadcast, _)| broadcast.begin(z(5))),
                ("S-14", good, |(_, db)| db.commit_to(z(2))),
                ("S-14", good, |(broadcast, _)| _ = broadcast.outstanding.remove(1)),
                ("BR-1", good, |(broadcast, _)| {
                    let oldest = broadcast.outstanding_at(z(2)).expect("it is there");
                    oldest.acks.add(ME, &QuorumVerifier::alone(ME));
                }),
            ],
        );
    }
}
