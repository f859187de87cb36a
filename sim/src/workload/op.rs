//! What a client can ask: the operations, their bytes on the wire, and the draws of a workload.

use bytes::Bytes;
use quorate::base::SessionId;
use quorate::jute::client::{
    CreateRequest, CreateResponse, DeleteRequest, GetChildrenResponse, GetDataResponse,
    PathRequest, PathWatchRequest, RequestHeader, SetDataRequest, StatResponse, code, create_flags,
    op,
};
use quorate::jute::data::{Acl, Stat};
use quorate::jute::{DecodeError, Jute, Reader};

use crate::draw::Draws;
use crate::scenario::ClientAct;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Create { path: String, data: Bytes, ephemeral: bool, sequential: bool },
    Set { path: String, data: Bytes, version: i32 },
    Delete { path: String, version: i32 },
    Get { path: String },
    Exists { path: String },
    List { path: String },
    Sync { path: String },
    Close,
}

/// What came back with a reply that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Created(String),
    Stat(Stat),
    Data(Option<Bytes>, Stat),
    /// Sorted; the server's order means nothing.
    Children(Vec<String>),
    Nothing,
}

impl Op {
    pub fn is_write(&self) -> bool {
        matches!(self, Op::Create { .. } | Op::Set { .. } | Op::Delete { .. })
    }

    fn number(&self) -> i32 {
        match self {
            Op::Create { .. } => op::CREATE,
            Op::Set { .. } => op::SET_DATA,
            Op::Delete { .. } => op::DELETE,
            Op::Get { .. } => op::GET_DATA,
            Op::Exists { .. } => op::EXISTS,
            Op::List { .. } => op::GET_CHILDREN,
            Op::Sync { .. } => op::SYNC,
            Op::Close => op::CLOSE_SESSION,
        }
    }

    /// Header and record.
    pub fn encode(&self, xid: i32) -> Vec<u8> {
        let mut out = RequestHeader { xid, op: self.number() }.to_jute();
        match self.clone() {
            Op::Create { path, data, ephemeral, sequential } => {
                let flags = i32::from(ephemeral) * create_flags::EPHEMERAL
                    + i32::from(sequential) * create_flags::SEQUENTIAL;
                CreateRequest { path, data: Some(data), acl: Some(Acl::open()), flags }
                    .encode(&mut out);
            }
            Op::Set { path, data, version } => {
                SetDataRequest { path, data: Some(data), version }.encode(&mut out);
            }
            Op::Delete { path, version } => DeleteRequest { path, version }.encode(&mut out),
            Op::Get { path } | Op::Exists { path } | Op::List { path } => {
                PathWatchRequest { path, watch: false }.encode(&mut out);
            }
            Op::Sync { path } => PathRequest { path }.encode(&mut out),
            Op::Close => {}
        }
        out
    }

    pub fn decode_answer(&self, from: &mut Reader) -> Result<Answer, DecodeError> {
        Ok(match self {
            Op::Create { .. } => Answer::Created(CreateResponse::decode(from)?.path),
            Op::Set { .. } | Op::Exists { .. } => Answer::Stat(StatResponse::decode(from)?.stat),
            Op::Get { .. } => {
                let GetDataResponse { data, stat } = Jute::decode(from)?;
                Answer::Data(data, stat)
            }
            Op::List { .. } => {
                let mut children = GetChildrenResponse::decode(from)?.children;
                children.sort();
                Answer::Children(children)
            }
            Op::Delete { .. } | Op::Sync { .. } | Op::Close => Answer::Nothing,
        })
    }

    /// What a line of a timeline asks for; `None` for connecting.
    pub fn of_act(act: &ClientAct) -> Option<Op> {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Some(match act.clone() {
            ClientAct::Connects(_) => return None,
            ClientAct::Create { path, data, ephemeral, sequential } => {
                Op::Create { path, data: bytes(&data), ephemeral, sequential }
            }
            ClientAct::Set { path, data } => Op::Set { path, data: bytes(&data), version: -1 },
            ClientAct::Get { path } => Op::Get { path },
            ClientAct::Exists { path } => Op::Exists { path },
            ClientAct::List { path } => Op::List { path },
            ClientAct::Delete { path } => Op::Delete { path, version: -1 },
            ClientAct::Sync { path } => Op::Sync { path },
            ClientAct::Closes => Op::Close,
        })
    }
}

impl Op {
    /// The line of a timeline that asks for this, without the client's name. `None` if there is
    /// none: versions, for one, cannot be written there.
    pub fn as_act(&self) -> Option<ClientAct> {
        let text = |data: &Bytes| String::from_utf8(data.to_vec()).ok();
        Some(match self {
            Op::Create { path, data, ephemeral, sequential } => ClientAct::Create {
                path: path.clone(),
                data: text(data)?,
                ephemeral: *ephemeral,
                sequential: *sequential,
            },
            Op::Set { path, data, version: -1 } => {
                ClientAct::Set { path: path.clone(), data: text(data)? }
            }
            Op::Delete { path, version: -1 } => ClientAct::Delete { path: path.clone() },
            Op::Get { path, .. } => ClientAct::Get { path: path.clone() },
            Op::Exists { path, .. } => ClientAct::Exists { path: path.clone() },
            Op::List { path, .. } => ClientAct::List { path: path.clone() },
            Op::Sync { path } => ClientAct::Sync { path: path.clone() },
            Op::Close => ClientAct::Closes,
            _ => return None,
        })
    }
}

/// What a client knows when it chooses its next operation.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Names it created itself and has not deleted.
    pub created: Vec<String>,
    /// The newest version it saw of a shared node.
    pub seen_version: i32,
}

/// The `n`-th operation of a client. `writes` is the share that writes, `nodes` the number of
/// nodes all clients share.
pub fn draw(draws: &Draws, client: u64, n: u64, writes: f64, nodes: u32, memory: &Memory) -> Op {
    // The first client begins by creating what all of them work on.
    if client == 1 && n < u64::from(nodes) {
        return create(format!("/k{n}"), client, n, false, false);
    }
    let node = draws.below("op node", client, n, u64::from(nodes));
    let path = format!("/k{node}");
    let kind = draws.below("op kind", client, n, 100);
    if draws.unit("op writes", client, n) < writes {
        let data = Bytes::from(format!("{client}.{n}"));
        return match kind {
            0..40 => Op::Set { path, data, version: -1 },
            40..50 => Op::Set { path, data, version: memory.seen_version },
            50..65 => create(format!("/c{client}-{n}"), client, n, false, false),
            65..75 => create("/q-".into(), client, n, false, true),
            75..85 => create(format!("/e{client}-{n}"), client, n, true, false),
            85..90 => create(path, client, n, false, false),
            _ => {
                let missing = format!("/c{client}-none");
                let path = memory.created.last().cloned().unwrap_or(missing);
                Op::Delete { path, version: -1 }
            }
        };
    }
    match kind {
        0..60 => Op::Get { path },
        60..80 => Op::Exists { path: format!("/c{client}-{}", n.saturating_sub(3)) },
        80..90 => Op::List { path: "/".into() },
        _ => Op::Sync { path: "/".into() },
    }
}

fn create(path: String, client: u64, n: u64, ephemeral: bool, sequential: bool) -> Op {
    Op::Create { path, data: Bytes::from(format!("{client}.{n}")), ephemeral, sequential }
}

/// Errors of operations that reached the tree; each write among them is a transaction.
pub fn is_tree_error(err: i32) -> bool {
    matches!(err, code::NO_NODE | code::NODE_EXISTS | code::BAD_VERSION | code::NOT_EMPTY)
}

/// A session as its owner knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub password: Bytes,
    pub timeout_ms: i32,
}
