//! The packets of the quorum port (Zab 1.0; Leader.java, LearnerInfo).
//!
//!     QuorumPacket: type int | zxid long | data buffer | authinfo vector<Id>     nulls are -1

use bytes::Bytes;

use super::codec::{DecodeError, Jute, Reader, records};
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

/// The ids that stood in the packets before: with nearly every request of a learner the same come
/// again, and they are not made anew.
#[derive(Debug, Default)]
pub struct KnownIds {
    bytes: Vec<u8>,
    ids: Option<Ids>,
}

/// Longer lists are not remembered.
const KNOWN_IDS_BYTES_MAX: usize = 1024;

impl QuorumPacket {
    /// The next packet of a link.
    pub fn decode_next(from: &mut Reader, known: &mut KnownIds) -> Result<Self, DecodeError> {
        let (kind, zxid, data) = (from.int()?, Jute::decode(from)?, from.buffer()?);
        // No list is the beginning of another one.
        if known.ids.is_some() && from.pass(&known.bytes) {
            return Ok(QuorumPacket { kind, zxid, data, authinfo: known.ids.clone() });
        }
        let position = from.position();
        let authinfo: Option<Ids> = Jute::decode(from)?;
        let bytes = from.since(position);
        if authinfo.is_some() && bytes.len() <= KNOWN_IDS_BYTES_MAX {
            known.bytes.clear();
            known.bytes.extend_from_slice(bytes);
            known.ids.clone_from(&authinfo);
        }
        Ok(QuorumPacket { kind, zxid, data, authinfo })
    }

    /// A packet of a header only.
    pub fn bare(kind: i32, zxid: Zxid) -> QuorumPacket {
        QuorumPacket { kind, zxid, data: None, authinfo: None }
    }

    pub fn with_data(kind: i32, zxid: Zxid, data: impl Into<Bytes>) -> QuorumPacket {
        QuorumPacket { kind, zxid, data: Some(data.into()), authinfo: None }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::jute::data::Id;

    #[test]
    fn ids_that_come_again_are_not_made_anew() {
        let id = |id: &str| Id { scheme: "ip".into(), id: id.into() };
        let lists = [vec![id("10.0.0.1")], vec![id("10.0.0.1")], vec![id("10.0.0.12")], vec![]];
        let none = QuorumPacket::bare(kind::PING, Zxid(7));
        let some = |ids| QuorumPacket { authinfo: Some(Rc::new(ids)), ..none.clone() };
        let sent: Vec<QuorumPacket> = lists.into_iter().map(some).chain([none.clone()]).collect();
        let bytes: Vec<u8> = sent.iter().flat_map(Jute::to_jute).collect();
        let (mut from, mut known) = (Reader::new(bytes.into()), KnownIds::default());
        let read: Vec<QuorumPacket> = (0..sent.len())
            .map(|_| QuorumPacket::decode_next(&mut from, &mut known).expect("a whole packet"))
            .collect();
        assert_eq!(read, sent);
        let ids = |n: usize| read[n].authinfo.clone().expect("a list");
        assert!(Rc::ptr_eq(&ids(0), &ids(1)) && !Rc::ptr_eq(&ids(1), &ids(2)));
    }
}
