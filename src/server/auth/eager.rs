//! Permissions checked where the write comes in, before the leader hears of it.
//! (enableEagerACLCheck; ZooKeeperServer.authWriteRequest)
//!
//! The leader checks again, against what the tree will be by then: this is only to keep away what
//! has no chance, and to spare it a transaction. So it passes whatever it cannot judge: a request
//! that does not decode, a node that is not there (yet), a path that may not be. Such a refusal
//! has taken no zxid, and its reply has zxid 0. Of the writes Apache looks at those below, and at
//! no other kind of create, nor into a multi.

use bytes::Bytes;

use super::Authority;
use crate::base::paths;
use crate::database::Database;
use crate::jute::client::{CreateRequest, DeleteRequest, SetAclRequest, SetDataRequest, code, op};
use crate::jute::data::{Acl, Id, perms};
use crate::jute::{Jute, Reader};

/// What a write needs: a permission on a node, and perhaps a list that may be stored.
struct Needs {
    perm: i32,
    /// `None` where the path has no parent to ask.
    path: Option<String>,
    /// The list it brings along, if it brings one; the list itself may be missing.
    list: Option<Option<Vec<Acl>>>,
}

impl Authority {
    /// The error to answer with, if a write need not be sent on.
    pub(super) fn refuses_early(
        &self,
        ids: &[Id],
        op: i32,
        body: &Bytes,
        db: &Database,
    ) -> Option<i32> {
        if !self.checks_early {
            return None;
        }
        let Needs { perm, path, list } = needs(op, body)?;
        let path = path?;
        let tree = db.tree();
        if list.is_some_and(|list| !tree.acl_rules().may_be_stored(list.as_deref(), ids)) {
            return Some(code::INVALID_ACL);
        }
        let hidden = tree.view(&path).is_some() && !tree.check_acl(&path, perm, ids);
        hidden.then_some(code::NO_AUTH)
    }
}

fn needs(op: i32, body: &Bytes) -> Option<Needs> {
    let mut from = Reader::new(body.clone());
    match op {
        op::CREATE | op::CREATE2 => {
            let CreateRequest { path, acl, .. } = Jute::decode(&mut from).ok()?;
            Some(Needs { perm: perms::CREATE, path: parent_of(&path), list: Some(acl) })
        }
        op::DELETE => {
            let DeleteRequest { path, .. } = Jute::decode(&mut from).ok()?;
            Some(Needs { perm: perms::DELETE, path: parent_of(&path), list: None })
        }
        op::SET_DATA => {
            let SetDataRequest { path, .. } = Jute::decode(&mut from).ok()?;
            Some(Needs { perm: perms::WRITE, path: Some(path), list: None })
        }
        op::SET_ACL => {
            let SetAclRequest { path, acl, .. } = Jute::decode(&mut from).ok()?;
            Some(Needs { perm: perms::ADMIN, path: Some(path), list: Some(acl) })
        }
        _ => None,
    }
}

fn parent_of(path: &str) -> Option<String> {
    let judged = !path.contains('\0') && !paths::is_reserved(path);
    let parent = paths::parent(path).filter(|_| judged)?;
    Some(if parent.is_empty() { paths::ROOT } else { parent }.to_owned())
}
