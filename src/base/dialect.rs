//! What Apache's servers do otherwise, and may: switches of the simulator, drawn in its hunts.
//!
//! An ensemble of ours alone would never meet these. Unlike an exhibit of the museum none of them
//! may break a property, whoever leads and whoever follows.
//!
//! Without the feature `museum` the type is zero-sized and `has` is always false: a shipped binary
//! speaks as it does.

use serde::{Deserialize, Serialize};

/// One lawful difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Difference {
    /// A leader queues packets for a learner from its registration on, and chooses the zxid of SNAP
    /// later: packets of what the snapshot holds follow it. (LearnerHandler.run, Leader.startForwarding)
    PacketsInSnapshot,
    /// What a leader has not committed yet goes to a learner before NEWLEADER. (Leader.startForwarding)
    ProposalsBeforeNewleader,
    /// A leader that is not established sends no PING, and a learner answers none before UPTODATE.
    /// (Leader.lead, Learner.syncWithLeader)
    NoPingBeforeUptodate,
    /// A learner below the committed log gets SNAP, where the log on the disk would give a DIFF: it
    /// is too long for `snapshotSizeFactor`. (LearnerHandler.syncFollower)
    SnapForLogDiff,
    /// A learner logs what its synchronisation left without a commit before it acks NEWLEADER, and so
    /// acks these proposals first. (Learner.syncWithLeader of 3.8.0 to 3.8.4, 3.9.0 and 3.9.1; these do
    /// so from a thread of their own, which is no lawful difference: ZOOKEEPER-4646)
    AcksBeforeNewleader,
    /// The configuration has a version: that of a dynamic file, or what the first start wrote with
    /// reconfigEnabled. (QuorumPeerConfig.writeDynamicConfig)
    VersionedConfig,
    /// Configurations have no version and travel nowhere: notifications are of version 1 and have none,
    /// and what others send of theirs is not read. (FastLeaderElection and Learner of 3.4.0 to 3.4.14)
    NoConfig,
    /// Notifications have no version, and 40 bytes. (FastLeaderElection of 3.4.0 to 3.4.5)
    NoVersionInNotifications,
}

/// Everything in which one server differs from ours. [`Dialect::NAMES`] is what a scenario writes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dialect {
    #[cfg(feature = "museum")]
    differences: u8,
}

#[cfg(not(feature = "museum"))]
impl Dialect {
    #[inline(always)]
    pub fn has(&self, _: Difference) -> bool {
        false
    }
}

#[cfg(feature = "museum")]
impl Dialect {
    pub const NAMES: [&str; 5] =
        ["apache-3.4.5", "apache-3.4", "apache-3.8.0", "apache-3.9", "apache-3.9-dynamic"];

    pub fn has(&self, difference: Difference) -> bool {
        self.differences & (1 << difference as u8) != 0
    }

    pub fn named(name: &str) -> Option<Dialect> {
        use Difference::{
            AcksBeforeNewleader, NoConfig, NoPingBeforeUptodate, NoVersionInNotifications,
            PacketsInSnapshot, ProposalsBeforeNewleader, SnapForLogDiff, VersionedConfig,
        };
        let all =
            [PacketsInSnapshot, ProposalsBeforeNewleader, NoPingBeforeUptodate, SnapForLogDiff];
        let of_all = all.into_iter().fold(Dialect::default(), Dialect::with);
        match name {
            "apache-3.4.5" => Some(of_all.with(NoConfig).with(NoVersionInNotifications)),
            "apache-3.4" => Some(of_all.with(NoConfig)),
            "apache-3.8.0" => Some(of_all.with(AcksBeforeNewleader)),
            "apache-3.9" => Some(of_all),
            "apache-3.9-dynamic" => Some(of_all.with(VersionedConfig)),
            _ => None,
        }
    }

    #[must_use]
    pub fn with(mut self, difference: Difference) -> Dialect {
        self.differences |= 1 << difference as u8;
        self
    }
}
