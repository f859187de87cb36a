//! Transactions: what a proposal carries and the log keeps (zookeeper.jute module txn).
//!
//!     TxnHeader (32 bytes) | record by type | TxnDigest (12 bytes, optional, told by what is left)

use std::cell::OnceCell;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use twox_hash::XxHash3_64;

use super::client::op_name;
use super::codec::{DecodeError, Jute, Reader, records, text_bytes};
use super::data::Acl;
use super::quorum;
use crate::base::{SessionId, Zxid};

records! {
    /// 32 bytes. `time` is the leader's wall clock in milliseconds, `kind` the record's type.
    TxnHeader { client_id: SessionId, cxid: i32, zxid: Zxid, time: i64, kind: i32 }

    /// The tree's digest after this transaction, predicted by the leader.
    TxnDigest { version: i32, tree_digest: i64 }

    CreateTxn { path: String, data: Option<Bytes>, acl: Option<Vec<Acl>>, ephemeral: bool, parent_cversion: i32 }
    CreateTtlTxn { path: String, data: Option<Bytes>, acl: Option<Vec<Acl>>, parent_cversion: i32, ttl: i64 }
    CreateContainerTxn { path: String, data: Option<Bytes>, acl: Option<Vec<Acl>>, parent_cversion: i32 }
    DeleteTxn { path: String }
    SetDataTxn { path: String, data: Option<Bytes>, version: i32 }
    SetAclTxn { path: String, acl: Option<Vec<Acl>>, version: i32 }
    CheckVersionTxn { path: String, version: i32 }
    CreateSessionTxn { timeout: i32 }
    CloseSessionTxn { paths_to_delete: Vec<String> }
    ErrorTxn { err: i32 }

    /// One entry of a multi: a record as bytes, and its type.
    MultiPart { kind: i32, data: Bytes }
}

/// The only version of the tree digest there is (DigestCalculator.DIGEST_VERSION).
pub const DIGEST_VERSION: i32 = 2;
const TXN_DIGEST_BYTES: usize = 12;
/// Of a quorum packet: type, zxid, and the length of its data.
const PACKET_HEAD_BYTES: usize = 16;

/// Types of transactions; the numbers are those of the client operations.
pub mod kind {
    pub const ERROR: i32 = -1;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const SET_DATA: i32 = 5;
    pub const SET_ACL: i32 = 7;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
}

/// A transaction's record. The header's type says which; several types share a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Txn {
    /// Types 1 and 15.
    Create(CreateTxn),
    CreateTtl(CreateTtlTxn),
    CreateContainer(CreateContainerTxn),
    /// Types 2 and 20.
    Delete(DeleteTxn),
    /// Types 5 and 16.
    SetData(SetDataTxn),
    SetAcl(SetAclTxn),
    CreateSession(CreateSessionTxn),
    /// Logs before 3.6 have no list: then every ephemeral of the session goes.
    CloseSession(Option<CloseSessionTxn>),
    Error(ErrorTxn),
    /// Sub-transactions with their types.
    Multi(Vec<(i32, Txn)>),
    /// Inside a multi only.
    CheckVersion(CheckVersionTxn),
}

impl Txn {
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Txn::Create(t) => t.encode(out),
            Txn::CreateTtl(t) => t.encode(out),
            Txn::CreateContainer(t) => t.encode(out),
            Txn::Delete(t) => t.encode(out),
            Txn::SetData(t) => t.encode(out),
            Txn::SetAcl(t) => t.encode(out),
            Txn::CreateSession(t) => t.encode(out),
            Txn::CloseSession(Some(t)) => t.encode(out),
            Txn::CloseSession(None) => {}
            Txn::Error(t) => t.encode(out),
            Txn::CheckVersion(t) => t.encode(out),
            Txn::Multi(parts) => {
                let part = |(kind, txn): &(i32, Txn)| {
                    let mut data = Vec::new();
                    txn.encode(&mut data);
                    MultiPart { kind: *kind, data: data.into() }
                };
                parts.iter().map(part).collect::<Vec<_>>().encode(out);
            }
        }
    }

    /// Reads the record of a transaction of this type.
    pub fn decode(kind: i32, from: &mut Reader) -> Result<Txn, DecodeError> {
        Ok(match kind {
            kind::CREATE | kind::CREATE2 => Txn::Create(decode_create(from)?),
            kind::CREATE_TTL => Txn::CreateTtl(Jute::decode(from)?),
            kind::CREATE_CONTAINER => Txn::CreateContainer(Jute::decode(from)?),
            kind::DELETE | kind::DELETE_CONTAINER => Txn::Delete(Jute::decode(from)?),
            kind::SET_DATA | kind::RECONFIG => Txn::SetData(Jute::decode(from)?),
            kind::SET_ACL => Txn::SetAcl(Jute::decode(from)?),
            kind::CREATE_SESSION => Txn::CreateSession(Jute::decode(from)?),
            kind::CLOSE_SESSION if lacks_list(from) => Txn::CloseSession(None),
            kind::CLOSE_SESSION => Txn::CloseSession(Some(decode_list(from)?)),
            kind::ERROR => Txn::Error(Jute::decode(from)?),
            kind::CHECK => Txn::CheckVersion(Jute::decode(from)?),
            kind::MULTI => Txn::Multi(decode_multi(from)?),
            _ => return Err(DecodeError::Unknown { what: "transaction type", value: kind.into() }),
        })
    }

    /// Path and data of a record that begins with them.
    fn data_mut(&mut self) -> Option<(&str, &mut Bytes)> {
        let (path, data) = match self {
            Txn::Create(CreateTxn { path, data, .. })
            | Txn::CreateTtl(CreateTtlTxn { path, data, .. })
            | Txn::CreateContainer(CreateContainerTxn { path, data, .. })
            | Txn::SetData(SetDataTxn { path, data, .. }) => (path, data),
            _ => return None,
        };
        Some((path, data.as_mut()?))
    }

    fn data_len(&mut self) -> usize {
        self.data_mut().map_or(0, |(_, data)| data.len())
    }

    /// The record stands in `bytes` at `record`: its data is taken from there from now on, so that it
    /// does not keep in memory what the client sent with it.
    fn keep_data_of(&mut self, bytes: &Bytes, record: usize) {
        if let Some((path, data)) = self.data_mut() {
            let begin = record + 4 + text_bytes(path) + 4;
            *data = bytes.slice(begin..begin + data.len());
        }
    }

    /// Of one node.
    pub fn is_create(&self) -> bool {
        matches!(self, Txn::Create(_) | Txn::CreateTtl(_) | Txn::CreateContainer(_))
    }

    /// A write that failed: it has a zxid, and changes nothing.
    pub fn is_error(&self) -> bool {
        matches!(self, Txn::Error(_))
    }
}

/// Logs of 3.3 and older end before `parentCVersion`; then it is -1.
fn decode_create(from: &mut Reader) -> Result<CreateTxn, DecodeError> {
    let path = Jute::decode(from)?;
    let data = Jute::decode(from)?;
    let acl = Jute::decode(from)?;
    let ephemeral = from.boolean()?;
    let parent_cversion = if from.remaining() == 0 { -1 } else { from.int()? };
    Ok(CreateTxn { path, data, acl, ephemeral, parent_cversion })
}

/// A closeSession without its list (`closeSessionTxn.enabled=false`, and before 3.6) ends here, or
/// goes on with a digest. As a list, those 12 bytes would be two paths in 8 bytes: empty ones.
fn lacks_list(from: &Reader) -> bool {
    let starts_with_version = || from.clone().int() == Ok(DIGEST_VERSION);
    from.remaining() == 0 || (from.remaining() == TXN_DIGEST_BYTES && starts_with_version())
}

fn decode_list(from: &mut Reader) -> Result<CloseSessionTxn, DecodeError> {
    let list: CloseSessionTxn = Jute::decode(from)?;
    if list.paths_to_delete.iter().any(String::is_empty) {
        let value = list.paths_to_delete.len() as i64;
        return Err(DecodeError::Unknown { what: "empty path in a list of paths, length", value });
    }
    Ok(list)
}

fn decode_multi(from: &mut Reader) -> Result<Vec<(i32, Txn)>, DecodeError> {
    let parts: Vec<MultiPart> = Jute::decode(from)?;
    let decode_part = |MultiPart { kind, data }| {
        if kind == kind::MULTI {
            // Apache never nests them, and a nested one could nest again without bound.
            let value = kind.into();
            return Err(DecodeError::Unknown { what: "transaction type inside a multi", value });
        }
        Ok((kind, Txn::decode(kind, &mut Reader::new(data))?))
    };
    parts.into_iter().map(decode_part).collect()
}

/// A transaction with its header, and the very bytes that go to the log and to the followers.
///
/// Decoding keeps the bytes it was given, so that a record is never encoded anew on its way.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Bytes")]
pub struct Proposal {
    pub header: TxnHeader,
    pub txn: Txn,
    pub digest: Option<TxnDigest>,
    bytes: Bytes,
    /// The PROPOSAL around them, where it was made.
    packet: Option<Bytes>,
    /// Of the bytes, once somebody has asked for it.
    hash: OnceCell<u64>,
}

/// The bytes say all of it.
impl PartialEq for Proposal {
    fn eq(&self, other: &Proposal) -> bool {
        self.bytes == other.bytes
    }
}
impl Eq for Proposal {}

impl Proposal {
    /// Encodes it once, as the PROPOSAL that goes to each follower; the log and the tree share that.
    pub fn new(header: TxnHeader, mut txn: Txn, digest: Option<TxnDigest>) -> Proposal {
        let mut packet = Vec::with_capacity(PACKET_HEAD_BYTES + 160 + txn.data_len());
        quorum::kind::PROPOSAL.encode(&mut packet);
        header.zxid.encode(&mut packet);
        0.encode(&mut packet);
        header.encode(&mut packet);
        let record = packet.len();
        txn.encode(&mut packet);
        if let Some(digest) = &digest {
            digest.encode(&mut packet);
        }
        let end = packet.len();
        let len = i32::try_from(end - PACKET_HEAD_BYTES).expect("a field is far below 2 GiB");
        packet[PACKET_HEAD_BYTES - 4..PACKET_HEAD_BYTES].copy_from_slice(&len.to_be_bytes());
        (-1).encode(&mut packet);
        let packet = Bytes::from(packet);
        txn.keep_data_of(&packet, record);
        let bytes = packet.slice(PACKET_HEAD_BYTES..end);
        Proposal { header, txn, digest, bytes, packet: Some(packet), hash: OnceCell::new() }
    }

    pub fn decode(bytes: Bytes) -> Result<Proposal, DecodeError> {
        let mut from = Reader::new(bytes.clone());
        let header = TxnHeader::decode(&mut from)?;
        let txn = Txn::decode(header.kind, &mut from)?;
        // Error transactions have none, nor does anything before 3.6.
        let has_digest = from.remaining() >= TXN_DIGEST_BYTES;
        let digest = if has_digest { Some(TxnDigest::decode(&mut from)?) } else { None };
        Ok(Proposal { header, txn, digest, bytes, packet: None, hash: OnceCell::new() })
    }

    pub fn zxid(&self) -> Zxid {
        self.header.zxid
    }

    /// Header, record and digest as they stand in a PROPOSAL and in the log.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole PROPOSAL, if it was made here.
    pub(crate) fn packet(&self) -> Option<&Bytes> {
        self.packet.as_ref()
    }

    /// A hash of the bytes: two servers that hold the same hash at a zxid hold the same transaction.
    pub fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| hash_of(&self.bytes))
    }
}

impl TryFrom<Bytes> for Proposal {
    type Error = DecodeError;

    fn try_from(bytes: Bytes) -> Result<Proposal, DecodeError> {
        Proposal::decode(bytes)
    }
}

/// Stored as its bytes, which say all of it.
impl Serialize for Proposal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(to)
    }
}

/// XXH3, 64 bits: stable across builds, good enough to tell transactions apart in a trace.
fn hash_of(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// `0x100000001 create /x`
impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.zxid())?;
        write_txn(self.header.kind, &self.txn, f)
    }
}

fn write_txn(kind: i32, txn: &Txn, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(if txn.is_error() { "error" } else { op_name(kind) })?;
    match txn {
        Txn::Create(CreateTxn { path, .. })
        | Txn::CreateTtl(CreateTtlTxn { path, .. })
        | Txn::CreateContainer(CreateContainerTxn { path, .. })
        | Txn::Delete(DeleteTxn { path })
        | Txn::SetData(SetDataTxn { path, .. })
        | Txn::SetAcl(SetAclTxn { path, .. })
        | Txn::CheckVersion(CheckVersionTxn { path, .. }) => write!(f, " {}", path.escape_debug()),
        Txn::CreateSession(session) => write!(f, " timeout {}", session.timeout),
        Txn::CloseSession(_) => Ok(()),
        Txn::Error(error) => write!(f, " {}", error.err),
        Txn::Multi(parts) => {
            for (i, (kind, part)) in parts.iter().enumerate() {
                f.write_str(if i == 0 { " " } else { "; " })?;
                write_txn(*kind, part, f)?;
            }
            Ok(())
        }
    }
}
