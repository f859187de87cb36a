//! Records of the data directory (zookeeper.jute module persistence; FileHeader, DataTree, DataNode).
//!
//! A snapshot's body, which a file and a SNAP stream share:
//!
//!     sessions  count int | (id long, timeout int)*
//!     acls      count int | (index long, vector<ACL>)*
//!     nodes     (path ustring, data buffer, acl long, StatPersisted)*      parents before children
//!     end       ustring "/"
//!
//! The root's path is "". What stands around the body (header, seals, digest) belongs to files
//! alone: `storage/snapshot_format.rs`. The word that ends a SNAP stream belongs to the learner.

use super::codec::{DecodeError, Jute, Reader, records};
use super::data::Acl;
pub use super::nodes::{BODY_END, NodeRef, PackedNodes, Pieces, SnapshotNode, Split};
use crate::base::{SessionId, Zxid};

/// "ZKLG": a transaction log.
pub const LOG_MAGIC: i32 = 0x5a4b_4c47;
/// "ZKSN": a snapshot.
pub const SNAPSHOT_MAGIC: i32 = 0x5a4b_534e;
/// The only version of either file.
pub const FILE_VERSION: i32 = 2;
pub const FILE_HEADER_BYTES: usize = 16;

records! {
    /// 16 bytes at the start of a log or a snapshot.
    FileHeader { magic: i32, version: i32, dbid: i64 }

    /// The tree's digest at a zxid. All zero but the version: nothing to compare.
    SnapshotDigest { zxid: Zxid, version: i32, digest: i64 }
}

impl FileHeader {
    pub const LOG: FileHeader = FileHeader { magic: LOG_MAGIC, version: FILE_VERSION, dbid: 0 };
    pub const SNAPSHOT: FileHeader =
        FileHeader { magic: SNAPSHOT_MAGIC, version: FILE_VERSION, dbid: -1 };
}

/// Sessions, ACL map and nodes: what a file and a SNAP stream share.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SnapshotBody {
    /// Session and its timeout in milliseconds.
    pub sessions: Vec<(SessionId, i32)>,
    pub acls: Vec<(i64, Vec<Acl>)>,
    pub nodes: PackedNodes,
}

pub fn encode_sessions(sessions: &[(SessionId, i32)], out: &mut Vec<u8>) {
    encode_count(sessions.len(), out);
    for (session, timeout_ms) in sessions {
        session.encode(out);
        timeout_ms.encode(out);
    }
}

pub fn encode_acls(acls: &[(i64, Vec<Acl>)], out: &mut Vec<u8>) {
    encode_count(acls.len(), out);
    for (index, acl) in acls {
        index.encode(out);
        acl.encode(out);
    }
}

/// What ends the nodes.
pub fn encode_body_end(out: &mut Vec<u8>) {
    BODY_END.to_string().encode(out);
}

fn encode_count(count: usize, out: &mut Vec<u8>) {
    i32::try_from(count).expect("fewer than 2^31 sessions and ACLs fit in memory").encode(out);
}

/// Reads what stands before the nodes.
pub fn decode_snapshot_head(from: &mut Reader) -> Result<SnapshotBody, DecodeError> {
    let mut body = SnapshotBody::default();
    for _ in 0..from.int()? {
        let session = SessionId::decode(from)?;
        body.sessions.push((session, from.int()?));
    }
    for _ in 0..from.int()? {
        let index = from.long()?;
        body.acls.push((index, Jute::decode(from)?));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::jute::data::StatPersisted;

    fn sample() -> SnapshotBody {
        let node = |path: &str, acl| SnapshotNode {
            path: path.into(),
            data: Some(Bytes::from_static(b"data")),
            acl,
            stat: StatPersisted::default(),
        };
        SnapshotBody {
            sessions: vec![(SessionId(7), 4000), (SessionId(8), 5000)],
            acls: vec![(1, Acl::open())],
            nodes: vec![node("", -1), node("/a", 1), node("/a/b", -1)].into(),
        }
    }

    /// A whole body, its end included.
    fn decode(from: &mut Reader) -> Result<SnapshotBody, DecodeError> {
        let mut body = decode_snapshot_head(from)?;
        let split = body.nodes.take(&from.rest(), true)?;
        from.bytes(split.end)?;
        Ok(body)
    }

    fn encode(body: &SnapshotBody) -> Vec<u8> {
        let mut out = Vec::new();
        encode_sessions(&body.sessions, &mut out);
        encode_acls(&body.acls, &mut out);
        body.nodes.to_nodes().iter().for_each(|node| node.encode(&mut out));
        encode_body_end(&mut out);
        out
    }

    #[test]
    fn a_body_cut_anywhere_is_too_short() {
        let bytes = Bytes::from(encode(&sample()));
        for cut in 0..bytes.len() {
            let read = decode(&mut Reader::new(bytes.slice(..cut)));
            assert!(matches!(read, Err(DecodeError::Short { .. })), "{cut}");
        }
    }

    #[test]
    fn what_follows_the_body_is_left_alone() {
        let mut bytes = encode(&sample());
        bytes.extend_from_slice(b"BenWasHere");
        let mut from = Reader::new(bytes.into());
        assert_eq!(decode(&mut from), Ok(sample()));
        assert_eq!(&from.rest()[..], b"BenWasHere");
    }
}
