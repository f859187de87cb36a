//! From the records of a server's logs to the parts of one history.
//!
//! A history leads on from the oldest snapshot that is taken. Where it has a hole it begins anew behind a
//! newer snapshot: a learner whose leader has sent it a snapshot keeps, with Apache ZooKeeper, what it had
//! logged before.
//!
//! - BK-2 the parts of a history hold every transaction from behind its first snapshot, once, in order.
//!
//! Not here: files (records.rs), which of them are committed (source_dir.rs).

use std::collections::VecDeque;

use super::cuts::{Sizes, ends_part};
use super::error::BackupError;
use super::manifest::{Chunk, Part, SnapshotFile};
use super::records::Record;
use crate::base::Zxid;

/// So many of the last records are known again when they are repeated: followers of Apache 3.8.0 to
/// 3.8.4 repeat runs of them (ZOOKEEPER-4394).
const REMEMBERED: usize = 64 * 1024;

/// Takes the parts of the log.
pub(super) type Put<'a> = dyn FnMut(&Part, Vec<u8>) -> Result<(), BackupError> + 'a;

pub(super) struct History {
    dir: String,
    sizes: Sizes,
    /// The newest first.
    snapshots: Vec<SnapshotFile>,
    /// Of every snapshot in the directory that a transaction bears the name of.
    named: Vec<Zxid>,
    last: Zxid,
    recent: VecDeque<(Zxid, u32)>,
    part: Vec<u8>,
    begun: Option<Begun>,
    chunks: Vec<Chunk>,
    before_last_epoch: Option<Zxid>,
}

/// What is told of the part that is being filled.
struct Begun {
    first: Zxid,
    transactions: u64,
    times_ms: [i64; 2],
}

/// What was taken.
pub(super) struct Taken {
    pub(super) snapshots: Vec<SnapshotFile>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) last: Zxid,
    /// The last transaction before those of the last epoch, if that began in this history.
    pub(super) before_last_epoch: Option<Zxid>,
}

impl History {
    /// `snapshots`: the newest first. `all`: of every snapshot in the directory.
    pub(super) fn new(
        dir: String,
        snapshots: Vec<SnapshotFile>,
        all: &[Zxid],
        sizes: Sizes,
    ) -> History {
        let last = snapshots.last().map_or(Zxid::ZERO, |file| file.zxid);
        let named = all.iter().copied().filter(|zxid| zxid.counter() != 0).collect();
        History {
            dir,
            sizes,
            snapshots,
            named,
            last,
            recent: VecDeque::new(),
            part: Vec::new(),
            begun: None,
            chunks: Vec::new(),
            before_last_epoch: None,
        }
    }

    /// It goes on behind these parts, and with this transaction.
    pub(super) fn going_on(self, chunks: Vec<Chunk>, from: Zxid) -> History {
        let last = chunks.last().map_or(Zxid(from.0 - 1), |chunk| chunk.last);
        History { last, chunks, ..self }
    }

    pub(super) fn last(&self) -> Zxid {
        self.last
    }

    pub(super) fn take(
        &mut self,
        record: Record<'_>,
        put: &mut Put<'_>,
    ) -> Result<(), BackupError> {
        let zxid = record.zxid;
        let sum = crc32fast::hash(record.bytes);
        if zxid <= self.last {
            let oldest = self.snapshots.last().map_or(Zxid::ZERO, |file| file.zxid);
            let is_known = self.recent.binary_search_by_key(&zxid, |(zxid, _)| *zxid);
            let is_repeated = is_known.is_ok_and(|at| self.recent[at].1 == sum);
            // Of what the snapshot holds nothing is kept.
            if zxid <= oldest || is_repeated {
                return Ok(());
            }
            return Err(self.gap(zxid));
        }
        if !self.leads_to(zxid) {
            self.begin_anew_before(zxid)?;
        }
        // It is the first one of its epoch.
        if zxid.counter() == 1 && self.last > Zxid::ZERO {
            self.before_last_epoch = Some(self.last);
        }
        self.last = zxid;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((zxid, sum));
        self.add(record);
        if ends_part(record.bytes, self.part.len(), self.sizes) {
            self.end_part(put)?;
        }
        Ok(())
    }

    /// Where all that could be read was taken.
    pub(super) fn finish(mut self, put: &mut Put<'_>) -> Result<Taken, BackupError> {
        let newest = self.snapshots.first().map_or(Zxid::ZERO, |file| file.zxid);
        if newest > self.last && newest.counter() != 0 {
            // A leader's snapshot behind which nothing is logged yet.
            self.drop_all_before(newest);
        }
        self.end_part(put)?;
        let History { snapshots, chunks, before_last_epoch, .. } = self;
        let last = self.last.max(newest);
        Ok(Taken { snapshots, chunks, last, before_last_epoch })
    }

    /// The zxids of a hole may look as if they followed each other; a leader's snapshot that lies
    /// between them tells.
    fn leads_to(&self, zxid: Zxid) -> bool {
        let lies_between = |named: &Zxid| self.last < *named && *named < zxid;
        self.last.is_followed_by(zxid) && !self.named.iter().any(lies_between)
    }

    fn begin_anew_before(&mut self, zxid: Zxid) -> Result<(), BackupError> {
        let leads_on = |file: &&SnapshotFile| {
            self.last < file.zxid && file.zxid < zxid && file.zxid.is_followed_by(zxid)
        };
        match self.snapshots.iter().find(leads_on).map(|file| file.zxid) {
            Some(base) => {
                self.drop_all_before(base);
                Ok(())
            }
            None => Err(self.gap(zxid)),
        }
    }

    fn drop_all_before(&mut self, base: Zxid) {
        self.snapshots.retain(|file| file.zxid >= base);
        self.chunks.clear();
        self.part.clear();
        self.recent.clear();
        self.begun = None;
        self.before_last_epoch = None;
        self.last = base;
    }

    fn gap(&self, found: Zxid) -> BackupError {
        BackupError::Gap { dir: self.dir.clone(), previous: self.last, found }
    }

    fn add(&mut self, record: Record<'_>) {
        let time = record.time_ms;
        let begun = self.begun.get_or_insert(Begun {
            first: record.zxid,
            transactions: 0,
            times_ms: [time, time],
        });
        begun.transactions += 1;
        begun.times_ms = [begun.times_ms[0].min(time), begun.times_ms[1].max(time)];
        self.part.extend_from_slice(record.bytes);
    }

    fn end_part(&mut self, put: &mut Put<'_>) -> Result<(), BackupError> {
        let Some(Begun { first, transactions, times_ms }) = self.begun.take() else {
            return Ok(());
        };
        let content = std::mem::take(&mut self.part);
        let part = Part::of(&content);
        put(&part, content)?;
        let Part { sha256, bytes } = part;
        self.chunks.push(Chunk { sha256, bytes, first, last: self.last, transactions, times_ms });
        Ok(())
    }
}
