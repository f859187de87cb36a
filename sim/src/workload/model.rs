//! The reference tree: what each committed transaction does to znodes and sessions.
//!                                                               (DataTree.processTxn, facts 1.6)
//!
//! Written for clarity alone: the server's own tree shares nothing with it but the formula of
//! Apache's tree digest, by which the two are compared node by node and field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use quorate::base::{SessionId, Zxid};
use quorate::jute::client::{code, event};
use quorate::jute::data::{Acl, Stat, StatPersisted, perms};
use quorate::jute::txn::{Proposal, Txn, TxnHeader, kind};
use quorate::tree::node_digest;

use super::op::{Op, for_anyone};

/// A znode. `cversion` counts child creations, `owner` is the ephemeralOwner as stored.
#[derive(Clone, Debug)]
struct Node {
    data: Option<Bytes>,
    acl: Rc<Vec<Acl>>,
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

/// The owners that are no sessions: containers have this one, TTL nodes a first byte of 0xFF.
const CONTAINER: i64 = i64::MIN;

impl Node {
    fn new(acl: Rc<Vec<Acl>>) -> Node {
        Node {
            data: Some(Bytes::new()),
            acl,
            czxid: Zxid::ZERO,
            mzxid: Zxid::ZERO,
            pzxid: Zxid::ZERO,
            ctime: 0,
            mtime: 0,
            version: 0,
            cversion: 0,
            aversion: 0,
            owner: 0,
            children: BTreeSet::new(),
        }
    }

    fn session(&self) -> Option<SessionId> {
        let is_ttl = (self.owner as u64) >> 56 == 0xff;
        (self.owner != 0 && self.owner != CONTAINER && !is_ttl).then_some(SessionId(self.owner))
    }

    /// Clients of a workload are nobody in particular.
    fn allows(&self, wanted: i32) -> bool {
        let lets_in = |entry: &Acl| entry.id.scheme == "world" && entry.perms & wanted != 0;
        self.acl.is_empty() || self.acl.iter().any(lets_in)
    }

    fn digest(&self, path: &str) -> u64 {
        let stat = StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner: self.owner,
            pzxid: self.pzxid,
        };
        node_digest(if path.is_empty() { "/" } else { path }, self.data.as_deref(), &stat)
    }
}

/// What happened to a node, for those who watch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    /// A value of `jute::client::event`.
    pub kind: i32,
    /// Whether everybody could read the node then; who cannot is not told.
    pub readable: bool,
    /// The parent and whether it could be read, where its children changed.
    pub parent: Option<(String, bool)>,
}

/// What a transaction did.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// In the order of their events.
    pub changes: Vec<Change>,
    /// The stat that each part of a multi left, or the one part of another transaction.
    pub stats: Vec<Option<Stat>>,
    /// What is wrong with it (C-5).
    pub wrong: Option<String>,
}

/// Tree and sessions at one zxid.
#[derive(Clone, Debug)]
pub struct Model {
    /// The root is kept under the empty path, so that every parent is found by cutting at a slash.
    nodes: BTreeMap<String, Node>,
    /// Sessions that were closed, and at which zxid.
    closed: BTreeMap<SessionId, Zxid>,
    digest: u64,
}

impl Default for Model {
    /// What an empty server holds.
    fn default() -> Model {
        let mut model = Model { nodes: BTreeMap::new(), closed: BTreeMap::new(), digest: 0 };
        let open = Rc::new(Acl::open());
        for path in ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"] {
            let node = match path {
                "/zookeeper/config" => Node::new(Rc::new(for_anyone(perms::READ))),
                _ => Node::new(open.clone()),
            };
            model.digest = model.digest.wrapping_add(node.digest(path));
            model.nodes.insert(path.to_owned(), node);
            if let Some((parent, name)) = path.rsplit_once('/')
                && let Some(parent) = model.nodes.get_mut(parent)
            {
                parent.children.insert(name.to_owned());
            }
        }
        model
    }
}

fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

/// The parent's key.
pub fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

impl Model {
    fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(key(path))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.node(path).is_some()
    }

    /// Whether everybody may do this with the node, or there is none.
    pub fn allows(&self, path: &str, wanted: i32) -> bool {
        self.node(path).is_none_or(|node| node.allows(wanted))
    }

    pub fn data(&self, path: &str) -> Option<Option<Bytes>> {
        self.node(path).map(|node| node.data.clone())
    }

    pub fn acl(&self, path: &str) -> Option<&[Acl]> {
        self.node(path).map(|node| node.acl.as_slice())
    }

    /// Sorted names.
    pub fn children(&self, path: &str) -> Option<Vec<String>> {
        self.node(path).map(|node| node.children.iter().cloned().collect())
    }

    /// How many children this node, as it was created at this zxid, has had.
    pub fn creations(&self, path: &str) -> Option<(Zxid, i32)> {
        self.node(path).map(|node| (node.czxid, node.cversion))
    }

    /// What a client sees.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        let node = self.node(path)?;
        let children = node.children.len() as i32;
        Some(Stat {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: node.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: node.aversion,
            ephemeral_owner: node.session().map_or(0, |session| session.0),
            data_length: node.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children: children,
            pzxid: node.pzxid,
        })
    }

    pub fn is_closed(&self, session: SessionId) -> bool {
        self.closed.contains_key(&session)
    }

    /// Apache's digest of the whole tree.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The error this write, or part of a multi, must get now; `None` if it must succeed. Checks
    /// come in Apache's order (facts 1.5).
    pub fn failure(&self, op: &Op) -> Option<i32> {
        match op {
            Op::Create(create) => {
                let Some(parent) = self.nodes.get(parent_of(&create.path)) else {
                    return Some(code::NO_NODE);
                };
                if !parent.allows(perms::CREATE) {
                    Some(code::NO_AUTH)
                } else if !create.sequential && self.exists(&create.path) {
                    Some(code::NODE_EXISTS)
                } else if parent.session().is_some() {
                    Some(code::NO_CHILDREN_FOR_EPHEMERALS)
                } else {
                    None
                }
            }
            Op::Delete { path, version } => {
                let Some(parent) = self.nodes.get(parent_of(path)) else {
                    return Some(code::NO_NODE);
                };
                if !parent.allows(perms::DELETE) {
                    return Some(code::NO_AUTH);
                }
                let Some(node) = self.node(path) else { return Some(code::NO_NODE) };
                let not_empty = (!node.children.is_empty()).then_some(code::NOT_EMPTY);
                wrong_version(*version, node.version).or(not_empty)
            }
            Op::Set { path, version, .. } => self.conditional(path, perms::WRITE, *version),
            Op::Check { path, version } => self.conditional(path, perms::READ, *version),
            Op::SetAcl { path, version, .. } => match self.node(path) {
                None => Some(code::NO_NODE),
                Some(node) if !node.allows(perms::ADMIN) => Some(code::NO_AUTH),
                Some(node) => wrong_version(*version, node.aversion),
            },
            _ => None,
        }
    }

    fn conditional(&self, path: &str, wanted: i32, version: i32) -> Option<i32> {
        match self.node(path) {
            None => Some(code::NO_NODE),
            Some(node) if !node.allows(wanted) => Some(code::NO_AUTH),
            Some(node) => wrong_version(version, node.version),
        }
    }

    /// Applies one transaction.
    pub fn apply(&mut self, proposal: &Proposal) -> Effects {
        let mut effects = Effects::default();
        match &proposal.txn {
            // One failed part: none of them happens.
            Txn::Multi(parts) if parts.iter().any(|(kind, _)| *kind == kind::ERROR) => {}
            Txn::Multi(parts) => {
                for (_, part) in parts {
                    self.apply_part(&proposal.header, part, &mut effects);
                }
            }
            txn => self.apply_part(&proposal.header, txn, &mut effects),
        }
        effects
    }

    /// Applies a transaction that is no multi, or one part of one.
    pub fn apply_part(&mut self, header: &TxnHeader, txn: &Txn, out: &mut Effects) {
        let path = match txn {
            Txn::Create(t) => {
                let owner = if t.ephemeral { header.client_id.0 } else { 0 };
                self.create(header, &t.path, (&t.data, &t.acl), (owner, t.parent_cversion), out);
                Some(&t.path)
            }
            Txn::CreateTtl(t) => {
                let owner = (0xff << 56) | t.ttl;
                self.create(header, &t.path, (&t.data, &t.acl), (owner, t.parent_cversion), out);
                Some(&t.path)
            }
            Txn::CreateContainer(t) => {
                let how = (CONTAINER, t.parent_cversion);
                self.create(header, &t.path, (&t.data, &t.acl), how, out);
                Some(&t.path)
            }
            Txn::Delete(t) => {
                self.delete(header, &t.path, out);
                None
            }
            Txn::SetData(t) => {
                let readable = self.allows(&t.path, perms::READ);
                self.change(&t.path, |node| {
                    node.data = t.data.clone();
                    (node.version, node.mzxid, node.mtime) = (t.version, header.zxid, header.time);
                });
                let (path, kind) = (t.path.clone(), event::DATA_CHANGED);
                out.changes.push(Change { path, kind, readable, parent: None });
                Some(&t.path)
            }
            Txn::SetAcl(t) => {
                self.change(&t.path, |node| {
                    node.aversion = t.version;
                    node.acl = acl_of(&t.acl);
                });
                Some(&t.path)
            }
            Txn::CloseSession(list) => {
                self.close(header, list.as_ref().map(|l| l.paths_to_delete.as_slice()), out);
                None
            }
            Txn::CreateSession(_) | Txn::Error(_) | Txn::CheckVersion(_) | Txn::Multi(_) => None,
        };
        out.stats.push(path.and_then(|path| self.stat(path)));
    }

    /// Changes a node, if it is there, and the digest with it.
    fn change(&mut self, path: &str, how: impl FnOnce(&mut Node)) {
        let path = key(path);
        if let Some(node) = self.nodes.get_mut(path) {
            let before = node.digest(path);
            how(node);
            self.digest = self.digest.wrapping_sub(before).wrapping_add(node.digest(path));
        }
    }

    fn create(
        &mut self,
        header: &TxnHeader,
        path: &str,
        (data, acl): (&Option<Bytes>, &Option<Vec<Acl>>),
        (owner, parent_cversion): (i64, i32),
        out: &mut Effects,
    ) {
        let node = Node {
            data: data.clone(),
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            owner,
            ..Node::new(acl_of(acl))
        };
        let closed = node.session().and_then(|session| Some((session, self.closed.get(&session)?)));
        if let Some((session, at)) = closed {
            let words =
                format!("{path} is created for session {session}, which was closed at {at}");
            out.wrong.get_or_insert(words);
        }
        self.digest = self.digest.wrapping_add(node.digest(path));
        let readable = node.allows(perms::READ);
        self.nodes.insert(path.to_owned(), node);
        self.change(parent_of(path), |parent| {
            parent.children.extend(path.rsplit('/').next().map(str::to_owned));
            if parent_cversion > parent.cversion {
                (parent.cversion, parent.pzxid) = (parent_cversion, header.zxid);
            }
        });
        self.children_changed(path, event::CREATED, readable, out);
    }

    fn delete(&mut self, header: &TxnHeader, path: &str, out: &mut Effects) {
        let Some(node) = self.nodes.remove(path) else { return };
        self.digest = self.digest.wrapping_sub(node.digest(path));
        self.change(parent_of(path), |parent| {
            parent.children.remove(path.rsplit('/').next().unwrap_or(""));
            parent.pzxid = parent.pzxid.max(header.zxid);
        });
        self.children_changed(path, event::DELETED, node.allows(perms::READ), out);
    }

    fn children_changed(&self, path: &str, kind: i32, readable: bool, out: &mut Effects) {
        let parent = parent_of(path);
        let shown = if parent.is_empty() { "/" } else { parent };
        let parent = Some((shown.to_owned(), self.allows(parent, perms::READ)));
        out.changes.push(Change { path: path.to_owned(), kind, readable, parent });
    }

    fn close(&mut self, header: &TxnHeader, listed: Option<&[String]>, out: &mut Effects) {
        let session = header.client_id;
        self.closed.insert(session, header.zxid);
        let owned = |model: &Model| -> Vec<String> {
            let mine = model.nodes.iter().filter(|(_, node)| node.session() == Some(session));
            mine.map(|(path, _)| path.clone()).collect()
        };
        for path in listed.map_or_else(|| owned(self), <[String]>::to_vec) {
            self.delete(header, &path, out);
        }
        if let Some(path) = owned(self).first() {
            out.wrong.get_or_insert(format!("session {session} is closed and {path} stays"));
        }
    }
}

fn acl_of(acl: &Option<Vec<Acl>>) -> Rc<Vec<Acl>> {
    Rc::new(acl.clone().unwrap_or_else(Acl::open))
}

/// BADVERSION, unless any version will do.
fn wrong_version(wanted: i32, current: i32) -> Option<i32> {
    (wanted != -1 && wanted != current).then_some(code::BAD_VERSION)
}

#[cfg(test)]
#[path = "model_test.rs"]
mod tests;
