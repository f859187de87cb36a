//! Who can lead in place of this leader, with nothing missing.
//!
//!     HandOver --all that was proposed is committed--> PING to each voter that follows
//!              --one has acked everything, and has answered--> it is the successor
//!
//! Of several the one of the largest number is: it wins the election between them. An answer of a larger
//! number that has acked everything is waited for, an eighth of a tick at most.
//!
//! The answer proves that the voter lived when nothing was outstanding any more, and that every COMMIT
//! has reached it: a link keeps their order.
//!
//! Not here: that nothing is proposed meanwhile, and for how long one is looked for (peer); what
//! the successor does (election).

use super::core::{Leader, Output, Stage, Succession};
use super::handler::{Handler, Phase};
use crate::base::{Mono, Now, ServerId};

impl Leader {
    pub(super) fn ask_successors(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.stage != Stage::Broadcast || !self.broadcast.is_idle() {
            return;
        }
        let patience = Some(now.mono + self.tick / 8);
        self.succession = Succession::Asked { round: self.begin_round(), patience };
        for link in self.links_where(|handler| handler.phase == Phase::Serving) {
            if self.may_succeed(&self.handlers[&link]) {
                self.ping(link, out);
            }
        }
    }

    /// A voter that has everything.
    pub fn successor(&self) -> Option<ServerId> {
        let Succession::Asked { round, patience } = self.succession else { return None };
        let has_all = |h: &&Handler| self.may_succeed(h) && h.unacked.oldest().is_none();
        let level = self.handlers.values().filter(has_all);
        let has_answered = |h: &Handler| h.pings.have_answered(round);
        let best = level.max_by_key(|h| (patience.is_some() || has_answered(h), h.sid))?;
        (has_answered(best) && self.broadcast.is_idle()).then_some(best.sid)
    }

    /// When answers are waited for no longer.
    pub(super) fn patience(&self) -> Mono {
        match self.succession {
            Succession::Asked { patience, .. } => patience.unwrap_or(Mono::FAR),
            Succession::None | Succession::Waiting => Mono::FAR,
        }
    }

    pub(super) fn lose_patience(&mut self, now: Now) {
        if let Succession::Asked { patience, .. } = &mut self.succession {
            patience.take_if(|until| now.mono >= *until);
        }
    }

    /// Whether there is any voter beside this server.
    pub fn has_other_voters(&self) -> bool {
        self.verifier.voters().any(|sid| sid != self.sid && self.verifier.weight(sid) > 0)
    }

    fn may_succeed(&self, handler: &Handler) -> bool {
        handler.phase == Phase::Serving
            && handler.speaks()
            && !handler.observer
            && self.verifier.weight(handler.sid) > 0
    }
}
