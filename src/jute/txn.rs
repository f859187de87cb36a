//! Transactions: what a proposal carries and the log keeps (zookeeper.jute module txn).
//!
//!     TxnHeader (32 bytes) | record by type | TxnDigest (12 bytes, optional, told by what is left)

use bytes::Bytes;

use super::codec::{DecodeError, Jute, Reader, records};
use super::data::Acl;
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
}

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
                (parts.len() as i32).encode(out);
                for (kind, part) in parts {
                    kind.encode(out);
                    let mut body = Vec::new();
                    part.encode(&mut body);
                    Some(Bytes::from(body)).encode(out);
                }
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
            kind::CLOSE_SESSION if from.remaining() == 0 => Txn::CloseSession(None),
            kind::CLOSE_SESSION => Txn::CloseSession(Some(Jute::decode(from)?)),
            kind::ERROR => Txn::Error(Jute::decode(from)?),
            kind::CHECK => Txn::CheckVersion(Jute::decode(from)?),
            kind::MULTI => Txn::Multi(decode_multi(from)?),
            _ => return Err(DecodeError::Unknown { what: "transaction type", value: kind.into() }),
        })
    }

    /// The type of this record where it is the only one that has it.
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

fn decode_multi(from: &mut Reader) -> Result<Vec<(i32, Txn)>, DecodeError> {
    let offset = from.position();
    let count = from.int()?;
    let mut parts = Vec::new();
    for _ in 0..count.max(0) {
        let kind = from.int()?;
        let body = from.buffer()?.ok_or(DecodeError::Null { offset })?;
        if kind == kind::MULTI {
            // Apache never nests them, and a nested one could nest again without bound.
            return Err(DecodeError::Unknown {
                what: "transaction type inside a multi",
                value: 14,
            });
        }
        parts.push((kind, Txn::decode(kind, &mut Reader::new(body))?));
    }
    Ok(parts)
}

/// A transaction with its header, and the very bytes that go to the log and to the followers.
///
/// Decoding keeps the bytes it was given, so that a record is never encoded anew on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub header: TxnHeader,
    pub txn: Txn,
    pub digest: Option<TxnDigest>,
    bytes: Bytes,
}

impl Proposal {
    pub fn new(header: TxnHeader, txn: Txn, digest: Option<TxnDigest>) -> Proposal {
        let mut bytes = Vec::with_capacity(128);
        header.encode(&mut bytes);
        txn.encode(&mut bytes);
        if let Some(digest) = &digest {
            digest.encode(&mut bytes);
        }
        Proposal { header, txn, digest, bytes: bytes.into() }
    }

    pub fn decode(bytes: Bytes) -> Result<Proposal, DecodeError> {
        let mut from = Reader::new(bytes.clone());
        let header = TxnHeader::decode(&mut from)?;
        // A closeSession without a list and with a digest: 12 bytes are the digest.
        let txn = if header.kind == kind::CLOSE_SESSION && from.remaining() == 12 {
            let list_too = CloseSessionTxn::decode(&mut from.clone()).is_ok() && {
                let mut probe = from.clone();
                CloseSessionTxn::decode(&mut probe).is_ok() && probe.remaining() == 0
            };
            if list_too { Txn::decode(header.kind, &mut from)? } else { Txn::CloseSession(None) }
        } else {
            Txn::decode(header.kind, &mut from)?
        };
        let digest =
            if from.remaining() >= 12 { Some(TxnDigest::decode(&mut from)?) } else { None };
        Ok(Proposal { header, txn, digest, bytes })
    }

    pub fn zxid(&self) -> Zxid {
        self.header.zxid
    }

    /// Header, record and digest as they stand in a PROPOSAL and in the log.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A hash of the bytes: two servers that hold the same hash at a zxid hold the same transaction.
    pub fn hash(&self) -> u64 {
        // FNV-1a: stable across builds, good enough to tell transactions apart in a trace.
        self.bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}
