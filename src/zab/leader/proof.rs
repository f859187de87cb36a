//! Whether a server still followed at a certain moment: it answers a PING that was sent behind it.
//!
//! What was heard of a follower within syncLimit proves nothing about now. A leader that was stopped
//! for a while, or whose follower ended behind a cut, may have a successor that it has not heard of.
//! It may be slow to notice, but it must not deny what that successor has decided: so it says that a
//! session is over only when a quorum has answered PINGs that were sent after the question.
//!
//!     question about an unknown session --> PING to each follower that serves
//!                                           a quorum has answered --> "over"
//!                                           no quorum answers     --> the leadership ends
//!
//! PINGs carry no number, but a link keeps their order. We count rounds: each PING belongs to the
//! round in which it was sent. One round is on its way; questions that come meanwhile are those of
//! the next one, so that a flood of them costs one PING a round trip.
//!
//! - LD-7  only PINGs behind UPTODATE count: whether those before it are answered depends on the
//!   learner's version. The ACK of UPTODATE, which every learner sends, stands between the two.
//!
//! Not here: whom the leader asks, and what it says then (denials.rs).

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::base::{LinkId, SessionId};

/// At which server a session wants to go on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum SessionAt {
    Here,
    Learner(LinkId),
}

/// Sessions that this leader does not know, and who waits to be told so.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Proofs {
    /// The newest round of PINGs.
    pub(super) round: u64,
    /// Who waits for the answers to that round.
    pub(super) asked: BTreeSet<(SessionId, SessionAt)>,
    /// Who came behind it.
    pub(super) waiting: BTreeSet<(SessionId, SessionAt)>,
}

/// The PINGs that one learner was sent since UPTODATE.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pings {
    /// Rounds of those that are not answered.
    out: VecDeque<u64>,
    /// The round of the last one that was; 0 before that.
    answered: u64,
    uptodate_acked: bool,
}

impl Pings {
    pub(super) fn push(&mut self, round: u64) {
        self.out.push_back(round);
    }

    /// The learner has acked UPTODATE: what it answers from here on, it was asked behind that.
    pub(super) fn on_uptodate_acked(&mut self) {
        self.uptodate_acked = true;
    }

    /// Whether this answer is one to a PING that counts.
    pub(super) fn take_answer(&mut self) -> bool {
        let round = if self.uptodate_acked { self.out.pop_front() } else { None };
        self.answered = round.unwrap_or(self.answered);
        round.is_some()
    }

    pub(super) fn have_answered(&self, round: u64) -> bool {
        self.answered >= round
    }
}
