//! What a transaction does to the tree. (DataTree.processTxn)
//!
//! A leader's transaction was checked when it was prepared, so a failure here means one thing: the
//! tree came from a snapshot that was written while transactions were applied, and holds their
//! effect already. Such a transaction must do no harm, and must still bring the parent's cversion
//! and pzxid to where they belong:
//!
//!     create of what is there    the ACL becomes the transaction's; cversion and pzxid are raised
//!     delete of what is missing  pzxid is raised
//!     setData, setACL of what is missing   nothing: its deletion is yet to come
//!
//! Raised, never lowered (ZOOKEEPER-3125, 3249): the parent may be newer than the transaction.
//! The ACL of an existing node is set again because its id may name a list the snapshot's table
//! does not have (ZOOKEEPER-3306, 4846); a later setACL is replayed after it.
//! A closeSession of before 3.6 has no list, and is not exact over such a snapshot: it leaves a node
//! that another session has made meanwhile under the same path (ZOOKEEPER-3145).
//! Apache repairs the parent after create alone; after create2, container and TTL it is as needed.

use bytes::Bytes;

use super::DataTree;
use super::acl_list::AclList;
use super::children::NodeId;
use super::node::Node;
use super::owner::Owner;
use super::snapshot::is_named;
use crate::base::paths;
use crate::base::{SessionId, Zxid};
use crate::jute::client::code;
use crate::jute::data::{Acl, Stat, StatPersisted};
use crate::jute::txn::{CloseSessionTxn, SetAclTxn, SetDataTxn, Txn, TxnHeader, kind};

/// What a transaction came to: all a reply needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// A reply code. Always 0 for a multi: its parts carry theirs.
    pub err: i32,
    pub path: Option<String>,
    /// Of the node as it is right after the transaction.
    pub stat: Option<Stat>,
    /// What became of the node that `path` names.
    pub change: Option<Change>,
    /// The parts of a multi with their types; all of type -1 when one of them failed.
    pub multi: Vec<(i32, Outcome)>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    pub outcome: Outcome,
    /// The ephemerals that went with a session, in the order in which they went.
    pub ended: Vec<(Box<str>, Change)>,
}

/// What became of one node, for those who watch it, with the lists of that moment: the node's own
/// may go with the node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Created(EventAcls),
    Deleted(EventAcls),
    DataChanged(AclList),
}

/// The lists of a node and of its parent when the node comes or goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventAcls {
    pub node: AclList,
    pub parent: AclList,
}

/// What a transaction does to a node, if it can: the node's stat, and what became of it.
type Done = (Option<Stat>, Option<Change>);

/// What all kinds of creation have in common.
struct Creation<'a> {
    path: &'a str,
    data: &'a Option<Bytes>,
    acl: &'a Option<Vec<Acl>>,
    owner: Owner,
    parent_cversion: i32,
}

impl Outcome {
    fn error(err: i32) -> Outcome {
        Outcome { err, ..Outcome::default() }
    }

    fn of(path: &str, result: Result<Done, i32>) -> Outcome {
        let (err, (stat, change)) = match result {
            Ok(done) => (code::OK, done),
            Err(err) => (err, (None, None)),
        };
        Outcome { err, path: Some(path.to_owned()), stat, change, multi: Vec::new() }
    }
}

impl DataTree {
    /// Applies a committed transaction.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn) -> Applied {
        let mut ended = Vec::new();
        let outcome = match txn {
            Txn::Multi(parts) => self.apply_multi(header, parts, &mut ended),
            txn => self.apply_part(header, txn, &mut ended),
        };
        // Last: a snapshot stamped with this zxid must hold all of it (TR-3).
        self.last_processed = self.last_processed.max(header.zxid);
        Applied { outcome, ended }
    }

    /// Takes the ephemerals of a session that is not known any more, as after recovery.
    /// (ZooKeeperServer.killSession)
    pub fn kill_session(&mut self, session: SessionId, zxid: Zxid) {
        self.close_session(session, zxid, None, &mut Vec::new());
    }

    /// The parts before a failed one are logged as what they would have been: whether any part
    /// failed must be known before the first is touched.
    fn apply_multi(
        &mut self,
        header: &TxnHeader,
        parts: &[(i32, Txn)],
        ended: &mut Vec<(Box<str>, Change)>,
    ) -> Outcome {
        let failed = parts.iter().position(|(_, part)| part.is_error());
        let part_outcome = |(at, (part_kind, part)): (usize, &(i32, Txn))| match (failed, part) {
            (_, Txn::Error(error)) => (kind::ERROR, Outcome::error(error.err)),
            (Some(failed), _) if at < failed => (kind::ERROR, Outcome::error(code::OK)),
            (Some(_), _) => (kind::ERROR, Outcome::error(code::RUNTIME_INCONSISTENCY)),
            (None, part) => (*part_kind, self.apply_part(header, part, ended)),
        };
        let multi = parts.iter().enumerate().map(part_outcome).collect();
        Outcome { multi, ..Outcome::default() }
    }

    fn apply_part(
        &mut self,
        header: &TxnHeader,
        txn: &Txn,
        ended: &mut Vec<(Box<str>, Change)>,
    ) -> Outcome {
        match txn {
            Txn::Create(t) => {
                let owner = if t.ephemeral { Owner::of(header.client_id.0) } else { Owner::Nobody };
                let creation = Creation {
                    path: &t.path,
                    data: &t.data,
                    acl: &t.acl,
                    owner,
                    parent_cversion: t.parent_cversion,
                };
                self.apply_create(header, &creation)
            }
            Txn::CreateTtl(t) => {
                let creation = Creation {
                    path: &t.path,
                    data: &t.data,
                    acl: &t.acl,
                    owner: Owner::Ttl(t.ttl),
                    parent_cversion: t.parent_cversion,
                };
                self.apply_create(header, &creation)
            }
            Txn::CreateContainer(t) => {
                let creation = Creation {
                    path: &t.path,
                    data: &t.data,
                    acl: &t.acl,
                    owner: Owner::Container,
                    parent_cversion: t.parent_cversion,
                };
                self.apply_create(header, &creation)
            }
            Txn::Delete(t) => {
                let result = self.delete_node(&t.path, header.zxid);
                Outcome::of(&t.path, result.map(|change| (None, Some(change))))
            }
            Txn::SetData(t) => Outcome::of(&t.path, self.set_data(header, t)),
            Txn::SetAcl(t) => Outcome::of(&t.path, self.set_acl(t).map(|stat| (Some(stat), None))),
            Txn::CloseSession(list) => {
                self.close_session(header.client_id, header.zxid, list.as_ref(), ended);
                Outcome::default()
            }
            Txn::CheckVersion(t) => Outcome::of(&t.path, Ok((None, None))),
            Txn::Error(t) => Outcome::error(t.err),
            Txn::CreateSession(_) => Outcome::default(),
            // The codec lets no multi stand inside another.
            Txn::Multi(_) => Outcome::error(code::RUNTIME_INCONSISTENCY),
        }
    }

    fn apply_create(&mut self, header: &TxnHeader, creation: &Creation<'_>) -> Outcome {
        Outcome::of(creation.path, self.create_node(header, creation))
    }

    fn create_node(&mut self, header: &TxnHeader, creation: &Creation<'_>) -> Result<Done, i32> {
        let path = creation.path;
        let (parent_path, name) = named(path)?;
        let parent = self.find(parent_path).ok_or(code::NO_NODE)?;
        let existing = self.find(path);
        self.change_stat(parent, parent_path, |stat| {
            let cversion = match creation.parent_cversion {
                // Logs of before 3.4 do not tell.
                -1 => stat.cversion.wrapping_add(1),
                cversion => cversion,
            };
            if cversion > stat.cversion {
                stat.cversion = cversion;
                stat.pzxid = header.zxid;
            }
        });
        let acl = self.acls.intern(creation.acl.as_deref());
        if let Some(existing) = existing {
            self.set_acl_id(existing, path, acl);
            return Err(code::NODE_EXISTS);
        }
        let stat = created_stat(header.zxid, header.time, creation.owner);
        let id = self.attach(parent, path, Node::new(name, creation.data.as_deref(), acl, &stat));
        let change = Change::Created(self.event_acls(id, parent));
        let stat = self.arena[id].visible_stat();
        self.charge_created(path, stat.data_length.into());
        Ok((Some(stat), Some(change)))
    }

    fn delete_node(&mut self, path: &str, zxid: Zxid) -> Result<Change, i32> {
        let (parent_path, _) = named(path)?;
        let parent = self.find(parent_path).ok_or(code::NO_NODE)?;
        self.change_stat(parent, parent_path, |stat| stat.pzxid = stat.pzxid.max(zxid));
        let id = self.find(path).ok_or(code::NO_NODE)?;
        // Now: the list may go with the node.
        let acls = self.event_acls(id, parent);
        self.detach(id, path);
        Ok(Change::Deleted(acls))
    }

    fn set_data(&mut self, header: &TxnHeader, t: &SetDataTxn) -> Result<Done, i32> {
        let id = self.find(&t.path).ok_or(code::NO_NODE)?;
        let bytes = self.data_len(id);
        let stat = self.change(id, &t.path, |node| {
            node.set_data(t.data.as_deref());
            node.change_stat(|stat| {
                stat.mtime = header.time;
                stat.mzxid = header.zxid;
                stat.version = t.version;
            });
            node.visible_stat()
        });
        self.charge_changed(&t.path, i64::from(stat.data_length) - bytes);
        let acl = self.acls.list_or_closed(self.arena[id].acl).clone();
        Ok((Some(stat), Some(Change::DataChanged(acl))))
    }

    fn set_acl(&mut self, t: &SetAclTxn) -> Result<Stat, i32> {
        let id = self.find(&t.path).ok_or(code::NO_NODE)?;
        let acl = self.acls.intern(t.acl.as_deref());
        self.set_acl_id(id, &t.path, acl);
        Ok(self.change(id, &t.path, |node| {
            node.change_stat(|stat| stat.aversion = t.version);
            node.visible_stat()
        }))
    }

    fn change_stat(&mut self, id: NodeId, path: &str, change: impl FnOnce(&mut StatPersisted)) {
        self.change(id, path, |node| node.change_stat(change));
    }

    fn event_acls(&self, node: NodeId, parent: NodeId) -> EventAcls {
        let list = |id: NodeId| self.acls.list_or_closed(self.arena[id].acl).clone();
        EventAcls { node: list(node), parent: list(parent) }
    }

    /// The list is what the leader knew. Whatever else the session owns here goes too: no node may
    /// outlive its session (C-5).
    fn close_session(
        &mut self,
        session: SessionId,
        zxid: Zxid,
        list: Option<&CloseSessionTxn>,
        ended: &mut Vec<(Box<str>, Change)>,
    ) {
        for path in list.iter().flat_map(|list| &list.paths_to_delete) {
            // An error: it was deleted before, and the snapshot knew.
            if let Ok(change) = self.delete_node(path, zxid) {
                ended.push((path.as_str().into(), change));
            }
        }
        for path in self.ephemerals.remove(&session).unwrap_or_default() {
            if let Ok(change) = self.delete_node(&path, zxid) {
                ended.push((path, change));
            }
        }
    }
}

/// The stat of a node just created. (DataTree.createStat)
pub fn created_stat(zxid: Zxid, time: i64, owner: Owner) -> StatPersisted {
    StatPersisted {
        czxid: zxid,
        mzxid: zxid,
        ctime: time,
        mtime: time,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeral_owner: owner.bits(),
        pzxid: zxid,
    }
}

/// Parent and name of a node that can come and go.
fn named(path: &str) -> Result<(&str, &str), i32> {
    paths::split(path).filter(|split| is_named(*split)).ok_or(code::NO_NODE)
}
