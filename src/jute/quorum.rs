//! The packets of the quorum port (Zab 1.0; Leader.java, LearnerInfo).
//!
//!     QuorumPacket: type int | zxid long | data buffer | authinfo vector<Id>     nulls are -1

use bytes::Bytes;

use super::codec::records;
use super::data::Ids;
use crate::base::{ServerId, SessionId, Zxid};

records! {
    QuorumPacket { kind: i32, zxid: Zxid, data: Option<Bytes>, authinfo: Option<Ids> }

    /// Data of FOLLOWERINFO and OBSERVERINFO: 20 bytes, whatever follows is ignored.
    LearnerInfo { server_id: ServerId, protocol_version: i32, config_version: i64 }

    /// Data of a learner's PING reply, repeated.
    Touch { session: SessionId, timeout: i32 }

    /// Data of a REVALIDATE request.
    RevalidateRequest { session: SessionId, timeout: i32 }

    /// Data of a REVALIDATE answer.
    RevalidateReply { session: SessionId, valid: bool }

    /// Head of a REQUEST's data; the operation's own record follows.
    RequestHead { session: SessionId, cxid: i32, op: i32 }
}

/// Protocol version of learners and leaders since 3.4 (Zab 1.0).
pub const PROTOCOL_VERSION: i32 = 0x10000;

/// Packet types (Leader.java).
pub mod kind {
    pub const REQUEST: i32 = 1;
    pub const PROPOSAL: i32 = 2;
    pub const ACK: i32 = 3;
    pub const COMMIT: i32 = 4;
    pub const PING: i32 = 5;
    pub const REVALIDATE: i32 = 6;
    pub const SYNC: i32 = 7;
    pub const INFORM: i32 = 8;
    pub const COMMIT_AND_ACTIVATE: i32 = 9;
    pub const NEW_LEADER: i32 = 10;
    pub const FOLLOWER_INFO: i32 = 11;
    pub const UP_TO_DATE: i32 = 12;
    pub const DIFF: i32 = 13;
    pub const TRUNC: i32 = 14;
    pub const SNAP: i32 = 15;
    pub const OBSERVER_INFO: i32 = 16;
    pub const LEADER_INFO: i32 = 17;
    pub const ACK_EPOCH: i32 = 18;
    pub const INFORM_AND_ACTIVATE: i32 = 19;
}

/// The name of a packet type, as logs and traces show it.
pub fn kind_name(kind: i32) -> &'static str {
    match kind {
        kind::REQUEST => "REQUEST",
        kind::PROPOSAL => "PROPOSAL",
        kind::ACK => "ACK",
        kind::COMMIT => "COMMIT",
        kind::PING => "PING",
        kind::REVALIDATE => "REVALIDATE",
        kind::SYNC => "SYNC",
        kind::INFORM => "INFORM",
        kind::COMMIT_AND_ACTIVATE => "COMMITANDACTIVATE",
        kind::NEW_LEADER => "NEWLEADER",
        kind::FOLLOWER_INFO => "FOLLOWERINFO",
        kind::UP_TO_DATE => "UPTODATE",
        kind::DIFF => "DIFF",
        kind::TRUNC => "TRUNC",
        kind::SNAP => "SNAP",
        kind::OBSERVER_INFO => "OBSERVERINFO",
        kind::LEADER_INFO => "LEADERINFO",
        kind::ACK_EPOCH => "ACKEPOCH",
        kind::INFORM_AND_ACTIVATE => "INFORMANDACTIVATE",
        _ => "UNKNOWN",
    }
}

impl QuorumPacket {
    /// A packet of a header only.
    pub fn bare(kind: i32, zxid: Zxid) -> QuorumPacket {
        QuorumPacket { kind, zxid, data: None, authinfo: None }
    }

    pub fn with_data(kind: i32, zxid: Zxid, data: impl Into<Bytes>) -> QuorumPacket {
        QuorumPacket { kind, zxid, data: Some(data.into()), authinfo: None }
    }
}
