//! The sessions that exist, as every server of the ensemble knows them. (ZKDatabase.sessionsWithTimeouts)

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::SessionId;
use crate::jute::txn::{Txn, TxnHeader};

/// Session -> timeout in milliseconds: replicated state, part of every snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    timeouts: BTreeMap<SessionId, i32>,
    digest: u64,
}

impl Sessions {
    pub fn new() -> Sessions {
        Sessions::default()
    }

    /// Applies createSession and closeSession; every other transaction changes nothing.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn) {
        match txn {
            Txn::CreateSession(create) => self.insert(header.client_id, create.timeout),
            Txn::CloseSession(_) => {
                self.remove(header.client_id);
            }
            _ => {}
        }
    }

    pub fn insert(&mut self, session: SessionId, timeout_ms: i32) {
        self.remove(session);
        self.timeouts.insert(session, timeout_ms);
        self.digest = self.digest.wrapping_add(entry_hash(session, timeout_ms));
    }

    /// Answers the timeout it had.
    pub fn remove(&mut self, session: SessionId) -> Option<i32> {
        let timeout_ms = self.timeouts.remove(&session)?;
        self.digest = self.digest.wrapping_sub(entry_hash(session, timeout_ms));
        Some(timeout_ms)
    }

    /// The timeout in milliseconds; `None` where there is no such session.
    pub fn timeout_ms(&self, session: SessionId) -> Option<i32> {
        self.timeouts.get(&session).copied()
    }

    pub fn contains(&self, session: SessionId) -> bool {
        self.timeouts.contains_key(&session)
    }

    /// In the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        self.timeouts.iter().map(|(session, timeout_ms)| (*session, *timeout_ms))
    }

    /// From this one on.
    pub fn iter_from(&self, first: SessionId) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        self.timeouts.range(first..).map(|(session, timeout_ms)| (*session, *timeout_ms))
    }

    pub fn len(&self) -> usize {
        self.timeouts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.timeouts.is_empty()
    }

    /// Equal tables have equal digests, whatever the order of their changes. Add it to the tree's
    /// state digest.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

impl FromIterator<(SessionId, i32)> for Sessions {
    fn from_iter<I: IntoIterator<Item = (SessionId, i32)>>(entries: I) -> Sessions {
        let mut sessions = Sessions::new();
        for (session, timeout_ms) in entries {
            sessions.insert(session, timeout_ms);
        }
        sessions
    }
}

/// FNV-1a over the entry's bytes.
fn entry_hash(session: SessionId, timeout_ms: i32) -> u64 {
    let bytes = session.0.to_be_bytes().into_iter().chain(timeout_ms.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::txn::{CloseSessionTxn, CreateSessionTxn};

    fn of(session: i64) -> TxnHeader {
        TxnHeader { client_id: SessionId(session), ..TxnHeader::default() }
    }

    #[test]
    fn transactions_open_and_close_sessions() {
        let mut sessions = Sessions::new();
        sessions.apply(&of(1), &Txn::CreateSession(CreateSessionTxn { timeout: 4000 }));
        sessions.apply(&of(2), &Txn::CreateSession(CreateSessionTxn { timeout: 8000 }));
        sessions.apply(&of(1), &Txn::CloseSession(None));
        sessions.apply(&of(3), &Txn::CloseSession(Some(CloseSessionTxn::default())));
        assert_eq!(sessions.iter().collect::<Vec<_>>(), [(SessionId(2), 8000)]);
    }

    #[test]
    fn the_digest_tells_tables_apart_and_forgets_their_history() {
        let mut sessions = Sessions::new();
        assert_eq!(sessions.digest(), 0);
        sessions.insert(SessionId(1), 4000);
        sessions.insert(SessionId(2), 4000);
        sessions.insert(SessionId(2), 5000);
        let same: Sessions = [(SessionId(2), 5000), (SessionId(1), 4000)].into_iter().collect();
        let other: Sessions = [(SessionId(2), 4000), (SessionId(1), 5000)].into_iter().collect();
        assert_eq!(sessions.digest(), same.digest());
        assert_ne!(sessions.digest(), other.digest());
        sessions.remove(SessionId(1));
        sessions.remove(SessionId(2));
        assert_eq!(sessions.digest(), 0);
    }
}
