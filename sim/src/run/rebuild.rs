//! What a server's disk would give back now: a copy of it, recovered by the product's own code beside
//! the run, and nothing of the run moves by it. (S-17)
//!
//! Done where a server promises that its disk holds a history, when it acks NEWLEADER and when it is
//! established; every second with one server in turn; and with all of them when the run is over.
//! A disk that no start accepts comes to nothing here: a start says so itself.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use quorate::base::ServerId;
use quorate::config::ServerConfig;
use quorate::database::Database;
use quorate::peer::storage_options;
use quorate::storage::load;
use quorate::tree::AclRules;

use super::disk_copy::DiskCopy;
use crate::checkers::Rebuilt;
use crate::world::{Content, World};

/// The states that the disk comes to after a kill and after a power loss at this moment.
pub(super) fn rebuild(world: &World, server: ServerId, config: &ServerConfig) -> Vec<Rebuilt> {
    let written = world.written_contents(server);
    let durable = world.durable_contents(server);
    let both = if written == durable {
        vec![(durable, true)]
    } else {
        vec![(written, false), (durable, true)]
    };
    both.into_iter().filter_map(|(files, durable)| recover(files, durable, config)).collect()
}

fn recover(
    files: Vec<(PathBuf, Content)>,
    durable: bool,
    config: &ServerConfig,
) -> Option<Rebuilt> {
    let loaded = at_once(load(&storage_options(config), DiskCopy::of(files)))?.ok()?;
    let log = loaded.txns.clone();
    let mut db =
        Database::empty(config.sync.committed_log_count).with_acl_rules(AclRules::of(config));
    db.restore(loaded).ok()?;
    let (last_applied, digest) = (db.last_applied(), db.state_digest());
    let once = db.tree().state_digest();
    for proposal in log {
        drop(db.tree_mut().apply(&proposal.header, &proposal.txn));
    }
    let replayed = (once, db.tree().state_digest());
    Some(Rebuilt { durable, last_applied, digest, replayed })
}

/// A future that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
