//! delete, deleteContainer, setData, setACL, check. (PrepRequestProcessor.pRequest2Txn)

use super::create::parent_of;
use super::records::ChangeRecord;
use super::{Step, len, next_version};
use crate::base::paths;
use crate::jute::client::{
    CheckVersionRequest, DeleteRequest, SetAclRequest, SetDataRequest, code,
};
use crate::jute::data::perms;
use crate::jute::txn::{CheckVersionTxn, DeleteTxn, SetAclTxn, SetDataTxn, Txn};
use crate::tree::Owner;

impl Step<'_> {
    pub(super) fn prepare_delete(&mut self, delete: DeleteRequest) -> Result<Txn, i32> {
        self.check_session()?;
        let parent_path = deletable(&delete.path)?;
        let (parent, _) = self.live(parent_path)?;
        self.check_permission(&parent, perms::DELETE)?;
        let (node, stat) = self.live(&delete.path)?;
        next_version(stat.version, delete.version)?;
        if node.child_count > 0 {
            return Err(code::NOT_EMPTY);
        }
        self.remove(parent_path, &delete.path)?;
        Ok(Txn::Delete(DeleteTxn { path: delete.path }))
    }

    /// What the leader asks for itself, of a container or TTL node that nobody uses. No session
    /// and no permission is looked at, and a plain node goes too (ContainerManager).
    pub(super) fn prepare_delete_container(&mut self, path: String) -> Result<Txn, i32> {
        let parent_path = deletable(&path)?;
        let (node, stat) = self.live(&path)?;
        if node.child_count > 0 {
            return Err(code::NOT_EMPTY);
        }
        if matches!(Owner::of(stat.ephemeral_owner), Owner::Session(_)) {
            return Err(code::BAD_VERSION);
        }
        self.remove(parent_path, &path)?;
        Ok(Txn::Delete(DeleteTxn { path }))
    }

    /// Takes a node away from its parent. Only a parent that is not there can make it fail.
    pub(super) fn remove(&mut self, parent_path: &str, path: &str) -> Result<(), i32> {
        let (mut parent, mut parent_stat) = self.live(parent_path)?;
        parent_stat.pzxid = self.zxid;
        parent.child_count -= 1;
        self.change(parent_path, parent, Some(parent_stat));
        self.change(path, ChangeRecord::gone(), None);
        Ok(())
    }

    pub(super) fn prepare_set_data(&mut self, set: SetDataRequest) -> Result<Txn, i32> {
        self.check_session()?;
        paths::validate(&set.path).map_err(|_| code::BAD_ARGUMENTS)?;
        let (mut node, mut stat) = self.live(&set.path)?;
        self.check_permission(&node, perms::WRITE)?;
        self.check_quota(&set.path, len(&set.data) - len(&node.data), 0)?;
        let version = next_version(stat.version, set.version)?;

        stat.version = version;
        stat.mtime = self.now.wall_ms;
        stat.mzxid = self.zxid;
        node.data = set.data.clone();
        self.change(&set.path, node, Some(stat));
        Ok(Txn::SetData(SetDataTxn { path: set.path, data: set.data, version }))
    }

    /// The version is that of the list: `aversion`.
    pub(super) fn prepare_set_acl(&mut self, set: SetAclRequest) -> Result<Txn, i32> {
        self.check_session()?;
        paths::validate(&set.path).map_err(|_| code::BAD_ARGUMENTS)?;
        let acl = self.fix_up_acl(set.acl.as_deref())?;
        let (mut node, mut stat) = self.live(&set.path)?;
        self.check_permission(&node, perms::ADMIN)?;
        let version = next_version(stat.aversion, set.version)?;

        stat.aversion = version;
        node.acl = acl.as_slice().into();
        self.change(&set.path, node, Some(stat));
        Ok(Txn::SetAcl(SetAclTxn { path: set.path, acl: Some(acl), version }))
    }

    /// Changes nothing: what it says is whether the others of its multi may be carried out.
    pub(super) fn prepare_check(&mut self, check: CheckVersionRequest) -> Result<Txn, i32> {
        self.check_session()?;
        paths::validate(&check.path).map_err(|_| code::BAD_ARGUMENTS)?;
        let (node, stat) = self.live(&check.path)?;
        self.check_permission(&node, perms::READ)?;
        let version = next_version(stat.version, check.version)?;
        Ok(Txn::CheckVersion(CheckVersionTxn { path: check.path, version }))
    }
}

/// The parent of a node that may be deleted.
fn deletable(path: &str) -> Result<&str, i32> {
    let parent = parent_of(path)?;
    if paths::is_reserved(path) { Err(code::BAD_ARGUMENTS) } else { Ok(parent) }
}
