//! The tree's digest behind some of the last transactions: servers that have come equally far can be
//! compared by it. (DataTree.digestLog)

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::base::Zxid;
use crate::tree::DataTree;

/// It is kept of each transaction whose zxid is a multiple of this: of the same ones everywhere.
const INTERVAL: i64 = 128;
const KEPT_MAX: usize = 1024;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct DigestLog {
    digests: VecDeque<(Zxid, i64)>,
    /// While a log is replayed over a fuzzy snapshot the tree is as none ever was, up to here.
    fuzzy_up_to: Zxid,
}

impl DigestLog {
    pub(super) fn fuzzy_up_to(zxid: Zxid) -> DigestLog {
        DigestLog { digests: VecDeque::new(), fuzzy_up_to: zxid }
    }

    /// The tree has applied this transaction.
    pub(super) fn note(&mut self, zxid: Zxid, tree: &DataTree) {
        if zxid.0 % INTERVAL != 0 || zxid <= self.fuzzy_up_to {
            return;
        }
        self.digests.push_back((zxid, tree.digest() as i64));
        if self.digests.len() > KEPT_MAX {
            self.digests.pop_front();
        }
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Zxid, i64)> {
        self.digests.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zxids(log: &DigestLog) -> Vec<i64> {
        log.iter().map(|(zxid, _)| zxid.0).collect()
    }

    #[test]
    fn the_digest_of_every_128th_transaction_is_kept_and_of_the_last_1024_of_these() {
        let (mut log, tree) = (DigestLog::default(), DataTree::new());
        for zxid in 1..=300 {
            log.note(Zxid(zxid), &tree);
        }
        assert_eq!(zxids(&log), [128, 256]);
        for zxid in 301..=128 * 1025 {
            log.note(Zxid(zxid), &tree);
        }
        let kept = zxids(&log);
        assert_eq!((kept.len(), kept[0], kept[1023]), (1024, 256, 128 * 1025));
    }

    #[test]
    fn no_digest_of_a_fuzzy_tree_is_kept() {
        let (mut log, tree) = (DigestLog::fuzzy_up_to(Zxid(256)), DataTree::new());
        for zxid in 1..=400 {
            log.note(Zxid(zxid), &tree);
        }
        assert_eq!(zxids(&log), [384]);
    }
}
