//! The tree and the sessions as a stream: to a learner, and back.
//!
//! The stream behind SNAP is the body of a snapshot file (`jute::persist`) without header, seals
//! and digest, followed by a signature (LearnerHandler).

use bytes::Bytes;

use super::Database;
use super::digest_log::DigestLog;
use super::error::InstallError;
use crate::base::Zxid;
use crate::jute::persist::{Pieces, SnapshotBody, decode_snapshot_head};
use crate::jute::{DecodeError, Jute, Reader};
use crate::storage::SnapshotEncoder;
use crate::tree::{SnapshotCursor, TreeLoader};

/// The string that ends the stream behind SNAP.
const SIGNATURE: &str = "BenWasHere";

impl Database {
    /// Replaces tree and sessions. Log, epochs and the right to vote stay as they are, and so does
    /// what this server says of its configuration (ZOOKEEPER-2819). `to_come`: how many nodes a log
    /// creates behind it.
    pub(super) fn install(
        &mut self,
        zxid: Zxid,
        mut body: SnapshotBody,
        to_come: usize,
    ) -> Result<(), InstallError> {
        let mut loader = TreeLoader::of_nodes(body.nodes.len() + to_come);
        for (id, list) in body.acls {
            loader.add_acl(id, list)?;
        }
        body.nodes.hand_over(|node| loader.add_node(node))?;
        let rules = self.tree.acl_rules();
        self.tree = loader.finish(zxid)?;
        self.tree.set_acl_rules(rules);
        self.put_config();
        self.digests = DigestLog::default();
        self.sessions = Default::default();
        for (session, timeout_ms) in body.sessions {
            self.sessions.insert(session, timeout_ms);
        }
        self.unapplied.clear();
        self.unapplied_committed = 0;
        self.committed_log.clear();
        self.committed_log_behind = zxid;
        self.committed = zxid;
        self.last_logged = zxid;
        self.durable = zxid;
        self.needs_snapshot = false;
        self.unkept = false;
        self.invariants();
        Ok(())
    }

    /// Replaces everything by a leader's inline snapshot.
    pub fn install_stream(
        &mut self,
        zxid: Zxid,
        stream: impl Into<Pieces>,
    ) -> Result<(), InstallError> {
        let Pieces(pieces) = stream.into();
        let mut from = Reader::new(pieces.first().cloned().unwrap_or_default());
        let mut body = decode_snapshot_head(&mut from)?;
        let mut rest = from.rest();
        for n in 0..pieces.len().max(1) {
            let is_last = n + 1 >= pieces.len();
            let split = body.nodes.take(&rest, is_last)?;
            let left = rest.len() - split.end;
            if !is_last && left > 0 {
                return Err(DecodeError::Short { offset: split.end, wanted: left + 1, left }.into());
            }
            from = Reader::new(rest.slice(split.end..));
            rest = pieces.get(n + 1).cloned().unwrap_or_default();
        }
        // From here on the nodes alone hold the pieces.
        drop(pieces);
        let signature = String::decode(&mut from)?;
        drop(from);
        if signature != SIGNATURE {
            return Err(InstallError::Signature(signature));
        }
        self.install(zxid, body, 0)?;
        self.is_unfinished = true;
        Ok(())
    }

    /// Sessions and ACLs: what stands before the nodes of the stream.
    pub fn snapshot_head(&self) -> Bytes {
        let mut encoder = SnapshotEncoder::for_learner();
        self.begin_snapshot(&mut encoder);
        encoder.take()
    }

    /// Writes sessions and ACLs, for a learner or a file.
    pub fn begin_snapshot(&self, encoder: &mut SnapshotEncoder) {
        let sessions: Vec<_> = self.sessions.iter().collect();
        encoder.sessions(&sessions);
        encoder.acls(&self.tree.acl_map());
    }

    /// The next nodes of the stream behind SNAP; with the last ones its end, and true.
    pub fn snapshot_slice(&self, cursor: &mut SnapshotCursor, nodes: usize) -> (Bytes, bool) {
        let mut encoder = SnapshotEncoder::for_learner();
        self.tree.write_slice(cursor, nodes, &mut |node| encoder.node(&node));
        if !cursor.is_done() {
            return (encoder.take(), false);
        }
        let mut bytes = encoder.finish(None, None).to_vec();
        SIGNATURE.to_string().encode(&mut bytes);
        (bytes.into(), true)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::base::invariant::testing::{each_fires, fires};
    use crate::base::{Epoch, SessionId};
    use crate::jute::txn::{CreateTxn, Proposal, Txn, TxnHeader, kind};
    use crate::storage::{EpochKind, Loaded, SnapshotData};

    fn database(nodes: u32) -> Database {
        let mut db = Database::empty(500);
        for n in 1..=nodes {
            let zxid = Zxid::new(Epoch(1), n);
            let header =
                TxnHeader { client_id: SessionId(7), cxid: 1, zxid, time: 5, kind: kind::CREATE };
            let create = CreateTxn {
                path: format!("/n{n}"),
                data: Some(Bytes::from_static(b"data")),
                acl: Some(crate::jute::data::Acl::open()),
                ephemeral: false,
                parent_cversion: n as i32,
            };
            db.append(Rc::new(Proposal::new(header, Txn::Create(create), None)));
        }
        db.fast_forward();
        db
    }

    #[test]
    fn the_committed_log_keeps_what_the_tree_lacks() {
        let full = database(5);
        let mut db = Database::empty(2);
        full.committed_log().for_each(|proposal| db.append(proposal.clone()));
        db.commit_to(full.committed());
        assert_eq!(db.committed_log().count(), 5);
        while db.apply_next().is_some() {}
        assert_eq!(db.committed_log().count(), 2);
    }

    #[test]
    fn a_leaders_snapshot_is_unfinished_until_an_epoch_has_its_history() {
        let zxid = Zxid::new(Epoch(1), 7);
        let stream = || {
            let leaders = database(3);
            let (nodes, _) = leaders.snapshot_slice(&mut SnapshotCursor::new(), 100);
            Bytes::from([leaders.snapshot_head(), nodes].concat())
        };
        let on_disk = |zxid, unfinished| {
            let nodes = database(3).tree().snapshot_slice(&mut SnapshotCursor::new(), 100);
            let nodes = nodes.into();
            let snapshot = Some(SnapshotData { zxid, nodes, ..SnapshotData::default() });
            Loaded { snapshot, last_logged: zxid, unfinished, ..Loaded::default() }
        };
        let mut db = database(1);
        assert!(!db.is_unfinished());
        db.install_stream(zxid, stream()).expect("a tree");
        db.set_epoch(EpochKind::Accepted, Epoch(2));
        assert!(db.is_unfinished());
        db.restore(on_disk(zxid, true)).expect("the snapshot is durable");
        assert!(db.is_unfinished());
        let mut old = db.clone();
        old.restore(on_disk(Zxid::new(Epoch(1), 3), false)).expect("it was not yet");
        assert!(!old.is_unfinished());
        db.set_epoch(EpochKind::Current, Epoch(2));
        assert!(!db.is_unfinished());
    }

    #[test]
    fn each_invariant_of_the_database_fires() {
        fn txn(counter: u32) -> Rc<Proposal> {
            database(counter).committed_log.pop_back().expect("the last one")
        }
        /// 1 to 4 are applied, 5 is committed, 6 is logged.
        fn good() -> Database {
            let mut db = database(4);
            db.append(txn(5));
            db.append(txn(6));
            db.commit_to(txn(5).zxid());
            db
        }
        each_fires(
            include_str!("mod.rs"),
            Database::invariants,
            &[
                ("DB-3", good, |db| db.committed = txn(7).zxid()),
                ("DB-3", good, |db| db.committed = txn(3).zxid()),
                ("DB-3", good, |db| db.unapplied.clear()),
                ("DB-3", good, |db| drop(db.unapplied.pop_back())),
                ("DB-3", good, |db| db.unapplied.push_front(txn(4))),
                ("DB-1", good, |db| drop(db.committed_log.pop_back())),
                ("DB-2", good, |db| db.committed_log.clear()),
            ],
        );
        let mut db = good();
        fires("S-14", || db.append(txn(8)));
        fires("S-13", || db.set_epoch(EpochKind::Current, Epoch(-1)));
        db.committed_log.pop_back();
        fires("DB-1", || db.commit_to(txn(6).zxid()));
    }

    #[test]
    fn a_stream_of_several_slices_is_the_tree_again() {
        let db = database(1200);
        let mut stream = db.snapshot_head().to_vec();
        let mut cursor = SnapshotCursor::new();
        let mut slices = 0;
        loop {
            let (slice, done) = db.snapshot_slice(&mut cursor, 512);
            stream.extend_from_slice(&slice);
            slices += 1;
            if done {
                break;
            }
        }
        assert!(slices > 2);
        let mut config = crate::config::ServerConfig::defaults(crate::base::ServerId(1));
        config.access.skip_acl = true;
        let rules = crate::tree::AclRules::of(&config);
        let mut copy = Database::empty(500).with_acl_rules(rules);
        let zxid = db.last_applied();
        copy.install_stream(zxid, stream).expect("it is a tree");
        assert_eq!(copy.state_digest(), db.state_digest());
        assert_eq!(copy.tree().digest(), db.tree().digest());
        assert_eq!(copy.tree().acl_rules(), rules, "they are this server's, not the leader's");
        copy.restore(Default::default()).expect("an empty disk");
        assert_eq!(copy.tree().acl_rules(), rules);
    }
}
