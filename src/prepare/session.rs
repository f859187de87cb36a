//! createSession, closeSession, and whether a session may ask for anything.

use super::Step;
use crate::base::{SessionId, paths};
use crate::jute::client::{CreateSessionRequest, code};
use crate::jute::txn::{CloseSessionTxn, CreateSessionTxn, Txn};
use crate::jute::{Jute, Reader};
use crate::session::SessionError;

impl Step<'_> {
    pub(super) fn check_session(&mut self) -> Result<(), i32> {
        let (session, origin) = (self.request.session, self.request.origin);
        self.sessions.check_owner(session, origin).map_err(SessionError::code)
    }

    /// Before it owns an ephemeral: a local session may not.
    pub(super) fn check_global_session(&mut self) -> Result<(), i32> {
        let (session, origin) = (self.request.session, self.request.origin);
        self.sessions.check_global_owner(session, origin)
    }

    /// Tracked from now on, so that it can expire; it exists once the transaction is applied
    /// (ZOOKEEPER-2926).
    pub(super) fn prepare_create_session(&mut self) -> Result<Txn, i32> {
        let mut body = Reader::new(self.request.body.clone());
        let CreateSessionRequest { timeout } =
            Jute::decode(&mut body).map_err(|_| code::MARSHALLING_ERROR)?;
        let session = self.global_session()?;
        self.sessions.add(session, timeout, self.now.mono);
        self.sessions.set_owner(session, self.request.origin);
        Ok(Txn::CreateSession(CreateSessionTxn { timeout }))
    }

    /// Whose request it is does not matter: the leader itself asks for those that expired.
    pub(super) fn prepare_close_session(&mut self) -> Result<Txn, i32> {
        let session = self.global_session()?;
        let doomed = self.records.ephemerals(session, self.tree);
        for path in &doomed {
            let parent_path = paths::parent(path).unwrap_or_default();
            // The tree knows this path, or a create on the way does: then its parent is there.
            let _ = self.remove(parent_path, path);
        }
        self.sessions.set_closing(session);
        let paths_to_delete = doomed.into_iter().collect();
        Ok(Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete })))
    }

    /// Number 0 is no session: every persistent znode would be its ephemeral, the root's too, and
    /// no server reads such a list again.
    fn global_session(&self) -> Result<SessionId, i32> {
        let session = self.request.session;
        if session == SessionId(0) { Err(code::BAD_ARGUMENTS) } else { Ok(session) }
    }
}
