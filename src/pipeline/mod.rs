//! The way of a write, from a client's request to a transaction. (RequestProcessor chains)
//!
//!     prepare/   the leader checks the request and makes the transaction   PrepRequestProcessor
//!     quota.rs   whether a write would go beyond a quota                   ZooKeeperServer.checkQuota
//!
//! Not here: how a transaction is agreed upon (zab), what it does to the tree (tree/apply.rs).

pub mod prepare;
mod quota;

use bytes::Bytes;

use crate::base::SessionId;
use crate::jute::data::Id;

/// A write as it reaches the leader, from a client of its own or through a learner.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// Whose it is; for createSession the session that is to be.
    pub session: SessionId,
    /// The client's xid: with the session it names the request again when it is committed.
    pub cxid: i32,
    /// A value of `jute::client::op`.
    pub op: i32,
    /// The operation's record, undecoded.
    pub body: Bytes,
    /// What the client's connection has proven, its address among it.
    pub auth: Vec<Id>,
    /// Which link it came over, as the leader numbers links: the session's owner speaks from here.
    pub origin: u64,
}
