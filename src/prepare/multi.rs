//! Several operations under one zxid: all of them, or none. (PrepRequestProcessor, OpCode.multi)
//!
//! Each sees what those before it have done. When one fails, the change records are as they were
//! before the first (its parents' counters of sequential names too), and the transaction says:
//!
//!     before the failed one    what they would have been: their type and record
//!     the failed one           an error with its code
//!     after it                 an error that says they were not tried
//!
//! Whoever applies it looks for an error first (tree/apply.rs), so it is still none of them. Such
//! a transaction has a digest: that of the tree as it stays.

use super::Step;
use super::request::Write;
use crate::jute::client::code;
use crate::jute::txn::{ErrorTxn, Txn, kind};

impl Step<'_> {
    pub(super) fn prepare_multi(&mut self, writes: Vec<Write>) -> Result<Txn, i32> {
        let mut parts = Vec::with_capacity(writes.len());
        let mut failed = false;
        self.records.begin();
        for write in writes {
            let kind = write.kind();
            let part =
                if failed { Err(code::RUNTIME_INCONSISTENCY) } else { self.prepare_write(write) };
            parts.push(match part {
                Ok(txn) => (kind, txn),
                Err(err) => {
                    failed = true;
                    (kind::ERROR, Txn::Error(ErrorTxn { err }))
                }
            });
        }
        if failed {
            self.records.put_back();
        }
        Ok(Txn::Multi(parts))
    }
}
