//! Which of a server's connections speaks for it.
//!
//! Without TLS whoever reaches the quorum port may call itself server 2. The one that follows us
//! must not lose its link over that, and the acks of two links are never those of one server. A
//! server that comes back must not stand behind a link whose end nobody has noticed either.
//!
//!     --ACKEPOCH--> nobody speaks: synchronised; several links of a server may be, beside each other
//!                   another link speaks: it is asked for a sign of life, and this one waits
//!     --ACK(NEWLEADER)--> nobody speaks: this link does, until it is gone
//!                         another link speaks: this one is closed
//!
//! A speaker that was not heard for a tick while another link waits is closed, and the one that
//! waits is synchronised. A live follower answers a PING every half tick, and the kernel of one that
//! died answers that there is no such connection.
//!
//! - LD-2  at most one link speaks for a server
//! - LD-5  once something can be proposed, an ack of NEWLEADER counts only if NEWLEADER went out
//!   after the last synchronisation of its server began: what was sent before that may be of a
//!   process that has ended, and the later one cuts from the log what the earlier one acked
//!
//! Servers outside the configuration are counted nowhere: each of their links is its own.
//! Before a leader is established no link can be asked: Apache's followers answer no PING yet.

use super::core::{Leader, Output, Stage};
use super::handler::{Handler, Phase};
use crate::base::{Dismissed, LinkId, Mono, Now, ServerId};
use crate::database::Database;
use crate::zab::packet::Packet;

impl Leader {
    pub(super) fn is_member(&self, sid: ServerId) -> bool {
        self.verifier.servers().contains_key(&sid)
    }

    /// The other link that speaks for the server of this one.
    pub(super) fn speaker_beside(&self, link: LinkId) -> Option<LinkId> {
        let sid = self.handlers.get(&link)?.sid;
        let speaks = |h: &Handler| h.sid == sid && h.phase >= Phase::Synced;
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
        if let Some(handler) = self.handlers.get_mut(&link) {
            handler.waits_since = Some(now.mono);
        }
        if self.handlers[&speaker].phase == Phase::Serving {
            let zxid = self.broadcast.last_proposed();
            self.send(speaker, Packet::Ping { zxid }, out);
        }
    }

    /// Whoever waited for a speaker that is gone has its turn.
    pub(super) fn admit_waiting(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        for link in self.waiting_links() {
            if self.speaker_beside(link).is_none()
                && let Some(handler) = self.handlers.get_mut(&link)
            {
                handler.waits_since = None;
                self.synchronise(now, link, db, out);
            }
        }
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

    fn waiting_links(&self) -> Vec<LinkId> {
        self.links_where(|handler| handler.waits_since.is_some())
    }

    /// A synchronisation of this link's server begins.
    pub(super) fn note_synchronisation(&mut self, sid: ServerId) {
        if self.is_member(sid) {
            self.turn += 1;
            self.synchronised.insert(sid, self.turn);
        }
    }

    /// Whether this link, which has acked NEWLEADER, speaks for its server from now on. If not, it
    /// is closed.
    pub(super) fn may_speak(&mut self, link: LinkId, out: &mut Vec<Output>) -> bool {
        let Some(handler) = self.handlers.get(&link) else { return false };
        let (server, asked) = (handler.sid, handler.asked);
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
