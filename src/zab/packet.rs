//! Every message of the quorum port as a value.           (Leader.java, Learner.java, LearnerHandler.java)
//!
//!     QuorumPacket: type int | zxid long | data buffer | authinfo vector<Id>
//!
//! | packet                              | who sends it | zxid               | data                            |
//! |-------------------------------------|--------------|--------------------|---------------------------------|
//! | FOLLOWERINFO, OBSERVERINFO          | learner      | acceptedEpoch << 32| LearnerInfo                     |
//! | LEADERINFO                          | leader       | new epoch << 32    | protocol version int            |
//! | ACKEPOCH                            | learner      | last logged        | currentEpoch int, or -1         |
//! | DIFF, TRUNC, SNAP                   | leader       | see the core       | none; SNAP: a stream follows it |
//! | NEWLEADER                           | leader       | epoch << 32        | config text                     |
//! | UPTODATE                            | leader       | -1                 | none                            |
//! | REQUEST                             | learner      | -1                 | RequestHead, the client's record|
//! | PROPOSAL, INFORM                    | leader       | the transaction's  | header, record, digest          |
//! | ACK, COMMIT                         | each         | the transaction's  | none                            |
//! | COMMITANDACTIVATE, INFORMANDACTIVATE| leader       | the transaction's  | sid long; INFORM.. a proposal   |
//! | PING                                | both         | last proposed      | none; the reply has the touches |
//! | REVALIDATE                          | both         | -1                 | session, timeout; reply: valid  |
//! | SYNC                                | leader       | 0                  | none                            |
//!
//! PK-1  a PROPOSAL's or INFORM's packet and transaction carry one zxid; a packet with two is refused.
//! PK-2  data behind the fields listed here is ignored: room for later versions.
//!
//! Not here: which packet is allowed when (the cores), the snapshot behind SNAP (`jute::persist`).

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{Epoch, PacketSeen, ServerId, SessionId, Zxid};
use crate::jute::client::op_name;
use crate::jute::data::Ids;
use crate::jute::quorum::{
    LearnerInfo, PROTOCOL_VERSION, QuorumPacket, RequestHead, RevalidateReply, RevalidateRequest,
    Touch, kind, kind_name,
};
use crate::jute::txn::Proposal;
use crate::jute::{DecodeError, Jute, Reader};
use crate::runtime::{Label, LabelKind};

/// One message between a leader and a learner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Packet {
    FollowerInfo {
        accepted_epoch: Epoch,
        info: LearnerInfo,
    },
    ObserverInfo {
        accepted_epoch: Epoch,
        info: LearnerInfo,
    },
    LeaderInfo {
        epoch: Epoch,
    },
    /// `current_epoch` is `None` (-1) if the learner has acked this epoch before: it is not counted.
    AckEpoch {
        last_zxid: Zxid,
        current_epoch: Option<Epoch>,
    },
    Diff {
        zxid: Zxid,
    },
    Trunc {
        zxid: Zxid,
    },
    /// A snapshot stream follows it on the same connection.
    Snap {
        zxid: Zxid,
    },
    NewLeader {
        zxid: Zxid,
        config: Option<Bytes>,
    },
    UpToDate,
    /// A client's write on its way to the leader; `body` is the operation's own record.
    /// `auth` is null for createSession and closeSession.
    Request {
        session: SessionId,
        cxid: i32,
        op: i32,
        body: Bytes,
        auth: Option<Ids>,
    },
    Proposal(Rc<Proposal>),
    /// Also answers NEWLEADER and UPTODATE, with epoch << 32.
    Ack {
        zxid: Zxid,
    },
    Commit {
        zxid: Zxid,
    },
    CommitAndActivate {
        zxid: Zxid,
        designated: ServerId,
    },
    /// COMMIT with its PROPOSAL, for observers.
    Inform(Rc<Proposal>),
    InformAndActivate {
        designated: ServerId,
        proposal: Rc<Proposal>,
    },
    /// From the leader.
    Ping {
        zxid: Zxid,
    },
    /// From a learner: the leader's zxid again, and the sessions heard of since the last one.
    PingReply {
        zxid: Zxid,
        touches: Vec<Touch>,
    },
    /// From a learner: is this session alive, and may I have it?
    RevalidateRequest {
        session: SessionId,
        timeout_ms: i32,
    },
    /// From the leader.
    RevalidateReply {
        session: SessionId,
        valid: bool,
    },
    Sync,
}

impl Packet {
    /// What this QuorumPacket says. `from_leader` tells a PING and a REVALIDATE from its answer.
    pub fn decode(packet: QuorumPacket, from_leader: bool) -> Result<Packet, DecodeError> {
        let zxid = packet.zxid;
        Ok(match packet.kind {
            kind::FOLLOWER_INFO => {
                Packet::FollowerInfo { accepted_epoch: zxid.epoch(), info: data_as(&packet)? }
            }
            kind::OBSERVER_INFO => {
                Packet::ObserverInfo { accepted_epoch: zxid.epoch(), info: data_as(&packet)? }
            }
            kind::LEADER_INFO => decode_leader_info(&packet)?,
            kind::ACK_EPOCH => {
                let current: i32 = data_as(&packet)?;
                let current_epoch = (current != -1).then_some(Epoch(current.into()));
                Packet::AckEpoch { last_zxid: zxid, current_epoch }
            }
            kind::DIFF => Packet::Diff { zxid },
            kind::TRUNC => Packet::Trunc { zxid },
            kind::SNAP => Packet::Snap { zxid },
            kind::NEW_LEADER => Packet::NewLeader { zxid, config: packet.data },
            kind::UP_TO_DATE => Packet::UpToDate,
            kind::REQUEST => decode_request(packet)?,
            kind::PROPOSAL => Packet::Proposal(decode_proposal(zxid, data(&packet)?)?),
            kind::ACK => Packet::Ack { zxid },
            kind::COMMIT => Packet::Commit { zxid },
            kind::COMMIT_AND_ACTIVATE => {
                Packet::CommitAndActivate { zxid, designated: data_as(&packet)? }
            }
            kind::INFORM => Packet::Inform(decode_proposal(zxid, data(&packet)?)?),
            kind::INFORM_AND_ACTIVATE => {
                let mut from = Reader::new(data(&packet)?);
                let designated = Jute::decode(&mut from)?;
                let proposal = decode_proposal(zxid, from.rest())?;
                Packet::InformAndActivate { designated, proposal }
            }
            kind::PING if from_leader => Packet::Ping { zxid },
            kind::PING => Packet::PingReply { zxid, touches: decode_touches(&packet)? },
            kind::REVALIDATE if from_leader => {
                let RevalidateReply { session, valid } = data_as(&packet)?;
                Packet::RevalidateReply { session, valid }
            }
            kind::REVALIDATE => {
                let RevalidateRequest { session, timeout } = data_as(&packet)?;
                Packet::RevalidateRequest { session, timeout_ms: timeout }
            }
            kind::SYNC => Packet::Sync,
            other => return Err(DecodeError::Unknown { what: "packet type", value: other.into() }),
        })
    }

    /// A reconfiguration that leaves the members as they are is committed as anything else is.
    pub(super) fn without_activation(self) -> Packet {
        match self {
            Packet::CommitAndActivate { zxid, .. } => Packet::Commit { zxid },
            Packet::InformAndActivate { proposal, .. } => Packet::Inform(proposal),
            other => other,
        }
    }

    /// The whole QuorumPacket, as it goes onto the wire.
    pub fn encode(&self) -> Bytes {
        match self {
            Packet::Proposal(proposal) if let Some(packet) = proposal.packet() => {
                return packet.clone();
            }
            Packet::Ack { zxid } | Packet::Commit { zxid } => {
                return Bytes::copy_from_slice(&header(self.kind(), *zxid));
            }
            _ => {}
        }
        let packet = self.to_quorum_packet();
        let data_len = packet.data.as_ref().map_or(0, Bytes::len);
        let mut out = Vec::with_capacity(HEADER_BYTES + data_len);
        packet.encode(&mut out);
        out.into()
    }

    /// The record this packet is on the wire.
    pub(super) fn to_quorum_packet(&self) -> QuorumPacket {
        let kind = self.kind();
        let zxid = self.wire_zxid();
        match self {
            Packet::Diff { .. }
            | Packet::Trunc { .. }
            | Packet::Snap { .. }
            | Packet::UpToDate
            | Packet::Ack { .. }
            | Packet::Commit { .. }
            | Packet::Ping { .. }
            | Packet::Sync => QuorumPacket::bare(kind, zxid),
            Packet::FollowerInfo { info, .. } | Packet::ObserverInfo { info, .. } => {
                QuorumPacket::with_data(kind, zxid, info.to_jute())
            }
            Packet::LeaderInfo { .. } => {
                QuorumPacket::with_data(kind, zxid, PROTOCOL_VERSION.to_jute())
            }
            Packet::AckEpoch { current_epoch, .. } => {
                let current = current_epoch.map_or(-1, |epoch| epoch.0 as i32);
                QuorumPacket::with_data(kind, zxid, current.to_jute())
            }
            Packet::NewLeader { config, .. } => {
                QuorumPacket { kind, zxid, data: config.clone(), authinfo: None }
            }
            Packet::Request { session, cxid, op, body, auth } => {
                let mut data = Vec::with_capacity(REQUEST_HEAD_BYTES + body.len());
                RequestHead { session: *session, cxid: *cxid, op: *op }.encode(&mut data);
                data.extend_from_slice(body);
                QuorumPacket { kind, zxid, data: Some(data.into()), authinfo: auth.clone() }
            }
            Packet::Proposal(proposal) | Packet::Inform(proposal) => {
                QuorumPacket::with_data(kind, zxid, proposal.bytes().clone())
            }
            Packet::CommitAndActivate { designated, .. } => {
                QuorumPacket::with_data(kind, zxid, designated.to_jute())
            }
            Packet::InformAndActivate { designated, proposal } => {
                let mut data = designated.to_jute();
                data.extend_from_slice(proposal.bytes());
                QuorumPacket::with_data(kind, zxid, data)
            }
            Packet::PingReply { touches, .. } => {
                let mut data = Vec::with_capacity(TOUCH_BYTES * touches.len());
                touches.iter().for_each(|touch| touch.encode(&mut data));
                QuorumPacket::with_data(kind, zxid, data)
            }
            Packet::RevalidateRequest { session, timeout_ms } => {
                let request = RevalidateRequest { session: *session, timeout: *timeout_ms };
                QuorumPacket::with_data(kind, zxid, request.to_jute())
            }
            Packet::RevalidateReply { session, valid } => {
                let reply = RevalidateReply { session: *session, valid: *valid };
                QuorumPacket::with_data(kind, zxid, reply.to_jute())
            }
        }
    }

    /// Kind and zxid, for whoever holds, delays or triggers on packets.
    /// For what is said of it when it should not have come.
    pub fn seen(&self) -> PacketSeen {
        PacketSeen { name: kind_name(self.kind()), zxid: self.zxid() }
    }

    pub fn label(&self) -> Label {
        let kind = match self {
            Packet::FollowerInfo { .. } => LabelKind::FollowerInfo,
            Packet::ObserverInfo { .. } => LabelKind::ObserverInfo,
            Packet::LeaderInfo { .. } => LabelKind::LeaderInfo,
            Packet::AckEpoch { .. } => LabelKind::AckEpoch,
            Packet::Diff { .. } => LabelKind::Diff,
            Packet::Trunc { .. } => LabelKind::Trunc,
            Packet::Snap { .. } => LabelKind::Snap,
            Packet::NewLeader { .. } => LabelKind::NewLeader,
            Packet::UpToDate => LabelKind::UpToDate,
            Packet::Request { .. } => LabelKind::Request,
            Packet::Proposal(_) => LabelKind::Proposal,
            Packet::Ack { .. } => LabelKind::Ack,
            Packet::Commit { .. } | Packet::CommitAndActivate { .. } => LabelKind::Commit,
            Packet::Inform(_) | Packet::InformAndActivate { .. } => LabelKind::Inform,
            Packet::Ping { .. } | Packet::PingReply { .. } => LabelKind::Ping,
            Packet::RevalidateRequest { .. } | Packet::RevalidateReply { .. } => {
                LabelKind::Revalidate
            }
            Packet::Sync => LabelKind::Sync,
        };
        Label { kind, zxid: self.zxid() }
    }

    /// The zxid this packet speaks of, if it speaks of one. For *INFO packets: epoch << 32.
    pub fn zxid(&self) -> Option<Zxid> {
        match self {
            Packet::FollowerInfo { accepted_epoch: epoch, .. }
            | Packet::ObserverInfo { accepted_epoch: epoch, .. }
            | Packet::LeaderInfo { epoch } => Some(Zxid::new(*epoch, 0)),
            Packet::AckEpoch { last_zxid: zxid, .. }
            | Packet::Diff { zxid }
            | Packet::Trunc { zxid }
            | Packet::Snap { zxid }
            | Packet::NewLeader { zxid, .. }
            | Packet::Ack { zxid }
            | Packet::Commit { zxid }
            | Packet::CommitAndActivate { zxid, .. }
            | Packet::Ping { zxid }
            | Packet::PingReply { zxid, .. } => Some(*zxid),
            Packet::Proposal(proposal)
            | Packet::Inform(proposal)
            | Packet::InformAndActivate { proposal, .. } => Some(proposal.zxid()),
            Packet::UpToDate
            | Packet::Request { .. }
            | Packet::RevalidateRequest { .. }
            | Packet::RevalidateReply { .. }
            | Packet::Sync => None,
        }
    }

    /// The packet type (`jute::quorum::kind`).
    pub fn kind(&self) -> i32 {
        match self {
            Packet::FollowerInfo { .. } => kind::FOLLOWER_INFO,
            Packet::ObserverInfo { .. } => kind::OBSERVER_INFO,
            Packet::LeaderInfo { .. } => kind::LEADER_INFO,
            Packet::AckEpoch { .. } => kind::ACK_EPOCH,
            Packet::Diff { .. } => kind::DIFF,
            Packet::Trunc { .. } => kind::TRUNC,
            Packet::Snap { .. } => kind::SNAP,
            Packet::NewLeader { .. } => kind::NEW_LEADER,
            Packet::UpToDate => kind::UP_TO_DATE,
            Packet::Request { .. } => kind::REQUEST,
            Packet::Proposal(_) => kind::PROPOSAL,
            Packet::Ack { .. } => kind::ACK,
            Packet::Commit { .. } => kind::COMMIT,
            Packet::CommitAndActivate { .. } => kind::COMMIT_AND_ACTIVATE,
            Packet::Inform(_) => kind::INFORM,
            Packet::InformAndActivate { .. } => kind::INFORM_AND_ACTIVATE,
            Packet::Ping { .. } | Packet::PingReply { .. } => kind::PING,
            Packet::RevalidateRequest { .. } | Packet::RevalidateReply { .. } => kind::REVALIDATE,
            Packet::Sync => kind::SYNC,
        }
    }

    fn wire_zxid(&self) -> Zxid {
        match self {
            Packet::Sync => Zxid::ZERO,
            other => other.zxid().unwrap_or(NO_ZXID),
        }
    }
}

/// A packet that has neither data nor ids. Each transaction has several of these.
fn header(kind: i32, zxid: Zxid) -> [u8; HEADER_BYTES] {
    let mut bytes = [0xff; HEADER_BYTES];
    bytes[..4].copy_from_slice(&kind.to_be_bytes());
    bytes[4..12].copy_from_slice(&zxid.0.to_be_bytes());
    bytes
}

/// A packet without data and without ids.
const HEADER_BYTES: usize = 20;
const REQUEST_HEAD_BYTES: usize = 16;
const TOUCH_BYTES: usize = 12;
/// What Apache writes where a packet has no zxid.
const NO_ZXID: Zxid = Zxid(-1);

fn data(packet: &QuorumPacket) -> Result<Bytes, DecodeError> {
    packet.data.clone().ok_or(DecodeError::Null { offset: 12 })
}

/// The record at the start of the data; what follows it is ignored (PK-2).
fn data_as<T: Jute>(packet: &QuorumPacket) -> Result<T, DecodeError> {
    T::decode(&mut Reader::new(data(packet)?))
}

fn decode_leader_info(packet: &QuorumPacket) -> Result<Packet, DecodeError> {
    let version: i32 = data_as(packet)?;
    if version < PROTOCOL_VERSION {
        return Err(DecodeError::Unknown { what: "leader protocol", value: version.into() });
    }
    Ok(Packet::LeaderInfo { epoch: packet.zxid.epoch() })
}

fn decode_request(packet: QuorumPacket) -> Result<Packet, DecodeError> {
    let mut from = Reader::new(data(&packet)?);
    let RequestHead { session, cxid, op } = Jute::decode(&mut from)?;
    Ok(Packet::Request { session, cxid, op, body: from.rest(), auth: packet.authinfo })
}

fn decode_proposal(zxid: Zxid, bytes: Bytes) -> Result<Rc<Proposal>, DecodeError> {
    let proposal = Proposal::decode(bytes)?;
    if proposal.zxid() != zxid {
        // PK-1: one of the two is wrong, and nobody can say which.
        return Err(DecodeError::Unknown { what: "zxid of a proposal's packet", value: zxid.0 });
    }
    Ok(Rc::new(proposal))
}

fn decode_touches(packet: &QuorumPacket) -> Result<Vec<Touch>, DecodeError> {
    let mut from = Reader::new(packet.data.clone().unwrap_or_default());
    let mut touches = Vec::with_capacity(from.remaining() / TOUCH_BYTES);
    while from.remaining() > 0 {
        touches.push(Touch::decode(&mut from)?);
    }
    Ok(touches)
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(kind_name(self.kind()))?;
        match self {
            Packet::FollowerInfo { accepted_epoch, info }
            | Packet::ObserverInfo { accepted_epoch, info } => {
                let LearnerInfo { server_id, config_version, .. } = info;
                write!(f, " epoch {accepted_epoch} sid {server_id} config 0x{config_version:x}")
            }
            Packet::LeaderInfo { epoch } => write!(f, " epoch {epoch}"),
            Packet::AckEpoch { last_zxid, current_epoch: Some(epoch) } => {
                write!(f, " {last_zxid} epoch {epoch}")
            }
            Packet::AckEpoch { last_zxid, current_epoch: None } => write!(f, " {last_zxid} again"),
            Packet::Diff { zxid }
            | Packet::Trunc { zxid }
            | Packet::Snap { zxid }
            | Packet::NewLeader { zxid, .. }
            | Packet::Ack { zxid }
            | Packet::Commit { zxid }
            | Packet::Ping { zxid } => write!(f, " {zxid}"),
            Packet::UpToDate | Packet::Sync => Ok(()),
            Packet::Request { session, cxid, op, .. } => {
                write!(f, " session {session} cxid {cxid} {}", op_name(*op))
            }
            Packet::Proposal(proposal) | Packet::Inform(proposal) => write!(f, " {proposal}"),
            Packet::CommitAndActivate { zxid, designated } => write!(f, " {zxid} sid {designated}"),
            Packet::InformAndActivate { designated, proposal } => {
                write!(f, " {proposal} sid {designated}")
            }
            Packet::PingReply { zxid, touches } => {
                write!(f, " {zxid} touches {}", touches.len())
            }
            Packet::RevalidateRequest { session, timeout_ms } => {
                write!(f, " session {session} timeout {timeout_ms}")
            }
            Packet::RevalidateReply { session, valid } => {
                write!(f, " session {session} {}", if *valid { "valid" } else { "unknown" })
            }
        }
    }
}
