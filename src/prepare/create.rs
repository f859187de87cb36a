//! create, create2, createContainer, createTTL. (PrepRequestProcessor.pRequest2TxnCreate)

use super::records::ChangeRecord;
use super::request::Creation;
use super::{Step, len};
use crate::base::paths;
use crate::jute::client::{code, create_flags, op};
use crate::jute::data::perms;
use crate::jute::txn::{CreateContainerTxn, CreateTtlTxn, CreateTxn, Txn};
use crate::tree::{Owner, created_stat};

/// What fits beside the mark of a TTL node: 40 bits of milliseconds.
const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

/// What the flags of a create say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mode {
    ephemeral: bool,
    sequential: bool,
}

impl Step<'_> {
    pub(super) fn prepare_create(&mut self, create: Creation) -> Result<Txn, i32> {
        let mode = create_mode(&create, self.options.extended_types)?;
        if mode.ephemeral {
            self.check_global_session()?
        } else {
            self.check_session()?
        }
        let Creation { op, mut path, data, acl, ttl, .. } = create;
        let parent_path = parent_of(&path)?.to_owned();
        let acl = self.fix_up_acl(acl.as_deref())?;
        let (mut parent, mut parent_stat) = self.live(&parent_path)?;
        self.check_permission(&parent, perms::CREATE)?;
        if mode.sequential {
            path = format!("{path}{:010}", parent_stat.cversion);
        }
        paths::validate(&path).map_err(|_| code::BAD_ARGUMENTS)?;
        if self.live(&path).is_ok() {
            return Err(code::NODE_EXISTS);
        }
        if matches!(Owner::of(parent_stat.ephemeral_owner), Owner::Session(_)) {
            return Err(code::NO_CHILDREN_FOR_EPHEMERALS);
        }
        self.check_quota(&path, len(&data), 1)?;

        // Nothing fails from here on (PR-1).
        let owner = match (op, ttl) {
            (op::CREATE_TTL, Some(ttl)) => Owner::Ttl(ttl),
            (op::CREATE_CONTAINER, _) => Owner::Container,
            _ if mode.ephemeral => Owner::Session(self.request.session),
            _ => Owner::Nobody,
        };
        let parent_cversion = parent_stat.cversion.wrapping_add(1);
        parent_stat.cversion = parent_cversion;
        parent_stat.pzxid = self.zxid;
        parent.child_count += 1;
        self.change(&parent_path, parent, Some(parent_stat));
        let node = ChangeRecord::new(acl.as_slice().into(), data.clone());
        let stat = created_stat(self.zxid, self.now.wall_ms, owner);
        self.change(&path, node, Some(stat));

        let acl = Some(acl);
        Ok(match owner {
            Owner::Ttl(ttl) => {
                Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl })
            }
            Owner::Container => {
                Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion })
            }
            Owner::Session(_) | Owner::Nobody => {
                let ephemeral = mode.ephemeral;
                Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion })
            }
        })
    }
}

/// The flags count for every kind of create, the TTL for createTTL alone: by any other operation
/// the two flags of a TTL node ask for one without a TTL. Flag 4 makes a plain node by create and
/// create2; createContainer makes a container whatever the flags are.
pub(super) fn create_mode(create: &Creation, extended_types: bool) -> Result<Mode, i32> {
    let flags = create.flags;
    if !(0..=create_flags::SEQUENTIAL_TTL).contains(&flags) {
        return Err(code::BAD_ARGUMENTS);
    }
    let wants_ttl = flags == create_flags::TTL || flags == create_flags::SEQUENTIAL_TTL;
    if wants_ttl && !extended_types {
        return Err(code::UNIMPLEMENTED);
    }
    let fits = match create.ttl {
        Some(ttl) => wants_ttl && (1..=TTL_MS_MAX).contains(&ttl),
        None => !wants_ttl,
    };
    if !fits {
        return Err(code::BAD_ARGUMENTS);
    }
    let plain = flags < create_flags::CONTAINER;
    Ok(Mode {
        ephemeral: plain && flags & create_flags::EPHEMERAL != 0,
        sequential: plain && flags & create_flags::SEQUENTIAL != 0
            || flags == create_flags::SEQUENTIAL_TTL,
    })
}

/// The parent of a path that was not looked at yet: the fuller check comes after the parent's.
pub(super) fn parent_of(path: &str) -> Result<&str, i32> {
    paths::parent(path).filter(|_| !path.contains('\0')).ok_or(code::BAD_ARGUMENTS)
}
