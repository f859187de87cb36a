//! What only the museum's bugs do to what a server knows.

use super::Database;
use crate::base::Zxid;

impl Database {
    /// Votes as if everything up to here were logged (ZOOKEEPER-2355).
    pub fn pretend(&mut self, zxid: Zxid) {
        self.pretended = zxid;
    }

    /// Commits without keeping it for DIFF (ZOOKEEPER-4925).
    pub fn commit_unkept(&mut self, zxid: Zxid) {
        self.committed = self.committed.max(zxid);
        self.unkept = true;
    }
}
