//! When nobody can have a better vote any more: then nobody waits for one.
//!
//! An election that has a quorum waits finalizeWait for a better vote. After a leader's term, when
//! clients wait, that is the longest part of a failover. The wait ends at once when each voter
//!
//! - has said the same vote in the same round: within a round a vote only improves (E-5), so that what
//!   it voted at first was no better, and it begins no better one; or
//! - has gone: its election port refuses connections. Nobody is there who could vote.
//!
//! A server that says nothing and refuses nothing is waited for as ever: it may be slow, or cut off
//! from here, or its machine may be dead. One that refused and is heard again lives.
//!
//! A server that notices the end of the term first tells its vote to others that still follow, and they
//! forget it: one that begins to look after it has answered is told again, at once.
//!
//! Only after a term: servers that start one after another refuse connections, too, and there the
//! wait is what lets the better of them win. An election that follows one that came to nothing waits.
//!
//! Not here: what a quorum is, and whether the winner can lead: Zab does not rest on the wait
//! (decision 0015).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::packet::PeerState;
use super::vote::Vote;
use crate::base::{Mono, ServerId};
use crate::quorum::QuorumVerifier;

/// What each voter has said in this election, and who has gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Agreement {
    after_term: bool,
    /// The newest word of each server, whatever its round.
    said: BTreeMap<ServerId, Vote>,
    refused: BTreeSet<ServerId>,
    /// When to look again whether those who are missing are there. A process that is about to end may
    /// still have taken a connection.
    ask_at: Mono,
}

impl Agreement {
    /// A new election.
    pub(super) fn begin(after_term: bool) -> Agreement {
        Agreement { after_term, said: BTreeMap::new(), refused: BTreeSet::new(), ask_at: Mono::FAR }
    }

    /// Whether an agreement ends the wait of this election.
    pub(super) fn is_sought(&self) -> bool {
        self.after_term
    }

    /// Whether it has begun to look since it was told our vote: who does not look answers a vote and
    /// forgets it. It would be told again only after a silence.
    pub(super) fn on_heard(&mut self, from: ServerId, vote: Vote) -> bool {
        self.refused.remove(&from);
        let before = self.said.insert(from, vote);
        let looked = before.is_none_or(|before| before.state == PeerState::Looking);
        self.after_term && !looked && vote.state == PeerState::Looking
    }

    pub(super) fn on_refused(&mut self, sid: ServerId) {
        self.said.remove(&sid);
        self.refused.insert(sid);
    }

    pub(super) fn ask_at(&self) -> Mono {
        self.ask_at
    }

    pub(super) fn ask_again(&mut self, at: Mono) {
        self.ask_at = if self.after_term { at } else { Mono::FAR };
    }

    /// Whether no voter can have a better vote than this one of `me`, which looks.
    pub(super) fn is_complete(&self, me: ServerId, vote: &Vote, verifier: &QuorumVerifier) -> bool {
        self.after_term && self.missing(me, vote, verifier).next().is_none()
    }

    /// The voters that may have one.
    pub(super) fn missing(
        &self,
        me: ServerId,
        vote: &Vote,
        verifier: &QuorumVerifier,
    ) -> impl Iterator<Item = ServerId> {
        let agrees = |sid: &ServerId| self.said.get(sid).is_some_and(|said| said.agrees_with(vote));
        // Who is to lead is no reason to hurry if it has gone.
        let has_gone = |sid: &ServerId| self.refused.contains(sid) && *sid != vote.leader;
        verifier.voters().filter(move |sid| *sid != me && !has_gone(sid) && !agrees(sid))
    }
}

#[cfg(test)]
#[path = "agreement_test.rs"]
mod tests;
