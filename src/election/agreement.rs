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
//! Whether somebody is there is found out by dialling its election port: at once when its connection ends,
//! and then at growing intervals, since a process that is about to end may still take a connection. A
//! server of a larger sid answers each such dial by a connection of its own instead of the one there
//! was, and where the link is slow that new connection would be ended by the next dial, for ever, if the
//! intervals did not grow or each end were a reason to dial.
//!
//! Only after a term: servers that start one after another refuse connections, too, and there the
//! wait is what lets the better of them win. An election that follows one that came to nothing waits.
//!
//! Not here: what a quorum is, and whether the winner can lead: Zab does not rest on the wait
//! (decision 0015).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::packet::PeerState;
use super::vote::Vote;
use crate::base::{Mono, ServerId};
use crate::quorum::QuorumVerifier;

/// Who is missing is first looked for after this part of finalizeWait.
const FIRST_ASK: u32 = 8;

/// What each voter has said in this election, and who has gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Agreement {
    after_term: bool,
    /// The newest word of each server, whatever its round.
    said: BTreeMap<ServerId, Vote>,
    refused: BTreeSet<ServerId>,
    /// Whose connection has ended, and who was dialled at once then.
    gone: BTreeSet<ServerId>,
    /// When to look whether those who are missing are there, and how long after that again.
    ask_at: Mono,
    ask_interval: Duration,
}

impl Agreement {
    /// A new election. Who is missing in the wait is dialled after a part of it, and then after twice
    /// that, four times that, and so on.
    pub(super) fn begin(after_term: bool, finalize_wait: Duration) -> Agreement {
        Agreement {
            after_term,
            said: BTreeMap::new(),
            refused: BTreeSet::new(),
            gone: BTreeSet::new(),
            ask_at: Mono::FAR,
            ask_interval: finalize_wait / FIRST_ASK,
        }
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

    /// The connection with it has ended. Whether it is dialled at once.
    pub(super) fn on_gone(&mut self, sid: ServerId) -> bool {
        self.after_term && self.gone.insert(sid)
    }

    pub(super) fn ask_at(&self) -> Mono {
        self.ask_at
    }

    /// There is a quorum, and the wait for the others begins.
    pub(super) fn on_wait(&mut self, now: Mono) {
        self.ask_at = if self.after_term { now + self.ask_interval } else { Mono::FAR };
    }

    /// Who is missing was dialled.
    pub(super) fn on_asked(&mut self, now: Mono) {
        self.ask_interval *= 2;
        self.on_wait(now);
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
