//! What the leader says of the ensemble's configuration.   (Learner.syncWithLeader, Follower.processPacket)
//!
//! A leader tells the configuration with NEWLEADER, and a newer one with the transaction of a
//! reconfiguration. This server's members are fixed. If the leader's are the same, their version
//! counts here too, from the moment on when it does in Apache: UPTODATE, or the COMMIT. If they are
//! others, the server ends before it logs or acks: an acked reconfiguration may be committed, and
//! then the quorums of this server are none any more, whether its COMMIT arrives or not. Old
//! reconfigurations in what a leader commits up to NEWLEADER are history, and that packet says what
//! came of them.

use super::core::{Learner, Output};
use crate::base::{Difference, GaveUp, MembersChanged, ToldIn, Zxid};
use crate::jute::txn::{Proposal, Txn, kind};
use crate::quorum::ConfigNews;

impl Learner {
    /// False if this role is over, and with it the server.
    pub(super) fn hear_reconfiguration(
        &mut self,
        proposal: &Proposal,
        out: &mut Vec<Output>,
    ) -> bool {
        let zxid = proposal.zxid();
        match &proposal.txn {
            Txn::SetData(txn) if proposal.header.kind == kind::RECONFIG => {
                let text = txn.data.as_deref().unwrap_or_default();
                self.hear_config(zxid, ToldIn::Proposal(zxid), text, out)
            }
            _ => true,
        }
    }

    /// A configuration that counts from `zxid` on. False if this role is over, and with it the
    /// server.
    pub(super) fn hear_config(
        &mut self,
        zxid: Zxid,
        told_in: ToldIn,
        text: &[u8],
        out: &mut Vec<Output>,
    ) -> bool {
        if self.dialect.has(Difference::NoConfig) {
            return true;
        }
        match self.verifier.judge(text) {
            ConfigNews::Nothing => {}
            ConfigNews::SameMembers { version } => self.next_version = Some((zxid, version)),
            ConfigNews::OtherMembers { version, members } => {
                let server = self.leader;
                let why = MembersChanged { server, told_in, version, members };
                self.give_up(GaveUp::MembersChanged(why), out);
                return false;
            }
        }
        true
    }

    /// What has this zxid counts now.
    pub(super) fn activate_config(&mut self, zxid: Zxid, out: &mut Vec<Output>) {
        if let Some((from, version)) = self.next_version
            && from == zxid
        {
            self.next_version = None;
            self.verifier.learn_version(version);
            out.push(Output::ConfigVersion(version));
        }
    }
}
