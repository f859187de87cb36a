//! Reads of nodes, of ephemerals, and of the asker's own ids.

use super::asker::Asker;
use crate::base::SessionId;
use crate::database::Database;
use crate::jute::Jute;
use crate::jute::client::{
    ClientInfo, GetAclResponse, GetAllChildrenNumberResponse, GetChildren2Response,
    GetChildrenResponse, GetDataResponse, GetEphemeralsResponse, StatResponse, WhoAmIResponse,
    code, op,
};
use crate::jute::data::{Id, perms};

/// The node must be there and readable, in this order.
fn require_readable(path: &str, asker: &Asker<'_>, db: &Database) -> Result<(), i32> {
    let node = db.tree().view(path).ok_or(code::NO_NODE)?;
    if asker.may(perms::READ, &node.acl) { Ok(()) } else { Err(code::NO_AUTH) }
}

/// Whoever may read the node or administer it sees its ACL; only the latter sees digests.
pub(super) fn get_acl(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    let (list, stat) = db.tree().get_acl(path)?;
    if !asker.may(perms::READ | perms::ADMIN, &list) {
        return Err(code::NO_AUTH);
    }
    let mut acl = list.to_vec();
    if !asker.may(perms::ADMIN, &list) {
        for entry in acl.iter_mut().filter(|entry| entry.id.scheme == "digest") {
            // A digest without a colon has nothing to hide.
            if let Some((user, _)) = entry.id.id.split_once(':') {
                entry.id.id = format!("{user}:x");
            }
        }
    }
    Ok(GetAclResponse { acl, stat }.to_jute())
}

pub(super) fn exists(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    if path.contains('\0') {
        return Err(code::BAD_ARGUMENTS);
    }
    require_readable(path, asker, db)?;
    let stat = db.tree().exists(path)?;
    Ok(StatResponse { stat }.to_jute())
}

pub(super) fn get_data(path: &str, asker: &Asker<'_>, db: &Database) -> Result<Vec<u8>, i32> {
    require_readable(path, asker, db)?;
    let (data, stat) = db.tree().get_data(path)?;
    Ok(GetDataResponse { data, stat }.to_jute())
}

pub(super) fn get_children(
    op: i32,
    path: &str,
    asker: &Asker<'_>,
    db: &Database,
) -> Result<Vec<u8>, i32> {
    require_readable(path, asker, db)?;
    let (children, stat) = db.tree().get_children(path)?;
    Ok(match op {
        op::GET_CHILDREN => GetChildrenResponse { children }.to_jute(),
        _ => GetChildren2Response { children, stat }.to_jute(),
    })
}

pub(super) fn get_all_children_number(
    path: &str,
    asker: &Asker<'_>,
    db: &Database,
) -> Result<Vec<u8>, i32> {
    require_readable(path, asker, db)?;
    let number = db.tree().all_children_number(path)?;
    let total_number = i32::try_from(number).unwrap_or(i32::MAX);
    Ok(GetAllChildrenNumberResponse { total_number }.to_jute())
}

/// The prefix is one of the text, not of the names: "/a" finds "/ab". Who owns a node needs no
/// permission to find it.
pub(super) fn get_ephemerals(prefix: Option<&str>, session: SessionId, db: &Database) -> Vec<u8> {
    // What Java's trim takes.
    let trimmed = prefix.unwrap_or_default().trim_matches(|c| c <= ' ');
    let prefix = match trimmed {
        "" | "/" => "",
        _ => prefix.unwrap_or_default(),
    };
    let owned = db.tree().ephemerals(session).filter(|path| path.starts_with(prefix));
    GetEphemeralsResponse { ephemerals: owned.map(str::to_owned).collect() }.to_jute()
}

/// Every id of the connection; of a digest only the user. (AuthUtil.getClientInfos)
pub(super) fn who_am_i(ids: &[Id]) -> Vec<u8> {
    let info = |id: &Id| {
        let user = match id.scheme.as_str() {
            "digest" => id.id.split(':').next().unwrap_or_default(),
            _ => &id.id,
        };
        ClientInfo { auth_scheme: id.scheme.clone(), user: user.to_owned() }
    };
    WhoAmIResponse { client_info: ids.iter().map(info).collect() }.to_jute()
}
