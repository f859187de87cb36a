//! What is on the way: a record of each node that a transaction not yet applied changes.
//! (ZooKeeperServer.outstandingChanges, outstandingChangesForPath)

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use twox_hash::XxHash3_64;

use crate::base::{COSTLY_CHECKS, SessionId, Zxid, paths};
use crate::jute::data::StatPersisted;
use crate::tree::{AclList, DataTree, Owner, node_digest};

/// A node as it will be. (ZooKeeperServer.ChangeRecord)
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ChangeRecord {
    /// Of the transaction that will have made it so.
    zxid: Zxid,
    /// `None`: it will be gone.
    pub(super) stat: Option<StatPersisted>,
    pub(super) child_count: usize,
    pub(super) acl: AclList,
    pub(super) data: Option<Bytes>,
    /// Its part in the tree's digest.
    digest: u64,
}

impl ChangeRecord {
    /// Of a node that is made.
    pub(super) fn new(acl: AclList, data: Option<Bytes>) -> ChangeRecord {
        ChangeRecord { acl, data, ..ChangeRecord::default() }
    }

    pub(super) fn gone() -> ChangeRecord {
        ChangeRecord::default()
    }

    /// The session that owns the node.
    fn owner(&self) -> Option<SessionId> {
        match Owner::of(self.stat.as_ref()?.ephemeral_owner) {
            Owner::Session(session) => Some(session),
            _ => None,
        }
    }

    pub(super) fn with(self, stat: Option<StatPersisted>) -> ChangeRecord {
        ChangeRecord { stat, ..self }
    }
}

/// A node that will be there, with its stat.
pub(super) type Live = (ChangeRecord, StatPersisted);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Records {
    /// The newest record of each path; the root is "".
    #[serde(serialize_with = "in_order")]
    newest: HashMap<Rc<str>, ChangeRecord, BuildHasherDefault<PathHasher>>,
    /// The paths in `newest` of nodes that will be there, by the session that owns them.
    ephemerals: BTreeMap<SessionId, BTreeSet<Rc<str>>>,
    /// Every change in order, to be dropped from the front.
    order: VecDeque<(Zxid, Rc<str>)>,
    /// The tree's digest after all of them.
    digest: u64,
    undo: Option<Undo>,
}

/// XXH3 of a path. What is on the way is bounded, whatever paths a client chooses.
#[derive(Default)]
struct PathHasher(u64);

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, bytes);
    }

    /// Of the mark behind a text: it says nothing about a path alone.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What a transaction has replaced so far, to be put back if it fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Undo {
    digest: u64,
    replaced: Vec<(Rc<str>, Option<ChangeRecord>)>,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.ephemerals.is_empty()
    }

    /// The node as it will be when everything on the way is applied.
    pub(super) fn live(&self, path: &str, tree: &DataTree) -> Option<Live> {
        if let Some(record) = self.newest.get(record_key(path)) {
            let stat = record.stat.clone()?;
            return Some((record.clone(), stat));
        }
        let node = tree.view(path)?;
        let record = ChangeRecord {
            zxid: Zxid::ZERO,
            stat: Some(node.stat.clone()),
            child_count: node.child_count,
            data: node.data_to_keep(),
            acl: node.acl,
            digest: node.digest,
        };
        Some((record, node.stat))
    }

    /// The ephemerals that this session will own when everything on the way is applied, sorted.
    /// Costs no more than the session has nodes, however much is on the way.
    pub(super) fn ephemerals(&self, session: SessionId, tree: &DataTree) -> BTreeSet<String> {
        let stays = |path: &&str| !self.newest.contains_key(*path);
        let made = self.ephemerals.get(&session).into_iter().flatten().map(|path| path.as_ref());
        tree.ephemerals(session).filter(stays).chain(made).map(String::from).collect()
    }

    /// Notes a change, and takes it into the predicted digest. What is not gone and was there before
    /// comes from `live`, with nothing changed in between: the digest that it has there goes.
    pub(super) fn change(
        &mut self,
        zxid: Zxid,
        path: &str,
        mut record: ChangeRecord,
        tree: &DataTree,
    ) {
        let digest_of = |live: Option<Live>| live.map_or(0, |(record, _)| record.digest);
        let (before, after) = match &record.stat {
            Some(stat) => (record.digest, node_digest(path, record.data.as_deref(), stat)),
            None => (digest_of(self.live(path, tree)), 0),
        };
        if COSTLY_CHECKS {
            let known = digest_of(self.live(path, tree));
            assert!(before == known, "{path} has changed since it was looked at");
        }
        record.zxid = zxid;
        record.digest = after;
        self.digest = self.predicted_digest(tree).wrapping_sub(before).wrapping_add(after);
        let key: Rc<str> = record_key(path).into();
        self.order.push_back((zxid, key.clone()));
        let replaced = self.set(&key, Some(record));
        if let Some(undo) = &mut self.undo {
            undo.replaced.push((key, replaced));
        }
    }

    pub(super) fn predicted_digest(&self, tree: &DataTree) -> u64 {
        if self.order.is_empty() { tree.digest() } else { self.digest }
    }

    /// The tree holds everything up to this zxid.
    pub(super) fn applied(&mut self, zxid: Zxid) {
        while self.order.front().is_some_and(|(of, _)| *of <= zxid) {
            let Some((of, path)) = self.order.pop_front() else { break };
            if let Entry::Occupied(newest) = self.newest.entry(path)
                && newest.get().zxid <= of
            {
                let (path, record) = newest.remove_entry();
                self.set_owner(&path, record.owner(), None);
            }
        }
    }

    /// From here on changes can be put back, until `keep` or `put_back`; from where it was called
    /// first, if that was not asked for yet.
    pub(super) fn begin(&mut self) {
        let digest = self.digest;
        self.undo.get_or_insert_with(|| Undo { digest, replaced: Vec::new() });
    }

    pub(super) fn keep(&mut self) {
        self.undo = None;
    }

    /// All is as it was at `begin`. (rollbackPendingChanges)
    pub(super) fn put_back(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        self.digest = undo.digest;
        self.order.truncate(self.order.len() - undo.replaced.len());
        for (path, replaced) in undo.replaced.into_iter().rev() {
            self.set(&path, replaced);
        }
    }

    /// Puts this record in the place of the newest of its path, which is answered.
    fn set(&mut self, key: &Rc<str>, record: Option<ChangeRecord>) -> Option<ChangeRecord> {
        let owner = record.as_ref().and_then(ChangeRecord::owner);
        let replaced = match record {
            Some(record) => self.newest.insert(key.clone(), record),
            None => self.newest.remove(key),
        };
        self.set_owner(key, replaced.as_ref().and_then(ChangeRecord::owner), owner);
        replaced
    }

    fn set_owner(&mut self, key: &Rc<str>, before: Option<SessionId>, owner: Option<SessionId>) {
        if owner == before {
            return;
        }
        if let Some(session) = before
            && let Some(paths) = self.ephemerals.get_mut(&session)
        {
            paths.remove(key);
            if paths.is_empty() {
                self.ephemerals.remove(&session);
            }
        }
        if let Some(session) = owner {
            self.ephemerals.entry(session).or_default().insert(key.clone());
        }
    }
}

/// Two equal states are written alike.
fn in_order<S: Serializer, H>(
    records: &HashMap<Rc<str>, ChangeRecord, H>,
    to: S,
) -> Result<S::Ok, S::Error> {
    records.iter().collect::<BTreeMap<_, _>>().serialize(to)
}

fn record_key(path: &str) -> &str {
    if path == paths::ROOT { "" } else { path }
}
