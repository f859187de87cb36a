//! Where in the log a transaction stands: a mark for each MiB of what was appended or read since the
//! start, so that whoever reads old transactions need not begin with the file.
//!
//! - ST-7 a mark names the place where the record of its zxid begins. What was cut, or removed, has none.
//!
//! Not here: reading (`history_reader.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::request::LogPosition;
use crate::base::Zxid;

/// Bytes of a log between two marks.
const MARK_EVERY_BYTES: u64 = 1024 * 1024;
/// Beyond so many the oldest is dropped: that is 64 GiB of log, and 4 MiB of memory.
const MARKS_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LogIndex {
    marks: BTreeMap<Zxid, LogPosition>,
}

impl LogIndex {
    /// This record begins there.
    pub fn learn(&mut self, zxid: Zxid, at: LogPosition) {
        let is_near = |mark: &LogPosition| {
            mark.log == at.log && at.offset.saturating_sub(mark.offset) < MARK_EVERY_BYTES
        };
        let before = self.marks.range(..=zxid).next_back();
        if before.is_some_and(|(_, mark)| is_near(mark)) {
            return;
        }
        self.marks.insert(zxid, at);
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_first();
        }
    }

    /// The last place known that is not behind this record.
    pub fn before(&self, zxid: Zxid) -> Option<LogPosition> {
        self.marks.range(..=zxid).next_back().map(|(_, at)| *at)
    }

    /// The log ends with this transaction.
    pub fn cut(&mut self, to: Zxid) {
        self.marks.split_off(&to.next());
    }

    /// The log begins anew, or was read anew.
    pub fn clear(&mut self) {
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(log: i64, offset: u64) -> LogPosition {
        LogPosition { log: Zxid(log), offset }
    }

    #[test]
    fn a_mark_stands_for_a_mebibyte_and_for_each_file() {
        let mut index = LogIndex::default();
        index.learn(Zxid(1), at(1, 16));
        index.learn(Zxid(2), at(1, 100));
        index.learn(Zxid(3), at(1, 16 + MARK_EVERY_BYTES));
        index.learn(Zxid(4), at(4, 16));
        let found = [0, 1, 2, 3, 4, 9].map(|zxid| index.before(Zxid(zxid)));
        let (first, third) = (Some(at(1, 16)), Some(at(1, 16 + MARK_EVERY_BYTES)));
        assert_eq!(found, [None, first, first, third, Some(at(4, 16)), Some(at(4, 16))]);
    }

    #[test]
    fn what_was_cut_has_no_mark() {
        let mut index = LogIndex::default();
        index.learn(Zxid(1), at(1, 16));
        index.learn(Zxid(5), at(5, 16));
        index.cut(Zxid(4));
        assert_eq!(index.before(Zxid(9)), Some(at(1, 16)));
        index.clear();
        assert_eq!(index.before(Zxid(9)), None);
    }
}
