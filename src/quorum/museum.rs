//! How the museum miscounts: never, unless one of its bugs is switched on.

use serde::{Deserialize, Serialize};

use super::QuorumVerifier;
use crate::base::{Exhibit, Museum};

/// What a count gets wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Miscount {
    /// How often anybody said yes: twice by one voter is two (`VoteCountedTwice`).
    heard: usize,
    /// Whoever says yes counts, voter or not.
    takes_everybody: bool,
    museum: Museum,
}

impl Miscount {
    pub(super) fn new(museum: Museum) -> Miscount {
        Miscount { museum, ..Miscount::default() }
    }

    pub(super) fn take_everybody(&mut self, exhibit: Exhibit) {
        self.takes_everybody = self.museum.on(exhibit);
    }

    pub(super) fn takes_everybody(&self) -> bool {
        self.takes_everybody
    }

    pub(super) fn hear(&mut self) {
        self.heard += usize::from(self.museum.on(Exhibit::VoteCountedTwice));
    }

    /// Whether it takes so many yeses for a quorum, which they need not be.
    pub(super) fn has_quorum(&self, distinct: usize, verifier: &QuorumVerifier) -> bool {
        let yeses = if self.takes_everybody { distinct } else { self.heard };
        yeses > 0 && yeses > verifier.voter_count / 2
    }
}
