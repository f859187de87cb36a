//! Why a connection between servers, or a role, has ended: one variant a reason, with the evidence.
//!
//! [`PeerMisbehaved`] is what another server did wrong; it ends the connection and nothing else.
//! [`Dismissed`] is why a leader closes a learner's connection, [`GaveUp`] why a leader or a learner
//! goes back to the election. Cores and checkers look at the variants. What the log, the trace
//! and a page of the laboratory say of them is made here, and nowhere else.
//!
//! Not here: a fault of our own (`invariant.rs`).

use std::fmt;

use super::{Epoch, MembersChanged, ServerId, SessionId, Zxid};

/// A packet between servers, as evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketSeen {
    /// `COMMIT`, `NEWLEADER`, ...
    pub name: &'static str,
    pub zxid: Option<Zxid>,
}

/// What another server did wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// A packet for which its connection is in the wrong phase.
    UnexpectedPacket {
        packet: PacketSeen,
        phase: &'static str,
    },
    /// An ACK before it was brought level (I-12).
    UnexpectedAck {
        zxid: Zxid,
        phase: &'static str,
    },
    /// A COMMIT of something else than the oldest proposal (I-14).
    UnexpectedCommit {
        zxid: Zxid,
        oldest: Option<Zxid>,
    },
    /// A proposal that does not follow what it sent before (S-14).
    Gap {
        zxid: Zxid,
        behind: Zxid,
    },
    /// A leader's epoch that is below the one promised (S-13).
    EpochBelowPromise {
        offered: Epoch,
        promised: Epoch,
    },
    /// A follower that our configuration lacks, or a learner with our own number.
    StrangeServer,
    /// What only a session can ask for, or a session that cannot be.
    NoSession {
        session: SessionId,
    },
    /// A leader's epoch that no number of elections explains.
    EpochOutOfReach {
        offered: Epoch,
    },
    /// A DIFF to a server that told it has no history.
    DiffWithoutHistory,
    /// A learner that is configured by what its leader does not know yet.
    NewerConfiguration {
        theirs: i64,
        ours: i64,
    },
    NotHeardInTime,
    NoAckInTime,
    /// A leader that did not finish what its phase is for, or was not heard in it.
    NotInTime {
        limit: &'static str,
        phase: &'static str,
    },
}

/// Why a leader closes a learner's connection.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Dismissed {
    Misbehaved {
        server: ServerId,
        did: PeerMisbehaved,
    },
    /// It has come back over another connection, and is silent on this one.
    ConnectedAgain {
        server: ServerId,
    },
    /// Its history is longer than ours; a quorum follows us without it.
    Ahead {
        server: ServerId,
        theirs: (Epoch, Zxid),
        ours: (Epoch, Zxid),
    },
    /// Another connection speaks for it.
    SpokenFor {
        server: ServerId,
    },
    /// What it lacks is not in the log any more, or is longer than it takes: it needs a snapshot.
    HistoryGone {
        server: ServerId,
    },
    RoleOver,
}

/// Why a leader or a learner gives its role up.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// A leader whose zxids of this epoch are used up (ZOOKEEPER-1277).
    CounterUsedUp,
    /// A leader behind whose epoch there is no other.
    EpochsUsedUp,
    /// A leader whose history is not the longest of its quorum (E-3).
    FollowerAhead { server: ServerId, theirs: (Epoch, Zxid), ours: (Epoch, Zxid) },
    /// A leader that too few servers connected to.
    NoFollowers { connected: Vec<ServerId> },
    /// A leader whom too few servers followed.
    NotEstablished { acked: Vec<ServerId>, synced: Vec<ServerId> },
    /// A leader that lost its quorum (L-3).
    NoQuorum { alive: Vec<ServerId> },
    /// A learner whose leader has ended it.
    LeaderMisbehaved { leader: ServerId, did: PeerMisbehaved },
    /// The error is the system's.
    LeaderUnreachable { leader: ServerId, error: String },
    /// The connection broke. The words are the driver's.
    LeaderLost { error: String },
    /// A learner that counts other members than its leader: the server ends.
    MembersChanged(MembersChanged),
    /// A learner whose leader sent a snapshot that is no tree.
    BadSnapshot { error: String },
    /// The disk refused what the role needs. The words are the storage's.
    Storage { error: String },
    /// A leader gave its leadership to this voter, which has everything.
    HandedOver { to: ServerId },
    /// The server is told to end.
    Stopped,
}

impl GaveUp {
    /// In one word, to count them by.
    pub fn name(&self) -> &'static str {
        match self {
            GaveUp::CounterUsedUp => "counter_used_up",
            GaveUp::EpochsUsedUp => "epochs_used_up",
            GaveUp::FollowerAhead { .. } => "follower_ahead",
            GaveUp::NoFollowers { .. } => "no_followers",
            GaveUp::NotEstablished { .. } => "not_established",
            GaveUp::NoQuorum { .. } => "no_quorum",
            GaveUp::LeaderMisbehaved { .. } => "leader_misbehaved",
            GaveUp::LeaderUnreachable { .. } => "leader_unreachable",
            GaveUp::LeaderLost { .. } => "leader_lost",
            GaveUp::MembersChanged(_) => "members_changed",
            GaveUp::BadSnapshot { .. } => "bad_snapshot",
            GaveUp::Storage { .. } => "storage",
            GaveUp::HandedOver { .. } => "handed_over",
            GaveUp::Stopped => "stopped",
        }
    }
}

impl fmt::Display for PacketSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.zxid.map_or(Ok(()), |zxid| write!(f, " {zxid}"))
    }
}

impl PeerMisbehaved {
    /// As a sentence about `who`: "leader 3", "server 1".
    fn tell(&self, who: fmt::Arguments<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use PeerMisbehaved as P;
        match self {
            P::UnexpectedPacket { packet, phase } => {
                write!(f, "I-14: {who} sent {packet} in phase {phase}")
            }
            P::UnexpectedAck { zxid, phase } => {
                write!(f, "I-12: {who} acked {zxid} in phase {phase}")
            }
            P::UnexpectedCommit { zxid, oldest } => {
                write!(f, "I-14: COMMIT {zxid} while the oldest proposal is {oldest:?}")
            }
            P::Gap { zxid, behind } => write!(f, "S-14: {who} sent {zxid} behind {behind}"),
            P::EpochBelowPromise { offered, promised } => {
                write!(f, "{who} offers epoch {offered}, we promised {promised}")
            }
            P::StrangeServer => write!(f, "{who} is none that may follow this one"),
            P::NoSession { session } => write!(f, "{who} asks for session {session}"),
            P::EpochOutOfReach { offered } => {
                write!(f, "{who} offers epoch {offered}, which nobody can have reached")
            }
            P::DiffWithoutHistory => write!(f, "{who} sends DIFF, we need a snapshot"),
            P::NewerConfiguration { theirs, ours } => {
                write!(f, "{who} has configuration version {theirs:x}, ours is {ours:x}")
            }
            P::NotHeardInTime => write!(f, "{who} was not heard in time"),
            P::NoAckInTime => write!(f, "{who} did not ack in time"),
            P::NotInTime { limit, phase } => {
                write!(f, "{who} did not do its part within {limit} (phase {phase})")
            }
        }
    }
}

impl fmt::Display for Dismissed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dismissed::Misbehaved { server, did } => did.tell(format_args!("server {server}"), f),
            Dismissed::ConnectedAgain { server } => write!(f, "server {server} connected again"),
            Dismissed::Ahead { server, theirs: (epoch, zxid), ours: (ours, at) } => {
                write!(f, "server {server} is ahead: epoch {epoch} zxid {zxid}, ours {ours} {at}")
            }
            Dismissed::SpokenFor { server } => {
                write!(f, "another connection speaks for server {server}")
            }
            Dismissed::HistoryGone { server } => {
                write!(f, "the log does not hold what server {server} lacks, it needs a snapshot")
            }
            Dismissed::RoleOver => f.write_str("the leadership is over"),
        }
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaveUp::CounterUsedUp => {
                f.write_str("the counter of this epoch is used up: a new epoch is needed")
            }
            GaveUp::EpochsUsedUp => f.write_str("the last epoch was accepted: none is left"),
            GaveUp::FollowerAhead { server, theirs: (epoch, zxid), ours: (ours, at) } => {
                write!(f, "server {server} is ahead: epoch {epoch} zxid {zxid}, ours {ours} {at}")
            }
            GaveUp::NoFollowers { connected } => {
                write!(f, "no quorum of followers within initLimit; connected: {connected:?}")
            }
            GaveUp::NotEstablished { acked, synced } => write!(
                f,
                "not established within initLimit; acked the epoch: {acked:?}, synced: {synced:?}"
            ),
            GaveUp::NoQuorum { alive } => {
                write!(f, "only {alive:?} are still there: no quorum")
            }
            GaveUp::LeaderMisbehaved { leader, did } => {
                did.tell(format_args!("leader {leader}"), f)
            }
            GaveUp::LeaderUnreachable { leader, error } => {
                write!(f, "cannot reach leader {leader}: {error}")
            }
            GaveUp::LeaderLost { error } => write!(f, "leader lost: {error}"),
            GaveUp::MembersChanged(why) => why.fmt(f),
            GaveUp::BadSnapshot { error } => write!(f, "the leader's snapshot: {error}"),
            GaveUp::Storage { error } => f.write_str(error),
            GaveUp::HandedOver { to } => write!(f, "the leadership is handed over to server {to}"),
            GaveUp::Stopped => f.write_str("the server is told to end"),
        }
    }
}

/// The sentence, as a quoted text: a trace says what the log says.
impl fmt::Debug for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misdeed_is_told_of_whoever_did_it() {
        let (server, zxid) = (ServerId(3), Zxid(0x1_0000_0002));
        let did = PeerMisbehaved::UnexpectedAck { zxid, phase: "Greeting" };
        let dismissed = Dismissed::Misbehaved { server, did };
        assert_eq!(dismissed.to_string(), "I-12: server 3 acked 0x100000002 in phase Greeting");
        let packet = PacketSeen { name: "COMMIT", zxid: Some(zxid) };
        let did = PeerMisbehaved::UnexpectedPacket { packet, phase: "AwaitSync" };
        let gave_up = GaveUp::LeaderMisbehaved { leader: server, did };
        let said = "I-14: leader 3 sent COMMIT 0x100000002 in phase AwaitSync";
        assert_eq!(gave_up.to_string(), said);
        assert_eq!(format!("{gave_up:?}"), format!("{said:?}"), "a trace quotes it");
    }
}
