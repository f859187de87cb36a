//! A server's log as the checkers keep it: the zxids, and for each a hash of everything up to it (a
//! chain). Two logs are equal up to a zxid exactly if their chains there are equal.

use quorate::base::Zxid;

use crate::draw::mix;

/// One transaction in a history. `chain` covers it and everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub zxid: Zxid,
    pub hash: u64,
    pub chain: Chain,
}

/// The hash of a whole history. `None` where its beginning was never seen.
pub type Chain = Option<u64>;

/// The empty history.
pub const EMPTY: Chain = Some(0x5157_4f52_4154_4530);

/// The chain of a history with one more transaction.
pub fn extend(chain: Chain, zxid: Zxid, hash: u64) -> Chain {
    chain.map(|chain| mix(mix(chain ^ zxid.0 as u64).wrapping_add(hash)))
}

/// A history from `base` on; what lies at or below the base is in a snapshot.
#[derive(Clone, Debug)]
pub struct ChainLog {
    base: Zxid,
    base_chain: Chain,
    entries: Vec<Entry>,
}

impl Default for ChainLog {
    fn default() -> ChainLog {
        ChainLog::from_base(Zxid::ZERO, EMPTY)
    }
}

impl ChainLog {
    pub fn from_base(base: Zxid, base_chain: Chain) -> ChainLog {
        ChainLog { base, base_chain, entries: Vec::new() }
    }

    pub fn base(&self) -> Zxid {
        self.base
    }

    pub fn last(&self) -> Zxid {
        self.entries.last().map_or(self.base, |entry| entry.zxid)
    }

    /// The last transaction below `zxid`.
    pub fn last_below(&self, zxid: Zxid) -> Zxid {
        let at = self.entries.partition_point(|entry| entry.zxid < zxid);
        if at == 0 { self.base } else { self.entries[at - 1].zxid }
    }

    pub fn chain(&self) -> Chain {
        self.entries.last().map_or(self.base_chain, |entry| entry.chain)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn push(&mut self, zxid: Zxid, hash: u64) {
        let chain = extend(self.chain(), zxid, hash);
        self.entries.push(Entry { zxid, hash, chain });
    }

    pub fn pop(&mut self) {
        self.entries.pop();
    }

    /// The number of entries at or below this zxid.
    pub fn count_upto(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|entry| entry.zxid <= zxid)
    }

    /// The chain of everything at or below this zxid; `None` if that lies below the base.
    pub fn chain_upto(&self, zxid: Zxid) -> Chain {
        match self.count_upto(zxid) {
            0 if zxid < self.base => None,
            0 => self.base_chain,
            n => self.entries[n - 1].chain,
        }
    }

    pub fn entry(&self, zxid: Zxid) -> Option<&Entry> {
        self.entries.binary_search_by_key(&zxid, |entry| entry.zxid).ok().map(|n| &self.entries[n])
    }

    /// Whether the log or the snapshot below it reaches this zxid.
    pub fn covers(&self, zxid: Zxid) -> bool {
        zxid <= self.base || self.entry(zxid).is_some()
    }

    /// Drops everything after this zxid.
    pub fn truncate(&mut self, to: Zxid) {
        let keep = self.count_upto(to);
        self.entries.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::base::Epoch;

    fn z(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    #[test]
    fn equal_histories_have_equal_chains_and_others_do_not() {
        let (mut a, mut b) = (ChainLog::default(), ChainLog::default());
        for n in 1..=5 {
            a.push(z(n), u64::from(n));
            b.push(z(n), if n == 3 { 99 } else { u64::from(n) });
        }
        assert_eq!(a.chain_upto(z(2)), b.chain_upto(z(2)));
        assert_ne!(a.chain_upto(z(3)), b.chain_upto(z(3)));
        assert_ne!(a.chain(), b.chain());
        a.truncate(z(2));
        b.truncate(z(2));
        assert_eq!((a.chain(), a.last()), (b.chain(), z(2)));
    }
}
