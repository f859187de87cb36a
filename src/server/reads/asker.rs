//! Who asks, and what they are answered.

use crate::base::{ConnId, SessionId};
use crate::database::Database;
use crate::jute::data::Id;
use crate::server::connection::Connection;
use crate::server::watches::Fired;
use crate::tree::{AclList, AclRules};

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
}

#[derive(Debug, Default)]
pub(in crate::server) struct Answer {
    /// A reply code.
    pub(in crate::server) err: i32,
    /// Empty where there is an error, but for one of multiRead's.
    pub(in crate::server) body: Vec<u8>,
    /// Watch events that leave before the reply (setWatches).
    pub(in crate::server) events: Vec<Fired>,
}

impl From<Result<Vec<u8>, i32>> for Answer {
    fn from(result: Result<Vec<u8>, i32>) -> Answer {
        match result {
            Ok(body) => Answer { body, ..Answer::default() },
            Err(err) => Answer { err, ..Answer::default() },
        }
    }
}
