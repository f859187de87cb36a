//! Which of a server's connections speaks for it.
//!
//! Without TLS whoever reaches the quorum port may call itself server 2. The one that follows us
//! must not lose its link over that, and the acks of two links are never those of one server. A
//! server that comes back must not stand behind a link whose end nobody has noticed either.
//!
//!     --ACKEPOCH--> nobody speaks: synchronised; several links of a server may be, beside each other
//!                   another link speaks: it is asked for a sign of life, and this one waits
//!                       silent for a tick: closed, and who waits is synchronised
//!                       it answers: who waits is synchronised too, as its shadow
//!     --ACK(NEWLEADER)--> nobody speaks: this link does, until it is gone
//!                         another link speaks: a shadow follows and is not counted, others are closed
//!
//! A live follower answers a PING every half tick, and the kernel of one that died answers that
//! there is no such connection. Of two that live we do not know which one lies: as in Apache both
//! have every transaction. The speaker's acks count, and a shadow's when the speaker is gone.
//!
//! - LD-2  at most one link speaks for a server, and a shadow has a speaker
//! - LD-5  once something can be proposed, an ack of NEWLEADER counts only if NEWLEADER went out
//!   after the last synchronisation of its server began: what was sent before that may be of a
//!   process that has ended, and the later one cuts from the log what the earlier one acked
//! - LD-6  a shadow is synchronised only when the speaker has answered what it was asked after the
//!   shadow's ACKEPOCH: the two are not an earlier and a later process of one server
//!
//! Servers outside the configuration are counted nowhere: each of their links is its own.
//! Before a leader is established no link can be asked: Apache's followers answer no PING yet.

use super::core::{Leader, Output, Stage};
use super::handler::{Handler, Links, Phase};
use crate::base::{Dismissed, LinkId, Mono, Now, ServerId};
use crate::database::Database;

impl Leader {
    pub(super) fn is_member(&self, sid: ServerId) -> bool {
        self.verifier.servers().contains_key(&sid)
    }

    /// The other link that speaks for the server of this one.
    pub(super) fn speaker_beside(&self, link: LinkId) -> Option<LinkId> {
        let sid = self.handlers.get(&link)?.sid;
        let speaks = |h: &Handler| h.sid == sid && h.speaks();
        let mut others = self.handlers.iter().filter(|(other, _)| **other != link);
        others.find(|(_, h)| speaks(h) && self.is_member(sid)).map(|(other, _)| *other)
    }

    /// Synchronises a learner, unless another link speaks for it.
    pub(super) fn synchronise_in_turn(
        &mut self,
        now: Now,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(speaker) = self.speaker_beside(link) else {
            return self.synchronise(now, link, db, out);
        };
        let round = self.begin_round();
        if let Some(handler) = self.handlers.get_mut(&link) {
            handler.waits_since = Some(now.mono);
            handler.waits_for_round = round;
        }
        if self.handlers[&speaker].phase == Phase::Serving {
            self.ping(speaker, out);
        }
    }

    /// A speaker has answered a PING: links that waited for that are its shadows.
    pub(super) fn admit_shadows_of(
        &mut self,
        now: Now,
        speaker: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let handler = &self.handlers[&speaker];
        let sid = handler.sid;
        let is_proven =
            |h: &Handler| h.waits_for(sid) && handler.pings.have_answered(h.waits_for_round);
        for waiting in self.links_where(is_proven) {
            let Some(waiting_handler) = self.handlers.get_mut(&waiting) else { return };
            waiting_handler.waits_since = None;
            waiting_handler.shadow = true;
            self.synchronise(now, waiting, db, out);
        }
    }

    /// Whoever waited for a speaker that is gone has its turn.
    pub(super) fn admit_waiting(&mut self, now: Now, db: &mut Database, out: &mut Vec<Output>) {
        for link in self.links_where(|handler| handler.shadow) {
            if self.speaker_beside(link).is_none() {
                self.end_shadow(now, link, db, out);
            }
        }
        for link in self.waiting_links() {
            if self.speaker_beside(link).is_none()
                && let Some(handler) = self.handlers.get_mut(&link)
            {
                handler.waits_since = None;
                self.synchronise(now, link, db, out);
            }
        }
    }

    /// From now on the acks of this link are those of its server, and nobody else's are: a later
    /// process of the speaker that is gone may cut what that has acked.
    fn end_shadow(&mut self, now: Now, link: LinkId, db: &mut Database, out: &mut Vec<Output>) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.shadow = false;
        let sid = handler.sid;
        let acked = if handler.speaks() { std::mem::take(&mut handler.early_acks) } else { vec![] };
        self.broadcast.forget_acks_of(sid);
        for zxid in acked {
            self.tally_acks(now, sid, zxid, out);
        }
        self.try_commit(now, db, out);
    }

    /// Closes speakers that give no sign of life while another link waits.
    pub(super) fn close_silent_speakers(&mut self, now: Now, out: &mut Vec<Output>) {
        for link in self.waiting_links() {
            if let Some((speaker, due)) = self.speaker_due(link)
                && now.mono >= due
            {
                let server = self.handlers[&speaker].sid;
                self.close(speaker, Dismissed::ConnectedAgain { server }, out);
            }
        }
    }

    /// When the next speaker is closed if it stays silent.
    pub(super) fn next_speaker_due(&self) -> Mono {
        let due = |link| self.speaker_due(link).map(|(_, due)| due);
        self.waiting_links().into_iter().filter_map(due).min().unwrap_or(Mono::FAR)
    }

    /// The speaker for which this link waits, and until when that must be heard.
    fn speaker_due(&self, link: LinkId) -> Option<(LinkId, Mono)> {
        let since = self.handlers.get(&link)?.waits_since?;
        let speaker = self.speaker_beside(link)?;
        let handler = &self.handlers[&speaker];
        (handler.phase == Phase::Serving).then(|| (speaker, handler.heard.max(since) + self.tick))
    }

    fn waiting_links(&self) -> Links {
        self.links_where(|handler| handler.waits_since.is_some())
    }

    /// A synchronisation of this server begins: what it has acked may be cut (S-12), unless a live
    /// speaker has acked it.
    pub(super) fn note_synchronisation(&mut self, sid: ServerId, is_shadow: bool) {
        if !is_shadow {
            self.broadcast.forget_acks_of(sid);
        }
        if self.is_member(sid) && !is_shadow {
            self.turn += 1;
            self.synchronised.insert(sid, self.turn);
        }
    }

    /// Whether this link, which has acked NEWLEADER, speaks for its server from now on. If not, it
    /// is closed.
    pub(super) fn may_speak(&mut self, link: LinkId, out: &mut Vec<Output>) -> bool {
        let Some(handler) = self.handlers.get(&link) else { return false };
        let (server, asked) = (handler.sid, handler.asked);
        if handler.shadow {
            return true;
        }
        if self.speaker_beside(link).is_some() {
            self.close(link, Dismissed::SpokenFor { server }, out);
            return false;
        }
        let later = self.synchronised.get(&server).is_some_and(|turn| *turn > asked);
        if later && self.stage == Stage::Broadcast {
            self.close(link, Dismissed::ConnectedAgain { server }, out);
            return false;
        }
        true
    }
}

impl Handler {
    fn waits_for(&self, sid: ServerId) -> bool {
        self.waits_since.is_some() && self.sid == sid
    }
}
