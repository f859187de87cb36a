//! Who asks.

use crate::base::{ConnId, SessionId};
use crate::database::Database;
use crate::jute::data::Id;
use crate::server::connection::Connection;
use crate::tree::{AclList, AclRules, AskedLists};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Asker<'a> {
    pub(in crate::server) conn: ConnId,
    pub(in crate::server) session: SessionId,
    /// What the connection has proven, its address among it.
    pub(in crate::server) ids: &'a [Id],
    pub(in crate::server) rules: AclRules,
}

impl Asker<'_> {
    /// `None` while the connection has no session.
    pub(in crate::server) fn of<'a>(
        conn: ConnId,
        connection: &'a Connection,
        db: &Database,
    ) -> Option<Asker<'a>> {
        let session = connection.session()?;
        Some(Asker { conn, session, ids: &connection.auth, rules: db.tree().acl_rules() })
    }

    /// Whether this list gives one of the wanted permissions.
    pub(in crate::server) fn may(&self, wanted: i32, list: &AclList) -> bool {
        self.rules.check(list, wanted, self.ids)
    }

    /// The same, of one request that may ask it often.
    pub(super) fn may_once(&self, asked: &mut AskedLists, wanted: i32, list: &AclList) -> bool {
        self.rules.check_once(asked, list, wanted, self.ids)
    }
}
