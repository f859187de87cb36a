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
    /// A leader that is not established sends no PING, and a learner answers none before UPTODATE.
    /// (Leader.lead, Learner.syncWithLeader)
    NoPingBeforeUptodate,
    /// A learner below the committed log gets SNAP, where the log on the disk would give a DIFF: it
    /// is too long for `snapshotSizeFactor`. (LearnerHandler.syncFollower)
    SnapForLogDiff,
    /// Notifications have no configuration, and version 1. (FastLeaderElection of 3.4.6 to 3.4.14)
    NoConfigInNotifications,
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
    pub const NAMES: [&str; 2] = ["apache-3.4", "apache-3.9"];

    pub fn has(&self, difference: Difference) -> bool {
        self.differences & (1 << difference as u8) != 0
    }

    pub fn named(name: &str) -> Option<Dialect> {
        use Difference::{
            NoConfigInNotifications, NoPingBeforeUptodate, PacketsInSnapshot, SnapForLogDiff,
        };
        let newest = [PacketsInSnapshot, NoPingBeforeUptodate, SnapForLogDiff];
        match name {
            "apache-3.4" => Some(Dialect::of(&newest).with(NoConfigInNotifications)),
            "apache-3.9" => Some(Dialect::of(&newest)),
            _ => None,
        }
    }

    fn of(differences: &[Difference]) -> Dialect {
        differences.iter().fold(Dialect::default(), |dialect, one| dialect.with(*one))
    }

    #[must_use]
    pub fn with(mut self, difference: Difference) -> Dialect {
        self.differences |= 1 << difference as u8;
        self
    }
}
