//! Which epoch this is, and whether we may lead it.      (Leader.getEpochToPropose, waitForEpochAck)

use super::core::{Leader, Output, Stage};
use super::handler::{Handler, Phase};
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
        // A server that comes back has lost its old connection, whether we noticed or not.
        let stale: Vec<LinkId> = self
            .handlers
            .iter()
            .filter(|(other, handler)| **other != link && handler.sid == sid)
            .map(|(other, _)| *other)
            .collect();
        for other in stale {
            self.close(other, Dismissed::ConnectedAgain { server: sid }, out);
        }
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.sid = sid;
        // What it calls itself says which packets it understands, whoever we take it for: a
        // follower that our configuration does not know gets proposals, and is counted nowhere.
        handler.observer = observer;
        handler.phase = Phase::AwaitEpoch;
        if self.epoch >= Epoch(0) && self.stage != Stage::OfferingEpoch {
            return self.offer_epoch_to(link, out);
        }
        if self.stage == Stage::Discovery {
            // Observers make no quorum (ZOOKEEPER-2959). But whoever has accepted a later epoch,
            // voter or not, refuses an earlier one: the next is above all of them.
            self.connecting.add(sid, &self.verifier);
            self.max_accepted = self.max_accepted.max(accepted_epoch);
            self.try_offer_epoch(out);
        }
    }

    /// Chooses the epoch once a quorum, ourselves included, reported its accepted one.
    pub(super) fn try_offer_epoch(&mut self, out: &mut Vec<Output>) {
        if self.stage != Stage::Discovery || !self.connecting.has_quorum(&self.verifier) {
            return;
        }
        self.epoch = self.max_accepted.next();
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
        let waiting: Vec<LinkId> = self.links_in(Phase::AwaitEpoch);
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
                    return self.give_up(GaveUp::FollowerAhead { server: sid, theirs, ours }, out);
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
            self.synchronise(now, link, db, out);
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
            self.synchronise(now, link, db, out);
        }
        self.try_establish(now, db, out);
    }

    pub(super) fn links_in(&self, phase: Phase) -> Vec<LinkId> {
        self.links_where(|handler| handler.phase == phase)
    }

    pub(super) fn links_where(&self, wanted: impl Fn(&Handler) -> bool) -> Vec<LinkId> {
        self.handlers.iter().filter(|(_, h)| wanted(h)).map(|(link, _)| *link).collect()
    }
}
