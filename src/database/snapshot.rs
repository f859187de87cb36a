//! The tree and the sessions as a stream: to a learner, to a file, and back.
//!
//! The stream behind SNAP is a snapshot file without header, seals and digest (facts: SerializeUtils,
//! DataTree.serialize); both carry the same body:
//!
//!     session count, (id, timeout)* | acl count, (id, vector<ACL>)* | (path, data, acl, stat)* | "/"

use bytes::Bytes;
use thiserror::Error;

use super::Database;
use crate::base::{SessionId, Zxid};
use crate::jute::data::Acl;
use crate::jute::{DecodeError, Jute, Reader};
use crate::jute::persist::{SnapshotNode, decode_snapshot_body};
use crate::tree::{SnapshotCursor, TreeLoader};

/// The string that ends the stream behind SNAP (LearnerHandler).
const SIGNATURE: &str = "BenWasHere";

/// A snapshot that is no tree.
#[derive(Debug, Error)]
pub enum InstallError {
    #[error("the snapshot does not decode: {0}")]
    Decode(#[from] DecodeError),
    #[error("the snapshot is no tree: {0}")]
    Tree(String),
}

impl Database {
    /// Replaces tree and sessions. Log, epochs and the right to vote stay as they are.
    pub(super) fn install(
        &mut self,
        zxid: Zxid,
        sessions: Vec<(SessionId, i32)>,
        acls: Vec<(i64, Vec<Acl>)>,
        nodes: Vec<SnapshotNode>,
    ) -> Result<(), InstallError> {
        let mut loader = TreeLoader::new(acls);
        for node in nodes {
            loader.add(node).map_err(|e| InstallError::Tree(e.to_string()))?;
        }
        self.tree = loader.finish(zxid);
        self.sessions = sessions.into_iter().collect();
        self.unapplied.clear();
        self.committed_log.clear();
        self.committed = zxid;
        self.last_logged = zxid;
        Ok(())
    }

    /// Replaces everything by a leader's inline snapshot.
    pub fn install_stream(&mut self, zxid: Zxid, body: Bytes) -> Result<(), InstallError> {
        let mut from = Reader::new(body);
        let (sessions, acls, nodes) = decode_snapshot_body(&mut from)?;
        let signature = String::decode(&mut from)?;
        if signature != SIGNATURE {
            return Err(InstallError::Tree(format!("it ends with {signature:?}")));
        }
        self.install(zxid, sessions, acls, nodes)
    }

    /// Sessions and ACLs: what stands before the nodes of the stream.
    pub fn snapshot_head(&self) -> Bytes {
        let mut out = Vec::new();
        let sessions: Vec<(SessionId, i32)> = self.sessions.iter().collect();
        (sessions.len() as i32).encode(&mut out);
        for (session, timeout) in sessions {
            session.encode(&mut out);
            timeout.encode(&mut out);
        }
        let acls = self.tree.acl_map();
        (acls.len() as i32).encode(&mut out);
        for (id, acl) in acls {
            id.encode(&mut out);
            acl.encode(&mut out);
        }
        out.into()
    }

    pub fn snapshot_cursor(&self) -> SnapshotCursor {
        SnapshotCursor::new()
    }

    /// The next nodes of the stream behind SNAP; with the last ones its end, and true.
    pub fn snapshot_slice(&self, cursor: &mut SnapshotCursor, nodes: usize) -> (Bytes, bool) {
        let mut out = Vec::new();
        for node in self.tree.snapshot_slice(cursor, nodes) {
            node.encode(&mut out);
        }
        let done = cursor.is_done();
        if done {
            "/".to_string().encode(&mut out);
            SIGNATURE.to_string().encode(&mut out);
        }
        (out.into(), done)
    }
}
