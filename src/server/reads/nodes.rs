//! Reads of nodes, of ephemerals, and of the asker's own ids.

use super::asker::Asker;
use super::found::Body;
use crate::base::SessionId;
use crate::database::Database;
use crate::jute::Jute;
use crate::jute::client::{ClientInfo, WhoAmIResponse, code, op};
use crate::jute::data::{Id, perms};
use crate::tree::{AskedLists, NodeView};

type Result<'a> = std::result::Result<Body<'a>, i32>;

/// The node must be there and readable, in this order.
fn readable<'a>(
    path: &str,
    asker: &Asker<'_>,
    asked: &mut AskedLists,
    db: &'a Database,
) -> std::result::Result<NodeView<'a>, i32> {
    let node = db.tree().view(path).ok_or(code::NO_NODE)?;
    if asker.may_once(asked, perms::READ, &node.acl) { Ok(node) } else { Err(code::NO_AUTH) }
}

/// Whoever may read the node or administer it sees its ACL; only the latter sees digests.
pub(super) fn get_acl<'a>(path: &str, asker: &Asker<'_>, db: &'a Database) -> Result<'a> {
    let (list, stat) = db.tree().get_acl(path)?;
    if !asker.may(perms::READ | perms::ADMIN, &list) {
        return Err(code::NO_AUTH);
    }
    let hides_digests = !asker.may(perms::ADMIN, &list);
    Ok(Body::Acl(list, hides_digests, stat))
}

pub(super) fn exists<'a>(path: &str, asker: &Asker<'_>, db: &'a Database) -> Result<'a> {
    if path.contains('\0') {
        return Err(code::BAD_ARGUMENTS);
    }
    let node = readable(path, asker, &mut AskedLists::default(), db)?;
    Ok(Body::Stat(node.visible_stat()))
}

pub(super) fn get_data<'a>(
    path: &str,
    asker: &Asker<'_>,
    asked: &mut AskedLists,
    db: &'a Database,
) -> Result<'a> {
    let node = readable(path, asker, asked, db)?;
    Ok(Body::Data(node.data, node.visible_stat()))
}

pub(super) fn get_children<'a>(
    op: i32,
    path: &str,
    asker: &Asker<'_>,
    asked: &mut AskedLists,
    db: &'a Database,
) -> Result<'a> {
    let node = readable(path, asker, asked, db)?;
    let names = node.child_names();
    Ok(match op {
        op::GET_CHILDREN => Body::Children(names),
        _ => Body::Children2(names, node.visible_stat()),
    })
}

pub(super) fn get_all_children_number<'a>(
    path: &str,
    asker: &Asker<'_>,
    db: &'a Database,
) -> Result<'a> {
    readable(path, asker, &mut AskedLists::default(), db)?;
    let number = db.tree().all_children_number(path)?;
    Ok(Body::Number(i32::try_from(number).unwrap_or(i32::MAX)))
}

/// The prefix is one of the text, not of the names: "/a" finds "/ab". Who owns a node needs no
/// permission to find it.
pub(super) fn get_ephemerals(
    prefix: Option<String>,
    session: SessionId,
    db: &Database,
) -> Body<'_> {
    let prefix = prefix.unwrap_or_default();
    // What Java's trim takes.
    let is_all = matches!(prefix.trim_matches(|c| c <= ' '), "" | "/");
    let prefix = if is_all { String::new() } else { prefix };
    Body::Ephemerals(db.tree().ephemerals_below(session, prefix))
}

/// Every id of the connection; of a digest only the user. (AuthUtil.getClientInfos)
pub(super) fn who_am_i(ids: &[Id]) -> Body<'static> {
    let info = |id: &Id| {
        let user = match id.scheme.as_str() {
            "digest" => id.id.split(':').next().unwrap_or_default(),
            _ => &id.id,
        };
        ClientInfo { auth_scheme: id.scheme.clone(), user: user.to_owned() }
    };
    Body::Made(WhoAmIResponse { client_info: ids.iter().map(info).collect() }.to_jute())
}
