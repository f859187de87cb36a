//! The leader's word that a session is over: when it may give it, and to whom. (proof.rs says why.)

use super::core::{Leader, Output};
use super::handler::Phase;
use super::proof::SessionAt;
use crate::base::{LinkId, Now, SessionId};
use crate::database::Database;
use crate::quorum::AckSet;
use crate::zab::packet::Packet;

impl Leader {
    /// No such session is known here: who asks is told so as soon as that is proven.
    pub(super) fn deny(&mut self, session: SessionId, at: SessionAt, out: &mut Vec<Output>) {
        self.proofs.waiting.insert((session, at));
        if self.proofs.asked.is_empty() {
            self.ask_quorum(out);
        }
    }

    fn ask_quorum(&mut self, out: &mut Vec<Output>) {
        self.proofs.asked = std::mem::take(&mut self.proofs.waiting);
        self.begin_round();
        for link in self.links_in(Phase::Serving) {
            let handler = &self.handlers[&link];
            if handler.speaks() && self.verifier.weight(handler.sid) > 0 {
                self.ping(link, out);
            }
        }
        self.answer_proven(out);
    }

    /// Answers to PINGs that are sent from here on are of this round or of a later one.
    pub(super) fn begin_round(&mut self) -> u64 {
        self.proofs.round += 1;
        self.proofs.round
    }

    pub(super) fn ping(&mut self, link: LinkId, out: &mut Vec<Output>) {
        let zxid = self.broadcast.last_proposed;
        self.send(link, Packet::Ping { zxid }, out);
        let round = self.proofs.round;
        if let Some(handler) = self.handlers.get_mut(&link)
            && handler.phase == Phase::Serving
        {
            handler.pings.push(round);
        }
    }

    pub(super) fn on_ping_reply(
        &mut self,
        now: Now,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let is_proof = handler.pings.take_answer() && handler.speaks();
        if is_proof {
            self.admit_shadows_of(now, link, db, out);
            self.answer_proven(out);
        }
    }

    /// Tells those who wait for the newest round that their sessions are over, once a quorum has
    /// answered it; and asks again for those who came behind it.
    fn answer_proven(&mut self, out: &mut Vec<Output>) {
        if self.proofs.asked.is_empty() || !self.is_round_answered() {
            return;
        }
        for (session, at) in std::mem::take(&mut self.proofs.asked) {
            match at {
                SessionAt::Here => out.push(Output::SessionOver { session }),
                SessionAt::Learner(link) => {
                    self.send(link, Packet::RevalidateReply { session, valid: false }, out);
                }
            }
        }
        if !self.proofs.waiting.is_empty() {
            self.ask_quorum(out);
        }
    }

    fn is_round_answered(&self) -> bool {
        let round = self.proofs.round;
        let answered = self
            .count_speakers(AckSet::new(self.museum), |handler| handler.pings.have_answered(round));
        answered.has_quorum(&self.verifier)
    }
}
