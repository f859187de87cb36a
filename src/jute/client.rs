//! The client protocol: requests and replies, field order is wire order (zookeeper.jute module proto).
//!
//!     request:  length int | RequestHeader | record by op
//!     reply:    length int | ReplyHeader   | record by op, only if err is 0

use bytes::Bytes;

use super::codec::{DecodeError, Jute, Reader, records};
use super::data::{Acl, Stat};
use crate::base::{SessionId, Zxid};

records! {
    RequestHeader { xid: i32, op: i32 }
    ReplyHeader { xid: i32, zxid: Zxid, err: i32 }

    CreateRequest { path: String, data: Option<Bytes>, acl: Option<Vec<Acl>>, flags: i32 }
    CreateTtlRequest { path: String, data: Option<Bytes>, acl: Option<Vec<Acl>>, flags: i32, ttl: i64 }
    CreateResponse { path: String }
    Create2Response { path: String, stat: Stat }
    DeleteRequest { path: String, version: i32 }
    /// exists, getData, getChildren, getChildren2.
    PathWatchRequest { path: String, watch: bool }
    /// getACL, sync.
    PathRequest { path: String }
    StatResponse { stat: Stat }
    GetDataResponse { data: Option<Bytes>, stat: Stat }
    SetDataRequest { path: String, data: Option<Bytes>, version: i32 }
    GetAclResponse { acl: Vec<Acl>, stat: Stat }
    GetChildrenResponse { children: Vec<String> }
    GetChildren2Response { children: Vec<String>, stat: Stat }
    SetWatches { relative_zxid: Zxid, data_watches: Vec<String>, exist_watches: Vec<String>, child_watches: Vec<String> }
    SetWatches2 { relative_zxid: Zxid, data_watches: Vec<String>, exist_watches: Vec<String>, child_watches: Vec<String>, persistent_watches: Vec<String>, persistent_recursive_watches: Vec<String> }
    /// checkWatches and removeWatches; `kind` is a value of `watcher_type`.
    WatcherTypeRequest { path: String, kind: i32 }
    /// `mode` is a value of `add_watch_mode`.
    AddWatchRequest { path: String, mode: i32 }
    GetEphemeralsRequest { prefix_path: Option<String> }
    GetEphemeralsResponse { ephemerals: Vec<String> }
    GetAllChildrenNumberResponse { total_number: i32 }
    ClientInfo { auth_scheme: String, user: String }
    WhoAmIResponse { client_info: Vec<ClientInfo> }
    /// sasl, both ways.
    SaslToken { token: Option<Bytes> }
    DeleteContainerRequest { path: Option<Bytes> }
    ReconfigRequest { joining_servers: Option<String>, leaving_servers: Option<String>, new_members: Option<String>, cur_config_id: i64 }
    ErrorResponse { err: i32 }
    SetAclRequest { path: String, acl: Option<Vec<Acl>>, version: i32 }
    CheckVersionRequest { path: String, version: i32 }
    MultiHeader { kind: i32, done: bool, err: i32 }
    WatcherEvent { kind: i32, state: i32, path: String }
    AuthPacket { kind: i32, scheme: String, auth: Option<Bytes> }
    /// createSession as it travels to the leader.
    CreateSessionRequest { timeout: i32 }
}

/// The first message of a client. Clients before 3.4 omit the last byte.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectRequest {
    pub protocol_version: i32,
    pub last_zxid_seen: Zxid,
    pub timeout_ms: i32,
    pub session: SessionId,
    pub password: Option<Bytes>,
    pub read_only: Option<bool>,
}

/// The answer; `read_only` is sent only to a client that sent its own.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectResponse {
    pub protocol_version: i32,
    pub timeout_ms: i32,
    pub session: SessionId,
    pub password: Option<Bytes>,
    pub read_only: Option<bool>,
}

impl Jute for ConnectRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol_version.encode(out);
        self.last_zxid_seen.encode(out);
        self.timeout_ms.encode(out);
        self.session.encode(out);
        self.password.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }

    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(ConnectRequest {
            protocol_version: from.int()?,
            last_zxid_seen: Jute::decode(from)?,
            timeout_ms: from.int()?,
            session: Jute::decode(from)?,
            password: from.buffer()?,
            read_only: if from.remaining() > 0 { Some(from.boolean()?) } else { None },
        })
    }
}

impl Jute for ConnectResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol_version.encode(out);
        self.timeout_ms.encode(out);
        self.session.encode(out);
        self.password.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }

    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(ConnectResponse {
            protocol_version: from.int()?,
            timeout_ms: from.int()?,
            session: Jute::decode(from)?,
            password: from.buffer()?,
            read_only: if from.remaining() > 0 { Some(from.boolean()?) } else { None },
        })
    }
}

/// Operations (ZooDefs.OpCode). Numbers 10 and 23 to 99 are unused.
pub mod op {
    pub const NOTIFICATION: i32 = 0;
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const EXISTS: i32 = 3;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const GET_ACL: i32 = 6;
    pub const SET_ACL: i32 = 7;
    pub const GET_CHILDREN: i32 = 8;
    pub const SYNC: i32 = 9;
    pub const PING: i32 = 11;
    pub const GET_CHILDREN2: i32 = 12;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CHECK_WATCHES: i32 = 17;
    pub const REMOVE_WATCHES: i32 = 18;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
    pub const MULTI_READ: i32 = 22;
    pub const AUTH: i32 = 100;
    pub const SET_WATCHES: i32 = 101;
    pub const SASL: i32 = 102;
    pub const GET_EPHEMERALS: i32 = 103;
    pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub const SET_WATCHES2: i32 = 105;
    pub const ADD_WATCH: i32 = 106;
    pub const WHO_AM_I: i32 = 107;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
}

/// The name of an operation, as traces and logs show it.
pub fn op_name(op: i32) -> &'static str {
    match op {
        op::NOTIFICATION => "notification",
        op::CREATE => "create",
        op::DELETE => "delete",
        op::EXISTS => "exists",
        op::GET_DATA => "getData",
        op::SET_DATA => "setData",
        op::GET_ACL => "getACL",
        op::SET_ACL => "setACL",
        op::GET_CHILDREN => "getChildren",
        op::SYNC => "sync",
        op::PING => "ping",
        op::GET_CHILDREN2 => "getChildren2",
        op::CHECK => "check",
        op::MULTI => "multi",
        op::CREATE2 => "create2",
        op::RECONFIG => "reconfig",
        op::CHECK_WATCHES => "checkWatches",
        op::REMOVE_WATCHES => "removeWatches",
        op::CREATE_CONTAINER => "createContainer",
        op::DELETE_CONTAINER => "deleteContainer",
        op::CREATE_TTL => "createTTL",
        op::MULTI_READ => "multiRead",
        op::AUTH => "auth",
        op::SET_WATCHES => "setWatches",
        op::SASL => "sasl",
        op::GET_EPHEMERALS => "getEphemerals",
        op::GET_ALL_CHILDREN_NUMBER => "getAllChildrenNumber",
        op::SET_WATCHES2 => "setWatches2",
        op::ADD_WATCH => "addWatch",
        op::WHO_AM_I => "whoAmI",
        op::CREATE_SESSION => "createSession",
        op::CLOSE_SESSION => "closeSession",
        _ => "unknown",
    }
}

/// Transaction ids that are not a request's own (ClientCnxn.java).
pub mod xid {
    pub const NOTIFICATION: i32 = -1;
    pub const PING: i32 = -2;
    pub const AUTH: i32 = -4;
    pub const SET_WATCHES: i32 = -8;
}

/// Reply codes (KeeperException.Code). Values, not Rust errors.
pub mod code {
    pub const OK: i32 = 0;
    pub const SYSTEM_ERROR: i32 = -1;
    pub const RUNTIME_INCONSISTENCY: i32 = -2;
    pub const DATA_INCONSISTENCY: i32 = -3;
    pub const CONNECTION_LOSS: i32 = -4;
    pub const MARSHALLING_ERROR: i32 = -5;
    pub const UNIMPLEMENTED: i32 = -6;
    pub const OPERATION_TIMEOUT: i32 = -7;
    pub const BAD_ARGUMENTS: i32 = -8;
    pub const NEW_CONFIG_NO_QUORUM: i32 = -13;
    pub const RECONFIG_IN_PROGRESS: i32 = -14;
    pub const API_ERROR: i32 = -100;
    pub const NO_NODE: i32 = -101;
    pub const NO_AUTH: i32 = -102;
    pub const BAD_VERSION: i32 = -103;
    pub const NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
    pub const NODE_EXISTS: i32 = -110;
    pub const NOT_EMPTY: i32 = -111;
    pub const SESSION_EXPIRED: i32 = -112;
    pub const INVALID_CALLBACK: i32 = -113;
    pub const INVALID_ACL: i32 = -114;
    pub const AUTH_FAILED: i32 = -115;
    pub const SESSION_MOVED: i32 = -118;
    pub const NOT_READ_ONLY: i32 = -119;
    pub const EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
    pub const NO_WATCHER: i32 = -121;
    pub const RECONFIG_DISABLED: i32 = -123;
    pub const SESSION_CLOSED_REQUIRE_SASL_AUTH: i32 = -124;
    pub const QUOTA_EXCEEDED: i32 = -125;
    pub const THROTTLED_OP: i32 = -127;
}

/// Create flags (CreateMode).
pub mod create_flags {
    pub const EPHEMERAL: i32 = 1;
    pub const SEQUENTIAL: i32 = 2;
    pub const CONTAINER: i32 = 4;
    pub const TTL: i32 = 5;
    pub const SEQUENTIAL_TTL: i32 = 6;
}

/// What checkWatches and removeWatches ask about (Watcher.WatcherType).
pub mod watcher_type {
    pub const CHILDREN: i32 = 1;
    pub const DATA: i32 = 2;
    pub const ANY: i32 = 3;
    pub const PERSISTENT: i32 = 4;
    pub const PERSISTENT_RECURSIVE: i32 = 5;
}

/// What addWatch may register (AddWatchMode).
pub mod add_watch_mode {
    pub const PERSISTENT: i32 = 0;
    pub const PERSISTENT_RECURSIVE: i32 = 1;
}

/// Types of a watch event (Watcher.Event.EventType).
pub mod event {
    pub const CREATED: i32 = 1;
    pub const DELETED: i32 = 2;
    pub const DATA_CHANGED: i32 = 3;
    pub const CHILDREN_CHANGED: i32 = 4;
    /// The only state a server sends (KeeperState.SyncConnected).
    pub const STATE_SYNC_CONNECTED: i32 = 3;
}
