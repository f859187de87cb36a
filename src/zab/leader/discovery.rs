//! Which epoch this is, and whether we may lead it.      (Leader.getEpochToPropose, waitForEpochAck)

use super::core::{Leader, Output, Stage};
use super::handler::{Handler, Links, Phase};
use crate::base::{
    Difference, Dismissed, Epoch, Exhibit, GaveUp, LinkId, Note, Now, PeerMisbehaved, Zxid,
};
use crate::database::Database;
use crate::jute::quorum::LearnerInfo;
use crate::storage::EpochKind;
use crate::zab::packet::Packet;

impl Leader {
    pub(super) fn on_learner_info(
        &mut self,
        link: LinkId,
        accepted_epoch: Epoch,
        info: LearnerInfo,
        observer: bool,
        out: &mut Vec<Output>,
    ) {
        let sid = info.server_id;
        let compares = !self.dialect.has(Difference::NoConfig);
        if compares && info.config_version > self.verifier.version() {
            let (theirs, ours) = (info.config_version, self.verifier.version());
            let did = PeerMisbehaved::NewerConfiguration { theirs, ours };
            return self.close(link, Dismissed::Misbehaved { server: sid, did }, out);
        }
        // Observers need not be in a leader's configuration, as in Apache.
        let is_stranger = !observer && !self.is_member(sid);
        if is_stranger || sid == self.sid {
            let did = PeerMisbehaved::StrangeServer;
            return self.close(link, Dismissed::Misbehaved { server: sid, did }, out);
        }
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.sid = sid;
        // What it calls itself says which packets it understands, whatever it is to us.
        handler.observer = observer;
        handler.phase = Phase::AwaitEpoch;
        if self.epoch >= Epoch(0) && self.stage != Stage::OfferingEpoch {
            return self.offer_epoch_to(link, out);
        }
        if self.stage == Stage::Discovery {
            self.hear_accepted(sid, accepted_epoch);
            self.try_offer_epoch(out);
        }
    }

    /// Chooses the epoch once a quorum, ourselves included, reported its accepted one.
    pub(super) fn try_offer_epoch(&mut self, out: &mut Vec<Output>) {
        if self.stage != Stage::Discovery || !self.connecting.has_quorum(&self.verifier) {
            return;
        }
        let Some(epoch) = self.choose_epoch(out) else { return };
        self.epoch = epoch;
        self.stage = Stage::OfferingEpoch;
        // The promise is ours first: LEADERINFO leaves only when it is durable (ZOOKEEPER-1291).
        out.push(Output::WriteEpoch(EpochKind::Accepted, self.epoch));
    }

    pub(super) fn on_epoch_durable(
        &mut self,
        now: Now,
        kind: EpochKind,
        epoch: Epoch,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        if epoch != self.epoch {
            return;
        }
        match (kind, self.stage) {
            (EpochKind::Accepted, Stage::OfferingEpoch) => self.offer_epoch(out),
            (EpochKind::Current, Stage::TakingEpoch) => self.begin_synchronisation(now, db, out),
            _ => {}
        }
    }

    fn offer_epoch(&mut self, out: &mut Vec<Output>) {
        self.stage = Stage::EpochAcks;
        let voters = self.connecting.to_vec();
        out.push(Output::Note(Note::EpochOffered { epoch: self.epoch, voters }));
        let waiting = self.links_in(Phase::AwaitEpoch);
        for link in waiting {
            self.offer_epoch_to(link, out);
        }
        self.electing.add(self.sid, &self.verifier);
        self.try_take_epoch(out);
    }

    fn offer_epoch_to(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if let Some(handler) = self.handlers.get_mut(&link) {
            handler.phase = Phase::AwaitAckEpoch;
        }
        self.send(link, Packet::LeaderInfo { epoch: self.epoch }, out);
    }

    pub(super) fn on_ack_epoch(
        &mut self,
        now: Now,
        link: LinkId,
        last_zxid: Zxid,
        current_epoch: Option<Epoch>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.last_zxid = last_zxid;
        handler.phase = Phase::AwaitElection;
        let sid = handler.sid;
        let votes = self.verifier.is_voter(sid) || self.museum.on(Exhibit::ObserversChooseEpoch);
        if self.stage == Stage::EpochAcks && votes {
            // None: it has acked this epoch before, to somebody. It is synced, but not counted.
            if let Some(current) = current_epoch
                && last_zxid != Zxid::UNINITIALISED
            {
                let (theirs, ours) = ((current, last_zxid), (db.current_epoch(), db.last_logged()));
                if theirs > ours {
                    return self.lose_to_follower(link, theirs, ours, out);
                }
                if self.electing.add(sid, &self.verifier) {
                    out.push(Output::Note(Note::EpochAckCounted {
                        epoch: self.epoch,
                        from: sid,
                        current,
                        zxid: last_zxid,
                    }));
                }
            }
            self.try_take_epoch(out);
        } else if matches!(self.stage, Stage::Synchronisation | Stage::Broadcast) {
            self.synchronise_in_turn(now, link, db, out);
        }
    }

    /// A history longer than ours was not in the hands of a quorum if one follows us without it; if
    /// none does, somebody else must lead. Apache goes on in both cases, and waits.
    fn lose_to_follower(
        &mut self,
        link: LinkId,
        theirs: (Epoch, Zxid),
        ours: (Epoch, Zxid),
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get(&link) else { return };
        let server = handler.sid;
        self.close(link, Dismissed::Ahead { server, theirs, ours }, out);
        if !self.handlers.values().any(|other| other.sid == server) {
            self.connecting.remove(server);
        }
        if !self.connecting.has_quorum(&self.verifier) {
            self.give_up(GaveUp::FollowerAhead { server, theirs, ours }, out);
        }
    }

    fn try_take_epoch(&mut self, out: &mut Vec<Output>) {
        if self.stage == Stage::EpochAcks && self.electing.has_quorum(&self.verifier) {
            self.stage = Stage::TakingEpoch;
            out.push(Output::WriteEpoch(EpochKind::Current, self.epoch));
        }
    }

    /// A quorum acked the epoch and our currentEpoch holds it: learners may get our history.
    fn begin_synchronisation(&mut self, now: Now, db: &mut Database, out: &mut Vec<Output>) {
        self.stage = Stage::Synchronisation;
        self.broadcast.begin(Zxid::new(self.epoch, 0));
        self.newleader_acks.add(self.sid, &self.verifier);
        for link in self.links_in(Phase::AwaitElection) {
            self.synchronise_in_turn(now, link, db, out);
        }
        self.try_establish(now, db, out);
    }

    pub(super) fn links_in(&self, phase: Phase) -> Links {
        self.links_where(|handler| handler.phase == phase)
    }

    pub(super) fn links_where(&self, wanted: impl Fn(&Handler) -> bool) -> Links {
        self.handlers.iter().filter(|(_, h)| wanted(h)).map(|(link, _)| *link).collect()
    }
}
