//! Historic bugs as switches, to prove that the checkers catch them.
//!
//! Without the feature `museum` the type is zero-sized, `on` is always false, and the compiler
//! removes every exhibit: a shipped binary holds none of them.

use serde::{Deserialize, Serialize};

macro_rules! exhibits {
    ($($(#[$doc:meta])* $exhibit:ident = $name:literal,)*) => {
        /// A deliberate bug. [`Exhibit::name`] is what a scenario file writes.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Exhibit {
            $($(#[$doc])* $exhibit,)*
        }

        impl Exhibit {
            pub const ALL: &[Exhibit] = &[$(Exhibit::$exhibit),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Exhibit::$exhibit => $name,)*
                }
            }
        }
    };
}

exhibits! {
    /// A proposal is acked before its log record is durable (S-18).
    AckBeforeFlush = "ack_before_flush",
    /// A vote is counted once for each time it is heard (S-20).
    VoteCountedTwice = "vote_counted_twice",
    /// A learner with transactions the leader lacks gets DIFF and keeps them (ZOOKEEPER-1154).
    DiffWithoutTrunc = "diff_without_trunc",
    /// Of two votes with one zxid the higher id wins, whatever their epochs (ZOOKEEPER-1419).
    TieAcrossEpochs = "tie_across_epochs",
    /// Observers count in the leader's check for a live quorum (ZOOKEEPER-1294).
    ObserversKeepLeader = "observers_keep_leader",
    /// Observers count where the epoch is chosen and acked (ZOOKEEPER-2959).
    ObserversChooseEpoch = "observers_choose_epoch",
    /// A follower acks an epoch without having written acceptedEpoch (ZOOKEEPER-335).
    EpochNotPromised = "epoch_not_promised",
    /// DIFF's zxid counts as the learner's own before anything of it came (ZOOKEEPER-2355).
    DiffMovesLearner = "diff_moves_learner",
    /// After a role the vote is the tree's zxid, and the log's tail stays (ZOOKEEPER-2845).
    VoteFromTree = "vote_from_tree",
    /// A leader's snapshot that is not on the disk survives the role (ZOOKEEPER-3642).
    SnapshotKeptInMemory = "snapshot_kept_in_memory",
    /// currentEpoch is written before the history of the epoch (ZOOKEEPER-4643).
    EpochBeforeHistory = "epoch_before_history",
    /// NEWLEADER is acked while its history is on the way to the disk (ZOOKEEPER-4646).
    NewleaderAckBeforeFlush = "newleader_ack_before_flush",
    /// The next election begins while the log still takes in what the role left (ZOOKEEPER-4712).
    LookBeforeLogIsQuiet = "look_before_log_is_quiet",
    /// What a synchronisation brings is committed and not kept for DIFF (ZOOKEEPER-4925).
    HoleInCommittedLog = "hole_in_committed_log",
    /// A learner hears of new proposals only when it has acked NEWLEADER (ZOOKEEPER-962).
    ForwardsTooLate = "forwards_too_late",
    /// A server whose log is of a newer epoch than currentEpoch does not start (ZOOKEEPER-1653).
    HalfSyncedDiskRefused = "half_synced_disk_refused",
    /// Before its first proposal a leader takes an empty learner for level (ZOOKEEPER-1319).
    EmptyLearnerInSync = "empty_learner_in_sync",
    /// NEWLEADER is queued before a snapshot is written, which changes meanwhile (ZOOKEEPER-3104).
    NewleaderBeforeSnapshot = "newleader_before_snapshot",
    /// A server whose log failed looks again, with a tree that is ahead of it (ZOOKEEPER-4882).
    MemoryAheadOfDisk = "memory_ahead_of_disk",
}

/// Which exhibits are switched on in one server.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Museum {
    #[cfg(feature = "museum")]
    switches: u64,
}

#[cfg(not(feature = "museum"))]
impl Museum {
    #[inline(always)]
    pub fn on(&self, _: Exhibit) -> bool {
        false
    }
}

#[cfg(feature = "museum")]
impl Museum {
    pub fn on(&self, exhibit: Exhibit) -> bool {
        self.switches & (1 << exhibit as u8) != 0
    }

    #[must_use]
    pub fn with(mut self, exhibit: Exhibit) -> Museum {
        self.switches |= 1 << exhibit as u8;
        self
    }

    /// The exhibit of this name, as scenario files write it.
    pub fn named(name: &str) -> Option<Exhibit> {
        Exhibit::ALL.iter().copied().find(|exhibit| exhibit.name() == name)
    }
}
