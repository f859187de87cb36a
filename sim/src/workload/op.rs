//! What a client can ask, and its bytes on the wire.
//!
//! Not here: what a workload draws (`plain.rs`, `mix.rs`), what is right (`contract`).

use bytes::Bytes;
use quorate::base::{SessionId, Zxid};
use quorate::jute::client::{
    AddWatchRequest, CheckVersionRequest, Create2Response, CreateRequest, CreateResponse,
    DeleteRequest, ErrorResponse, GetAclResponse, GetChildrenResponse, GetDataResponse,
    MultiHeader, PathRequest, PathWatchRequest, RequestHeader, SetAclRequest, SetDataRequest,
    SetWatches, SetWatches2, StatResponse, add_watch_mode, code, create_flags, op, xid,
};
use quorate::jute::data::{Acl, Id, Stat};
use quorate::jute::{DecodeError, Jute, Reader};

use crate::scenario::ClientAct;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Create(Create),
    Set {
        path: String,
        data: Bytes,
        version: i32,
    },
    Delete {
        path: String,
        version: i32,
    },
    /// Inside a multi only.
    Check {
        path: String,
        version: i32,
    },
    Multi(Vec<Op>),
    /// These permissions for world:anyone; `version` is compared with aversion.
    SetAcl {
        path: String,
        perms: i32,
        version: i32,
    },
    Get {
        path: String,
        watch: bool,
    },
    Exists {
        path: String,
        watch: bool,
    },
    List {
        path: String,
        watch: bool,
    },
    GetAcl {
        path: String,
    },
    Sync {
        path: String,
    },
    AddWatch {
        path: String,
        recursive: bool,
    },
    /// What was watched on the connection before.
    SetWatches(Box<Rewatch>),
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Create {
    pub path: String,
    pub data: Bytes,
    pub ephemeral: bool,
    pub sequential: bool,
    /// Asked as create2, which answers the stat too.
    pub with_stat: bool,
}

/// Watches to be set again on a new connection (SetWatches, SetWatches2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rewatch {
    pub relative_zxid: Zxid,
    pub data: Vec<String>,
    pub exist: Vec<String>,
    pub child: Vec<String>,
    pub persistent: Vec<String>,
    pub recursive: Vec<String>,
}

/// What came back with a reply that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A stat only where one was asked for.
    Created(String, Option<Stat>),
    Stat(Stat),
    Data(Option<Bytes>, Stat),
    /// Sorted; the server's order means nothing.
    Children(Vec<String>),
    Acl(Vec<Acl>, Stat),
    /// One for each part.
    Multi(Vec<Result<Answer, i32>>),
    Nothing,
}

impl Op {
    /// A plain create.
    pub fn create(path: String, data: Bytes) -> Op {
        Op::Create(Create { path, data, ..Create::default() })
    }

    /// Whether the answer is that of a transaction.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Op::Create(_) | Op::Set { .. } | Op::Delete { .. } | Op::SetAcl { .. } | Op::Multi(_)
        )
    }

    fn number(&self) -> i32 {
        match self {
            Op::Create(create) if create.with_stat => op::CREATE2,
            Op::Create(_) => op::CREATE,
            Op::Set { .. } => op::SET_DATA,
            Op::Delete { .. } => op::DELETE,
            Op::Check { .. } => op::CHECK,
            Op::Multi(_) => op::MULTI,
            Op::SetAcl { .. } => op::SET_ACL,
            Op::Get { .. } => op::GET_DATA,
            Op::Exists { .. } => op::EXISTS,
            Op::List { .. } => op::GET_CHILDREN,
            Op::GetAcl { .. } => op::GET_ACL,
            Op::Sync { .. } => op::SYNC,
            Op::AddWatch { .. } => op::ADD_WATCH,
            // As the Java client: the newer form only where it is needed.
            Op::SetWatches(again) if again.persistent.is_empty() && again.recursive.is_empty() => {
                op::SET_WATCHES
            }
            Op::SetWatches(_) => op::SET_WATCHES2,
            Op::Close => op::CLOSE_SESSION,
        }
    }

    /// The xid this request travels under, if it is not one of its own.
    pub fn fixed_xid(&self) -> Option<i32> {
        matches!(self, Op::SetWatches(_)).then_some(xid::SET_WATCHES)
    }

    /// Header and record.
    pub fn encode(&self, xid: i32) -> Vec<u8> {
        let mut out = RequestHeader { xid, op: self.number() }.to_jute();
        self.encode_record(&mut out);
        out
    }

    fn encode_record(&self, out: &mut Vec<u8>) {
        match self.clone() {
            Op::Create(Create { path, data, ephemeral, sequential, .. }) => {
                let flags = i32::from(ephemeral) * create_flags::EPHEMERAL
                    + i32::from(sequential) * create_flags::SEQUENTIAL;
                CreateRequest { path, data: Some(data), acl: Some(Acl::open()), flags }.encode(out);
            }
            Op::Set { path, data, version } => {
                SetDataRequest { path, data: Some(data), version }.encode(out);
            }
            Op::Delete { path, version } => DeleteRequest { path, version }.encode(out),
            Op::Check { path, version } => CheckVersionRequest { path, version }.encode(out),
            Op::Multi(parts) => encode_multi(&parts, out),
            Op::SetAcl { path, perms, version } => {
                SetAclRequest { path, acl: Some(for_anyone(perms)), version }.encode(out);
            }
            Op::Get { path, watch } | Op::Exists { path, watch } | Op::List { path, watch } => {
                PathWatchRequest { path, watch }.encode(out);
            }
            Op::GetAcl { path } | Op::Sync { path } => PathRequest { path }.encode(out),
            Op::AddWatch { path, recursive } => {
                let mode = match recursive {
                    true => add_watch_mode::PERSISTENT_RECURSIVE,
                    false => add_watch_mode::PERSISTENT,
                };
                AddWatchRequest { path, mode }.encode(out);
            }
            Op::SetWatches(again) => encode_rewatch(*again, self.number(), out),
            Op::Close => {}
        }
    }

    pub fn decode_answer(&self, from: &mut Reader) -> Result<Answer, DecodeError> {
        Ok(match self {
            Op::Create(create) if create.with_stat => {
                let Create2Response { path, stat } = Jute::decode(from)?;
                Answer::Created(path, Some(stat))
            }
            Op::Create(_) => Answer::Created(CreateResponse::decode(from)?.path, None),
            Op::Set { .. } | Op::Exists { .. } | Op::SetAcl { .. } => {
                Answer::Stat(StatResponse::decode(from)?.stat)
            }
            Op::Get { .. } => {
                let GetDataResponse { data, stat } = Jute::decode(from)?;
                Answer::Data(data, stat)
            }
            Op::List { .. } => {
                let mut children = GetChildrenResponse::decode(from)?.children;
                children.sort();
                Answer::Children(children)
            }
            Op::GetAcl { .. } => {
                let GetAclResponse { acl, stat } = Jute::decode(from)?;
                Answer::Acl(acl, stat)
            }
            Op::Multi(_) => Answer::Multi(decode_multi(from)?),
            Op::Delete { .. }
            | Op::Check { .. }
            | Op::Sync { .. }
            | Op::AddWatch { .. }
            | Op::SetWatches(_)
            | Op::Close => Answer::Nothing,
        })
    }

    /// What a line of a timeline asks for; `None` for connecting.
    pub fn of_act(act: &ClientAct) -> Option<Op> {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Some(match act.clone() {
            ClientAct::Connects(_) => return None,
            ClientAct::Create { path, data, ephemeral, sequential } => {
                let data = bytes(&data);
                Op::Create(Create { path, data, ephemeral, sequential, with_stat: false })
            }
            ClientAct::Set { path, data } => Op::Set { path, data: bytes(&data), version: -1 },
            ClientAct::Get { path } => Op::Get { path, watch: false },
            ClientAct::Exists { path } => Op::Exists { path, watch: false },
            ClientAct::List { path } => Op::List { path, watch: false },
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
        // A timeline writes data as one word.
        let is_word = |text: &String| {
            let parts = |c: char| c.is_whitespace() || [',', ';', '|'].contains(&c);
            !text.contains(parts) && !text.contains("->")
        };
        let text = |data: &Bytes| String::from_utf8(data.to_vec()).ok().filter(is_word);
        Some(match self {
            Op::Create(create) => ClientAct::Create {
                path: create.path.clone(),
                data: text(&create.data)?,
                ephemeral: create.ephemeral,
                sequential: create.sequential,
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

/// These permissions for everybody.
pub fn for_anyone(perms: i32) -> Vec<Acl> {
    vec![Acl { perms, id: Id { scheme: "world".into(), id: "anyone".into() } }]
}

/// Each part behind a header of its own, and a header that says it was the last.
fn encode_multi(parts: &[Op], out: &mut Vec<u8>) {
    for part in parts {
        MultiHeader { kind: part.number(), done: false, err: -1 }.encode(out);
        part.encode_record(out);
    }
    MultiHeader { kind: -1, done: true, err: -1 }.encode(out);
}

/// What came back says itself what it is.
fn decode_multi(from: &mut Reader) -> Result<Vec<Result<Answer, i32>>, DecodeError> {
    let mut results = Vec::new();
    loop {
        let header = MultiHeader::decode(from)?;
        if header.done {
            return Ok(results);
        }
        results.push(match header.kind {
            -1 => Err(ErrorResponse::decode(from)?.err),
            op::CREATE => Ok(Answer::Created(CreateResponse::decode(from)?.path, None)),
            op::CREATE2 => {
                let Create2Response { path, stat } = Jute::decode(from)?;
                Ok(Answer::Created(path, Some(stat)))
            }
            op::SET_DATA => Ok(Answer::Stat(StatResponse::decode(from)?.stat)),
            op::DELETE | op::CHECK => Ok(Answer::Nothing),
            kind => {
                let value = kind.into();
                return Err(DecodeError::Unknown { what: "type of a multi's result", value });
            }
        });
    }
}

fn encode_rewatch(again: Rewatch, number: i32, out: &mut Vec<u8>) {
    let Rewatch { relative_zxid, data, exist, child, persistent, recursive } = again;
    if number == op::SET_WATCHES {
        return SetWatches {
            relative_zxid,
            data_watches: data,
            exist_watches: exist,
            child_watches: child,
        }
        .encode(out);
    }
    SetWatches2 {
        relative_zxid,
        data_watches: data,
        exist_watches: exist,
        child_watches: child,
        persistent_watches: persistent,
        persistent_recursive_watches: recursive,
    }
    .encode(out);
}

/// Errors of operations that reached the tree; each write among them is a transaction.
pub fn is_tree_error(err: i32) -> bool {
    matches!(
        err,
        code::NO_NODE
            | code::NODE_EXISTS
            | code::BAD_VERSION
            | code::NOT_EMPTY
            | code::NO_AUTH
            | code::NO_CHILDREN_FOR_EPHEMERALS
    )
}

/// A session as its owner knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub password: Bytes,
    pub timeout_ms: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each form of a result, as facts 1.9 lays them out.
    #[test]
    fn a_multi_is_read_part_by_part() {
        let mut bytes = Vec::new();
        MultiHeader { kind: op::CREATE, done: false, err: 0 }.encode(&mut bytes);
        CreateResponse { path: "/a".into() }.encode(&mut bytes);
        MultiHeader { kind: op::DELETE, done: false, err: 0 }.encode(&mut bytes);
        MultiHeader { kind: -1, done: false, err: code::NO_NODE }.encode(&mut bytes);
        ErrorResponse { err: code::NO_NODE }.encode(&mut bytes);
        MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut bytes);
        let read = decode_multi(&mut Reader::new(bytes.into()));
        let created = Answer::Created("/a".into(), None);
        assert_eq!(read, Ok(vec![Ok(created), Ok(Answer::Nothing), Err(code::NO_NODE)]));
    }

    #[test]
    fn watches_are_set_again_by_the_older_form_unless_the_newer_is_needed() {
        let old =
            Op::SetWatches(Box::new(Rewatch { data: vec!["/a".into()], ..Rewatch::default() }));
        let new =
            Op::SetWatches(Box::new(Rewatch { recursive: vec!["/".into()], ..Rewatch::default() }));
        assert_eq!((old.number(), new.number()), (op::SET_WATCHES, op::SET_WATCHES2));
        assert_eq!((old.fixed_xid(), Op::Close.fixed_xid()), (Some(xid::SET_WATCHES), None));
    }
}
