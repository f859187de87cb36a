//! The reference tree: what each committed transaction does to znodes and sessions.
//!                                                               (DataTree.processTxn, facts 1.6)
//!
//! Written for clarity alone: the server's own tree shares nothing with it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate::base::{SessionId, Zxid};
use quorate::jute::data::Stat;
use quorate::jute::txn::{Proposal, Txn, TxnHeader, kind};

/// A znode. `cversion` counts child creations.
#[derive(Clone, Debug, Default)]
struct Node {
    data: Option<Bytes>,
    czxid: Zxid,
    mzxid: Zxid,
    pzxid: Zxid,
    ctime: i64,
    mtime: i64,
    version: i32,
    cversion: i32,
    aversion: i32,
    owner: i64,
    children: BTreeSet<String>,
}

/// Tree and sessions at one zxid.
#[derive(Clone, Debug)]
pub struct Model {
    nodes: BTreeMap<String, Node>,
    /// Sessions that were closed, and at which zxid.
    closed: BTreeMap<SessionId, Zxid>,
}

impl Default for Model {
    /// What an empty server holds.
    fn default() -> Model {
        let mut model = Model { nodes: BTreeMap::new(), closed: BTreeMap::new() };
        for path in ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"] {
            model.nodes.insert(path.to_owned(), Node::default());
            if let Some((parent, name)) = path.rsplit_once('/')
                && let Some(parent) = model.nodes.get_mut(parent)
            {
                parent.children.insert(name.to_owned());
            }
        }
        model
    }
}

/// The root is kept under the empty path, so that every parent is found by cutting at a slash.
fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

impl Model {
    pub fn exists(&self, path: &str) -> bool {
        self.nodes.contains_key(key(path))
    }

    pub fn has_children(&self, path: &str) -> bool {
        self.nodes.get(key(path)).is_some_and(|node| !node.children.is_empty())
    }

    pub fn is_ephemeral(&self, path: &str) -> bool {
        self.nodes.get(key(path)).is_some_and(|node| node.owner > 0)
    }

    pub fn version(&self, path: &str) -> Option<i32> {
        self.nodes.get(key(path)).map(|node| node.version)
    }

    pub fn data(&self, path: &str) -> Option<Option<Bytes>> {
        self.nodes.get(key(path)).map(|node| node.data.clone())
    }

    /// Sorted names.
    pub fn children(&self, path: &str) -> Option<Vec<String>> {
        self.nodes.get(key(path)).map(|node| node.children.iter().cloned().collect())
    }

    /// What a client sees.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        let node = self.nodes.get(key(path))?;
        let children = node.children.len() as i32;
        Some(Stat {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: node.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: node.aversion,
            ephemeral_owner: node.owner,
            data_length: node.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children: children,
            pzxid: node.pzxid,
        })
    }

    pub fn is_closed(&self, session: SessionId) -> bool {
        self.closed.contains_key(&session)
    }

    /// The paths a session owns.
    fn owned_by(&self, session: SessionId) -> Vec<String> {
        let owned = self.nodes.iter().filter(|(_, node)| node.owner == session.0);
        owned.map(|(path, _)| path.clone()).collect()
    }

    /// Applies one transaction. Answers what is wrong about it (C-5), if something is.
    pub fn apply(&mut self, proposal: &Proposal) -> Option<String> {
        self.apply_txn(&proposal.header, &proposal.txn)
    }

    fn apply_txn(&mut self, header: &TxnHeader, txn: &Txn) -> Option<String> {
        match txn {
            Txn::Create(t) => {
                let owner = if t.ephemeral { header.client_id.0 } else { 0 };
                return self.create(header, &t.path, &t.data, owner, t.parent_cversion);
            }
            Txn::CreateTtl(t) => {
                return self.create(header, &t.path, &t.data, 0, t.parent_cversion);
            }
            Txn::CreateContainer(t) => {
                return self.create(header, &t.path, &t.data, 0, t.parent_cversion);
            }
            Txn::Delete(t) => self.delete(header, &t.path),
            Txn::SetData(t) => {
                let node = self.nodes.get_mut(key(&t.path))?;
                node.data = t.data.clone();
                (node.version, node.mzxid, node.mtime) = (t.version, header.zxid, header.time);
            }
            Txn::SetAcl(t) => self.nodes.get_mut(key(&t.path))?.aversion = t.version,
            Txn::CloseSession(list) => {
                return self.close(header, list.as_ref().map(|l| l.paths_to_delete.as_slice()));
            }
            Txn::Multi(parts) => {
                // One failed part: none of them happens.
                if parts.iter().any(|(kind, _)| *kind == kind::ERROR) {
                    return None;
                }
                let mut wrong = None;
                for (_, part) in parts {
                    wrong = wrong.or(self.apply_txn(header, part));
                }
                return wrong;
            }
            Txn::CreateSession(_) | Txn::Error(_) | Txn::CheckVersion(_) => {}
        }
        None
    }

    fn create(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: &Option<Bytes>,
        owner: i64,
        parent_cversion: i32,
    ) -> Option<String> {
        let node = Node {
            data: data.clone(),
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            owner,
            ..Node::default()
        };
        self.nodes.insert(path.to_owned(), node);
        if let Some((parent, name)) = path.rsplit_once('/')
            && let Some(parent) = self.nodes.get_mut(parent)
        {
            parent.children.insert(name.to_owned());
            if parent_cversion > parent.cversion {
                (parent.cversion, parent.pzxid) = (parent_cversion, header.zxid);
            }
        }
        let session = SessionId(owner);
        let at = self.closed.get(&session)?;
        Some(format!("{path} is created for session {session}, which was closed at {at}"))
    }

    fn delete(&mut self, header: &TxnHeader, path: &str) {
        self.nodes.remove(path);
        if let Some((parent, name)) = path.rsplit_once('/')
            && let Some(parent) = self.nodes.get_mut(parent)
        {
            parent.children.remove(name);
            parent.pzxid = parent.pzxid.max(header.zxid);
        }
    }

    fn close(&mut self, header: &TxnHeader, listed: Option<&[String]>) -> Option<String> {
        let session = header.client_id;
        self.closed.insert(session, header.zxid);
        let owned = self.owned_by(session);
        for path in listed.unwrap_or(&owned) {
            self.delete(header, path);
        }
        let left = self.owned_by(session);
        let path = left.first()?;
        Some(format!("session {session} is closed and {path} stays"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::base::Epoch;
    use quorate::jute::txn::{CloseSessionTxn, CreateTxn};

    fn proposal(counter: u32, session: i64, kind: i32, txn: Txn) -> Proposal {
        let zxid = Zxid::new(Epoch(1), counter);
        let client_id = SessionId(session);
        Proposal::new(TxnHeader { client_id, cxid: 1, zxid, time: 7, kind }, txn, None)
    }

    fn create(counter: u32, session: i64, path: &str, ephemeral: bool) -> Proposal {
        let txn = CreateTxn {
            path: path.into(),
            data: Some(Bytes::from_static(b"x")),
            acl: None,
            ephemeral,
            parent_cversion: counter as i32,
        };
        proposal(counter, session, kind::CREATE, Txn::Create(txn))
    }

    #[test]
    fn a_created_node_counts_in_its_parent() {
        let mut model = Model::default();
        assert_eq!(model.stat("/").map(|stat| (stat.cversion, stat.num_children)), Some((-1, 1)));
        assert_eq!(model.apply(&create(1, 5, "/a", false)), None);
        let root = model.stat("/").expect("the root");
        assert_eq!((root.cversion, root.num_children, root.pzxid.counter()), (0, 2, 1));
        assert_eq!(model.children("/"), Some(vec!["a".to_owned(), "zookeeper".to_owned()]));
    }

    #[test]
    fn an_ephemeral_that_outlives_its_session_is_told() {
        let mut model = Model::default();
        model.apply(&create(1, 5, "/e", true));
        let close = |listed: &[&str]| {
            let paths_to_delete = listed.iter().map(|path| (*path).to_owned()).collect();
            Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete }))
        };
        let mut other = model.clone();
        assert!(model.apply(&proposal(2, 5, kind::CLOSE_SESSION, close(&[]))).is_some());
        assert!(other.apply(&proposal(2, 5, kind::CLOSE_SESSION, close(&["/e"]))).is_none());
        assert!(other.apply(&create(3, 5, "/f", true)).is_some_and(|w| w.contains("closed")));
    }
}
