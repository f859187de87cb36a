//! Reach the leader, promise its epoch.           (Learner.connectToLeader, registerWithLeader)

use super::core::{DIALS_MAX, Learner, Output, Phase, dial_pause};
use crate::base::limits::{EPOCH_OF_NOBODY, EPOCH_REACH};
use crate::base::{AckKind, Epoch, Exhibit, GaveUp, Note, Now, PeerMisbehaved, Zxid};
use crate::database::Database;
use crate::storage::EpochKind;
use crate::zab::packet::Packet;

impl Learner {
    pub(super) fn on_connected(&mut self, db: &Database, out: &mut Vec<Output>) {
        self.phase = Phase::AwaitLeaderInfo;
        out.push(Output::Send(self.link, self.info_packet(db)));
    }

    /// The leader may not listen yet: a few attempts, then back to the election.
    pub(super) fn on_dial_failed(&mut self, now: Now, error: String, out: &mut Vec<Output>) {
        if self.dials >= DIALS_MAX {
            let leader = self.leader;
            return self.give_up(GaveUp::LeaderUnreachable { leader, error }, out);
        }
        self.dial_at = now.mono + dial_pause(self.dials);
    }

    pub(super) fn on_leader_info(&mut self, packet: Packet, db: &Database, out: &mut Vec<Output>) {
        let Packet::LeaderInfo { epoch } = packet else { return self.misbehaved(&packet, out) };
        let accepted = db.accepted_epoch();
        // Nobody has led so often: a leader was lied to, and whoever accepts it promises that no
        // epoch is left (decision 0012).
        let reach = EPOCH_OF_NOBODY.0.max(accepted.0 + EPOCH_REACH);
        if epoch.0 > reach {
            return self.leader_did(PeerMisbehaved::EpochOutOfReach { offered: epoch }, out);
        }
        self.epoch = epoch;
        if epoch > accepted && self.museum.on(Exhibit::EpochNotPromised) {
            // Before ZOOKEEPER-335 no promise was written down.
            self.send_ack_epoch(Some(db.current_epoch()), db, out);
        } else if epoch > accepted {
            self.phase = Phase::AcceptingEpoch;
            out.push(Output::WriteEpoch(EpochKind::Accepted, epoch));
        } else if epoch == accepted {
            // Promised before, perhaps to another leader: sync us, but do not count us.
            self.send_ack_epoch(None, db, out);
        } else {
            let (offered, promised) = (epoch, accepted);
            self.leader_did(PeerMisbehaved::EpochBelowPromise { offered, promised }, out);
        }
    }

    pub(super) fn on_epoch_durable(
        &mut self,
        kind: EpochKind,
        epoch: Epoch,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        if epoch != self.epoch {
            return;
        }
        match (kind, self.phase) {
            (EpochKind::Accepted, Phase::AcceptingEpoch) => {
                self.send_ack_epoch(Some(db.current_epoch()), db, out);
            }
            (EpochKind::Current, Phase::PersistingEpoch) => self.take_history(db, out),
            _ => {}
        }
    }

    fn send_ack_epoch(&mut self, current: Option<Epoch>, db: &Database, out: &mut Vec<Output>) {
        self.phase = Phase::AwaitSync;
        // -1 from a server that may not vote: it gets a snapshot, and is counted nowhere (E-4).
        let (current, last_zxid) = match db.needs_snapshot() {
            // Without an epoch: who hides where his log ends must not be counted for a leader who
            // may lack what is in it.
            true => (None, Zxid::IN_NO_HISTORY),
            false => (current, db.vote_zxid()),
        };
        out.push(Output::Note(Note::AckSent { kind: AckKind::Epoch, zxid: last_zxid }));
        out.push(Output::Send(self.link, Packet::AckEpoch { last_zxid, current_epoch: current }));
    }
}
