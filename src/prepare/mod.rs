//! A leader turns requests into transactions. (PrepRequestProcessor)
//!
//! Requests come faster than they are committed, so each is checked against the tree as it will
//! be: the tree plus what is on the way. What is on the way stands in change records, the newest
//! for each path, until the transaction that made it is applied.
//!
//!     request -> checks in Apache's order -> transaction, records     | fails -> error transaction
//!                  session, path, ACL given, parent, permission, node, version, children
//!
//! A request that fails is a transaction too: it takes its zxid and is logged and committed.
//!
//! | file       | what                                                                      |
//! |------------|---------------------------------------------------------------------------|
//! | request.rs | a request; its bytes as operations: no record at all, or one that fails   |
//! | undecodable.rs | what is answered to bytes that are no request                         |
//! | create.rs  | create, create2, createContainer, createTTL                               |
//! | change.rs  | delete, deleteContainer, setData, setACL, check                           |
//! | multi.rs   | several of them under one zxid, all or none                               |
//! | session.rs | createSession, closeSession, and whether a session may ask for anything   |
//! | records.rs | the change records, and the digest they predict                           |
//! | quota.rs   | whether a write would go beyond a quota                                   |
//!
//! PR-1  records change only once nothing can fail any more; a multi that fails puts them back
//! PR-2  a transaction carries the digest the tree will have after it, unless it is an error or a
//!       closeSession without its list
//! PR-3  a session is marked closing when its closeSession is prepared (ZOOKEEPER-1208), and the
//!       list of its ephemerals holds those still on the way
//! PR-4  whatever is prepared, every member can take, log, load and be sent again: it is no longer
//!       than the longest buffer between servers (jute.maxbuffer and its extrasize). A request
//!       that would be is answered BADARGUMENTS; a closeSession goes without its list, as before
//!       3.6, and every server then deletes what the session owns
//!
//! Different from Apache on purpose: create with flag 4 makes a plain node there and here, but the
//! digest predicted there is that of a container; the children of a parent are counted down when
//! closeSession takes one; a list that setACL gives counts for the next request, where Apache goes
//! by the old one until the new one is applied; PR-4 (Apache proposes what its followers refuse,
//! and no quorum forms again, ZOOKEEPER-4306); a createTTL that says no TTL mode is always
//! BADARGUMENTS, where Apache lets a negative TTL through and ends when it applies it.
//!
//! Not here: reconfig (it is always refused), whom a list lets pass (tree/acl_rules.rs),
//! how a transaction is agreed upon (zab), what it does to the tree (tree/apply.rs).

mod change;
mod create;
mod multi;
mod quota;
mod records;
mod request;
mod session;
mod undecodable;

#[cfg(test)]
mod kinds_test;
#[cfg(test)]
mod local_sessions_test;
#[cfg(test)]
mod multi_test;
#[cfg(test)]
mod prepare_test;
#[cfg(test)]
mod random_test;
#[cfg(test)]
mod size_test;
#[cfg(test)]
mod testing;

pub use request::{DecodedBody, Request, creates_ephemeral, read, supports};

use bytes::Bytes;

use crate::base::limits::JUTE_FIELD_BYTES_MAX;
use crate::base::{Now, Zxid};
use crate::config::ServerConfig;
use crate::jute::client::{code, op};
use crate::jute::data::{Acl, StatPersisted};
use crate::jute::txn::{ErrorTxn, Proposal, Txn, TxnDigest, TxnHeader, kind};
use crate::metrics::Metrics;
use crate::session::SessionTracker;
use crate::tree::{AskedLists, DIGEST_VERSION, DataTree, Unfit, entry_bytes};

use quota::QuotaCheck;
use records::{ChangeRecord, Live, Records};
use request::Write;
use serde::{Deserialize, Serialize};

/// What the configuration says about writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrepareOptions {
    /// TTL nodes may be made (`extendedTypesEnabled`).
    pub extended_types: bool,
    /// Writes beyond a hard quota are refused (`enforceQuota`).
    pub enforce_quota: bool,
    /// Bytes of the longest transaction (PR-4).
    pub txn_bytes_max: usize,
}

impl Default for PrepareOptions {
    fn default() -> PrepareOptions {
        PrepareOptions {
            extended_types: false,
            enforce_quota: false,
            txn_bytes_max: JUTE_FIELD_BYTES_MAX,
        }
    }
}

impl PrepareOptions {
    pub fn of(config: &ServerConfig) -> PrepareOptions {
        PrepareOptions {
            extended_types: config.extended_types,
            enforce_quota: config.enforce_quota,
            txn_bytes_max: config.limits.field_bytes_max(),
        }
    }
}

/// The changes that are on the way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Prepare {
    options: PrepareOptions,
    records: Records,
    quota: QuotaCheck,
}

/// One request, and all it is checked against.
struct Step<'a> {
    request: &'a Request,
    zxid: Zxid,
    now: Now,
    tree: &'a DataTree,
    sessions: &'a mut SessionTracker,
    records: &'a mut Records,
    quota: &'a mut QuotaCheck,
    options: PrepareOptions,
    /// Bytes that the lists of this transaction may still have; `None` once one was too long (PR-4).
    lists_left: Option<usize>,
    asked: AskedLists,
}

impl Prepare {
    /// To be made when a leader begins: everything before must be applied.
    pub fn new(options: PrepareOptions) -> Prepare {
        let quota = QuotaCheck::new(options.enforce_quota);
        Prepare { options, records: Records::default(), quota }
    }

    /// Counts there what it refuses.
    pub fn counting_in(mut self, metrics: Metrics) -> Prepare {
        self.quota.metrics = metrics;
        self
    }

    /// Makes the transaction of a request under this zxid, which must be the next one; only
    /// `now.wall_ms` goes into it. A request that may not be carried out becomes an error, also
    /// one that cannot be [`read`] or is not supported: whoever forwarded it waits for an answer.
    pub fn prepare(
        &mut self,
        request: &Request,
        zxid: Zxid,
        now: Now,
        tree: &DataTree,
        sessions: &mut SessionTracker,
    ) -> Proposal {
        let may_be_too_long = self.may_be_too_long(request);
        let Prepare { options, records, quota } = self;
        let options = *options;
        if may_be_too_long {
            records.begin();
        }
        let (lists_left, asked) = (Some(options.txn_bytes_max), AskedLists::default());
        let mut step =
            Step { request, zxid, now, tree, sessions, records, quota, options, lists_left, asked };
        let txn = step.prepare_txn();
        let lists_fit = step.lists_left.is_some();
        let txn = match txn {
            _ if !lists_fit => Err(code::BAD_ARGUMENTS),
            txn => txn,
        };
        let proposal = match txn {
            Ok(txn) => self.proposal(request, request.op, zxid, now, txn, tree),
            Err(err) => {
                self.records.keep();
                return self.error(request, zxid, now, err, tree);
            }
        };
        if proposal.bytes().len() <= options.txn_bytes_max {
            self.records.keep();
            return proposal;
        }
        match proposal.txn {
            Txn::CloseSession(_) => {
                self.records.keep();
                self.proposal(request, request.op, zxid, now, Txn::CloseSession(None), tree)
            }
            _ => {
                assert!(may_be_too_long, "PR-4: only a long request makes a long transaction");
                self.records.put_back();
                self.error(request, zxid, now, code::BAD_ARGUMENTS, tree)
            }
        }
    }

    /// Whether the transaction of this request may be longer than any may be. It holds what the
    /// request holds, and all ids of the connection for each entry `auth` of a list.
    fn may_be_too_long(&self, request: &Request) -> bool {
        /// Of an entry `auth` in a request, at least: permissions, and two texts.
        const ENTRY_BYTES: usize = 16;
        /// What stands around the record: header, digest, the counts of a multi.
        const FRAME_BYTES: usize = 128;
        let body = request.body.len();
        let id_bytes: usize =
            request.auth.iter().map(|id| ENTRY_BYTES + id.scheme.len() + id.id.len()).sum();
        let lists = (body / ENTRY_BYTES).saturating_mul(id_bytes);
        // Each operation of a multi has a header of 9 bytes in the request, and 8 bytes and its
        // fixed fields in the transaction: four times as much is never reached.
        let record = body.saturating_mul(4).saturating_add(lists);
        record.saturating_add(FRAME_BYTES) > self.options.txn_bytes_max
    }

    fn error(
        &self,
        request: &Request,
        zxid: Zxid,
        now: Now,
        err: i32,
        tree: &DataTree,
    ) -> Proposal {
        self.proposal(request, kind::ERROR, zxid, now, Txn::Error(ErrorTxn { err }), tree)
    }

    fn proposal(
        &self,
        request: &Request,
        kind: i32,
        zxid: Zxid,
        now: Now,
        txn: Txn,
        tree: &DataTree,
    ) -> Proposal {
        let header = TxnHeader {
            client_id: request.session,
            cxid: request.cxid,
            zxid,
            time: now.wall_ms,
            kind,
        };
        // Behind a closeSession without a list Apache would take a digest for the list.
        let has_digest = !txn.is_error() && txn != Txn::CloseSession(None);
        let digest = has_digest.then(|| TxnDigest {
            version: DIGEST_VERSION,
            tree_digest: self.records.predicted_digest(tree) as i64,
        });
        Proposal::new(header, txn, digest)
    }

    /// The tree holds everything up to this zxid: it need not be remembered here any more.
    pub fn applied(&mut self, zxid: Zxid) {
        self.records.applied(zxid);
    }

    /// Changes that are prepared and not yet applied.
    pub fn outstanding(&self) -> usize {
        self.records.len()
    }
}

impl Step<'_> {
    fn prepare_txn(&mut self) -> Result<Txn, i32> {
        let (op, body) = (self.request.op, &self.request.body);
        match op {
            op::MULTI => self.prepare_multi(request::decode_multi(body)?),
            op::CREATE_SESSION => self.prepare_create_session(),
            op::CLOSE_SESSION => self.prepare_close_session(),
            // Alone it would be a record in the log that no server can start on.
            op::CHECK => Err(code::UNIMPLEMENTED),
            _ => match self.request.decoded.take().map_or_else(|| Write::decode(op, body), Ok) {
                Ok(write) => self.prepare_write(write),
                Err(error) => Err(self.refuse_bytes(&error)),
            },
        }
    }

    /// One operation, alone or inside a multi.
    fn prepare_write(&mut self, write: Write) -> Result<Txn, i32> {
        match write {
            Write::Create(create) => self.prepare_create(create),
            Write::Delete(delete) => self.prepare_delete(delete),
            Write::DeleteContainer(path) => self.prepare_delete_container(path),
            Write::SetData(set) => self.prepare_set_data(set),
            Write::SetAcl(set) => self.prepare_set_acl(set),
            Write::Check(check) => self.prepare_check(check),
            // Standalone too, and whoever asks: nothing else is looked at.
            Write::Reconfig => Err(code::RECONFIG_DISABLED),
        }
    }

    /// The node as it will be when everything on the way is applied.
    fn live(&self, path: &str) -> Result<Live, i32> {
        self.records.live(path, self.tree).ok_or(code::NO_NODE)
    }

    /// Notes what this transaction makes of a node; `None` is that it will be gone.
    fn change(&mut self, path: &str, record: ChangeRecord, stat: Option<StatPersisted>) {
        self.records.change(self.zxid, path, record.with(stat), self.tree);
    }

    fn check_permission(&mut self, node: &ChangeRecord, wanted: i32) -> Result<(), i32> {
        let (rules, ids) = (self.tree.acl_rules(), &self.request.auth);
        let passes = rules.check_once(&mut self.asked, &node.acl, wanted, ids);
        if passes { Ok(()) } else { Err(code::NO_AUTH) }
    }

    /// Whether this node may change by so much data, or come with it.
    fn check_quota(&mut self, path: &str, bytes_diff: i64, count_diff: i64) -> Result<(), i32> {
        self.quota.check(self.tree, path, bytes_diff, count_diff, self.now.mono)
    }

    /// The list to store for the one the client sent.
    fn fix_up_acl(&mut self, list: Option<&[Acl]>) -> Result<Vec<Acl>, i32> {
        let left = self.lists_left.ok_or(code::BAD_ARGUMENTS)?;
        match self.tree.acl_rules().fix_up(list, &self.request.auth, left) {
            Ok(list) => {
                let bytes: usize = list.iter().map(|acl| entry_bytes(&acl.id)).sum();
                self.lists_left = left.checked_sub(bytes);
                Ok(list)
            }
            Err(Unfit::Invalid) => Err(code::INVALID_ACL),
            Err(Unfit::TooLong) => {
                self.lists_left = None;
                Err(code::BAD_ARGUMENTS)
            }
        }
    }
}

fn len(data: &Option<Bytes>) -> i64 {
    data.as_ref().map_or(0, Bytes::len) as i64
}

/// The version after `current`, if it is the wanted one; -1 wants any.
fn next_version(current: i32, wanted: i32) -> Result<i32, i32> {
    if wanted != -1 && wanted != current {
        return Err(code::BAD_VERSION);
    }
    Ok(current.wrapping_add(1))
}
