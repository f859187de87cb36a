//! A request to write, and what its bytes say. (PrepRequestProcessor.pRequestHelper, MultiOperationRecord)
//!
//! Three things can be wrong with bytes, and the client is told MARSHALLINGERROR for all of them:
//!
//!     no record of this operation    answered where it came in; takes no zxid
//!     a null where none may be       Apache reads it and stumbles over it later: takes a zxid
//!     a multi, whatever is wrong     takes a zxid, but for a create in it with a null ACL
//!
//! A multi reads its operations with less care than they are read alone: a create with the flag
//! of a container is a createContainer there, and a createTTL without a TTL mode a create.

use std::cell::Cell;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::SessionId;
use crate::jute::client::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteContainerRequest, DeleteRequest,
    MultiHeader, ReconfigRequest, SetAclRequest, SetDataRequest, code, create_flags, op,
};
use crate::jute::data::{Acl, Ids};
use crate::jute::{DecodeError, Jute, Reader};

/// A write as it reaches the leader, from a client of its own or through a learner.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// Whose it is; for createSession the session that is to be.
    pub session: SessionId,
    /// The client's xid: with the session it names the request again when it is committed.
    pub cxid: i32,
    /// A value of `jute::client::op`.
    pub op: i32,
    /// The operation's record, undecoded.
    pub body: Bytes,
    /// What stands in it, where that was read already: at the server that its client asked.
    #[serde(skip)]
    pub decoded: DecodedBody,
    /// What the client's connection has proven, its address among it.
    pub auth: Ids,
    /// Which link it came over, as the leader numbers links: the session's owner speaks from here.
    pub origin: u64,
}

/// What the body of a request says, for whoever prepares it: to be taken once. A copy of a request is read
/// anew, and two requests are equal if their bytes are.
#[derive(Default)]
pub struct DecodedBody(Cell<Option<Box<Write>>>);

impl DecodedBody {
    pub(super) fn take(&self) -> Option<Write> {
        self.0.take().map(|write| *write)
    }
}

impl Clone for DecodedBody {
    fn clone(&self) -> DecodedBody {
        DecodedBody::default()
    }
}

impl PartialEq for DecodedBody {
    fn eq(&self, _: &DecodedBody) -> bool {
        true
    }
}
impl Eq for DecodedBody {}

impl fmt::Debug for DecodedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecodedBody")
    }
}

/// One operation that changes nodes.
#[derive(Debug)]
pub(super) enum Write {
    Create(Creation),
    Delete(DeleteRequest),
    /// The path.
    DeleteContainer(String),
    SetData(SetDataRequest),
    SetAcl(SetAclRequest),
    Check(CheckVersionRequest),
    Reconfig,
}

/// What all kinds of create ask for.
#[derive(Debug)]
pub(super) struct Creation {
    /// create, create2, createContainer or createTTL: the type of the transaction.
    pub(super) op: i32,
    pub(super) path: String,
    pub(super) data: Option<Bytes>,
    pub(super) acl: Option<Vec<Acl>>,
    pub(super) flags: i32,
    /// Milliseconds; `None` unless it is a createTTL.
    pub(super) ttl: Option<i64>,
}

/// Whether a client's request of this operation is for the leader.
pub fn supports(op: i32) -> bool {
    matches!(
        op,
        op::CREATE
            | op::CREATE2
            | op::CREATE_CONTAINER
            | op::CREATE_TTL
            | op::DELETE
            | op::DELETE_CONTAINER
            | op::SET_DATA
            | op::SET_ACL
            | op::MULTI
            | op::RECONFIG
            | op::CREATE_SESSION
            | op::CLOSE_SESSION
    )
}

/// Reads the body of a request for the leader. One that may not go there is answered with MARSHALLINGERROR,
/// and takes no zxid.
pub fn read(op: i32, body: &Bytes) -> Option<DecodedBody> {
    match op {
        _ if !supports(op) => None,
        op::CREATE_SESSION | op::CLOSE_SESSION => Some(DecodedBody::default()),
        op::MULTI => {
            let may_go = has_its_lists(&mut Reader::new(body.clone())).unwrap_or(true);
            may_go.then(DecodedBody::default)
        }
        _ => read_whole(op, body),
    }
}

/// A record with nothing wrong but nulls. Only one without them is kept.
fn read_whole(op: i32, body: &Bytes) -> Option<DecodedBody> {
    let mut offset = match Write::decode(op, body) {
        Ok(write) => return Some(DecodedBody(Cell::new(Some(Box::new(write))))),
        Err(DecodeError::Null { offset }) => offset,
        Err(_) => return None,
    };
    let mut body = body.clone();
    loop {
        // Read on as if it were empty.
        body = with_empty_at(&body, offset)?;
        match Write::decode(op, &body) {
            Ok(_) => return Some(DecodedBody::default()),
            Err(DecodeError::Null { offset: next }) => offset = next,
            Err(_) => return None,
        }
    }
}

/// The record with a length of 0 in place of the null at `offset`.
pub(super) fn with_empty_at(body: &Bytes, offset: usize) -> Option<Bytes> {
    let mut bytes = body.to_vec();
    bytes.get_mut(offset..offset + 4)?.fill(0);
    Some(bytes.into())
}

/// Whether the request asks for an ephemeral node, so that its session must be a global one. What
/// does not decode asks for nothing. (QuorumZooKeeperServer.checkUpgradeSession)
pub fn creates_ephemeral(op: i32, body: &Bytes) -> bool {
    match op {
        op::CREATE | op::CREATE2 => {
            Write::decode(op, body).is_ok_and(|write| write.creates_ephemeral())
        }
        op::MULTI => {
            decode_multi(body).is_ok_and(|writes| writes.iter().any(Write::creates_ephemeral))
        }
        _ => false,
    }
}

impl Write {
    /// Only by the plain kinds of create.
    fn creates_ephemeral(&self) -> bool {
        const EPHEMERAL_SEQUENTIAL: i32 = create_flags::EPHEMERAL | create_flags::SEQUENTIAL;
        let Write::Create(create) = self else { return false };
        matches!(create.op, op::CREATE | op::CREATE2)
            && matches!(create.flags, create_flags::EPHEMERAL | EPHEMERAL_SEQUENTIAL)
    }

    /// What follows the record is ignored.
    pub(super) fn decode(op: i32, body: &Bytes) -> Result<Write, DecodeError> {
        Write::read(op, &mut Reader::new(body.clone()))
    }

    fn read(op: i32, from: &mut Reader) -> Result<Write, DecodeError> {
        Ok(match op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
                let CreateRequest { path, data, acl, flags } = Jute::decode(from)?;
                Write::Create(Creation { op, path, data, acl, flags, ttl: None })
            }
            op::CREATE_TTL => {
                let CreateTtlRequest { path, data, acl, flags, ttl } = Jute::decode(from)?;
                Write::Create(Creation { op, path, data, acl, flags, ttl: Some(ttl) })
            }
            op::DELETE => Write::Delete(Jute::decode(from)?),
            op::DELETE_CONTAINER => Write::DeleteContainer(read_container(from)?),
            op::SET_DATA => Write::SetData(Jute::decode(from)?),
            op::SET_ACL => Write::SetAcl(Jute::decode(from)?),
            op::CHECK => Write::Check(Jute::decode(from)?),
            op::RECONFIG => ReconfigRequest::decode(from).map(|_| Write::Reconfig)?,
            _ => return Err(DecodeError::Unknown { what: "operation", value: op.into() }),
        })
    }

    /// The type of its transaction.
    pub(super) fn kind(&self) -> i32 {
        match self {
            Write::Create(create) => create.op,
            Write::Delete(_) => op::DELETE,
            Write::DeleteContainer(_) => op::DELETE_CONTAINER,
            Write::SetData(_) => op::SET_DATA,
            Write::SetAcl(_) => op::SET_ACL,
            Write::Check(_) => op::CHECK,
            Write::Reconfig => op::RECONFIG,
        }
    }
}

/// The path is a buffer here, and a null is no record.
fn read_container(from: &mut Reader) -> Result<String, DecodeError> {
    let path = DeleteContainerRequest::decode(from)?.path;
    let path = path.ok_or(DecodeError::Unknown { what: "length of a path", value: -1 })?;
    Ok(String::from_utf8_lossy(&path).into_owned())
}

/// The operations of a multi. Whatever is wrong with one of them is the error of the whole.
pub(super) fn decode_multi(body: &Bytes) -> Result<Vec<Write>, i32> {
    read_multi(&mut Reader::new(body.clone())).map_err(|_| code::MARSHALLING_ERROR)
}

fn read_multi(from: &mut Reader) -> Result<Vec<Write>, DecodeError> {
    let mut writes = Vec::new();
    loop {
        let header = MultiHeader::decode(from)?;
        if header.done {
            return Ok(writes);
        }
        let op = header.kind;
        let belongs = matches!(
            op,
            op::CREATE
                | op::CREATE2
                | op::CREATE_CONTAINER
                | op::CREATE_TTL
                | op::DELETE
                | op::SET_DATA
                | op::CHECK
        );
        if !belongs {
            // Reads are for multiRead.
            let value = op.into();
            return Err(DecodeError::Unknown { what: "operation inside a multi", value });
        }
        writes.push(match Write::read(op, from)? {
            Write::Create(create) => Write::Create(by_its_flags(create)?),
            write => write,
        });
    }
}

/// False for a multi with a create that has a null ACL, unless something else is wrong before it.
/// A null path is no matter at this point.
fn has_its_lists(from: &mut Reader) -> Result<bool, DecodeError> {
    loop {
        let MultiHeader { kind, done, .. } = Jute::decode(from)?;
        if done {
            return Ok(true);
        }
        from.ustring()?;
        match kind {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
                from.buffer()?;
                let acl = from.vector::<Acl>()?;
                match from.int()? {
                    create_flags::TTL | create_flags::SEQUENTIAL_TTL if acl.is_some() => {
                        return Ok(true);
                    }
                    0..=create_flags::SEQUENTIAL_TTL if acl.is_none() => return Ok(false),
                    0..=create_flags::SEQUENTIAL_TTL => {}
                    _ => return Ok(true),
                }
            }
            op::CREATE_TTL => {
                from.buffer()?;
                from.vector::<Acl>()?;
                from.int()?;
                from.long()?;
            }
            op::SET_DATA => {
                from.buffer()?;
                from.int()?;
            }
            op::DELETE | op::CHECK => _ = from.int()?,
            _ => return Ok(true),
        }
    }
}

/// Inside a multi the flags decide which create it is. (Op.create)
fn by_its_flags(create: Creation) -> Result<Creation, DecodeError> {
    let Creation { op, flags, .. } = create;
    let wants_ttl = matches!(flags, create_flags::TTL | create_flags::SEQUENTIAL_TTL);
    if create.op == op::CREATE_TTL {
        return Ok(match flags {
            _ if wants_ttl => create,
            create_flags::CONTAINER => Creation { op: op::CREATE_CONTAINER, ttl: None, ..create },
            _ => Creation { op: op::CREATE, ttl: None, ..create },
        });
    }
    if wants_ttl || !(0..=create_flags::CONTAINER).contains(&flags) {
        let value = flags.into();
        return Err(DecodeError::Unknown { what: "create flags inside a multi", value });
    }
    let op = if flags == create_flags::CONTAINER { op::CREATE_CONTAINER } else { op };
    Ok(Creation { op, ..create })
}
