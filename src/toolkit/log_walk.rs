//! A log from its beginning to its end, past whatever is damaged.
//!
//! | what stands there                       | is told as                                       |
//! |-----------------------------------------|--------------------------------------------------|
//! | a whole record                          | `Txn`                                            |
//! | a record with a wrong checksum          | `Checksum`, with what can be read of it           |
//! | a record that is no transaction         | `Unreadable`                                     |
//! | anything else, and a whole record later | `Lost`: whatever stood between cannot be told    |
//! | anything else, and nothing behind it    | the end, with its fault: a torn tail             |
//!
//! Not here: what a server makes of it (storage/recovery.rs).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::ToolError;
use super::files::layout_of;
use super::verdict::Disk;
use crate::base::Zxid;
use crate::jute::DecodeError;
use crate::jute::txn::Proposal;
use crate::runtime::{Lane, OpenMode};
use crate::storage::log_format::RecordFault;
use crate::storage::{Head, LogScan, Step, StorageError};

/// The next thing in a log, and where it begins.
pub(super) enum Found {
    Txn {
        offset: u64,
        proposal: Rc<Proposal>,
    },
    /// `proposal` if the record can be read all the same.
    Checksum {
        offset: u64,
        fault: RecordFault,
        proposal: Option<Rc<Proposal>>,
    },
    Unreadable {
        offset: u64,
        why: DecodeError,
    },
    /// The next whole record begins at `next`.
    Lost {
        offset: u64,
        next: u64,
        fault: Option<RecordFault>,
    },
    End {
        offset: u64,
        fault: Option<RecordFault>,
    },
}

pub(super) struct LogWalk {
    scan: LogScan<<Disk as Lane>::File>,
}

impl LogWalk {
    pub(super) async fn open(disk: &Disk, path: &Path) -> Result<LogWalk, ToolError> {
        let dir = path.parent().unwrap_or(path);
        let opened =
            LogScan::open(disk, &layout_of(dir, dir), PathBuf::from(path), OpenMode::Read).await;
        match opened {
            Ok(scan) => Ok(LogWalk { scan }),
            Err(error) => Err(ToolError::Invalid(error.to_string())),
        }
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.scan.file_bytes()
    }

    /// Where the next record begins.
    pub(super) fn at(&self) -> u64 {
        self.scan.at()
    }

    pub(super) async fn head(&mut self) -> Result<Head, ToolError> {
        Ok(self.scan.head().await?)
    }

    pub(super) async fn next(&mut self) -> Result<Found, ToolError> {
        let (offset, fault) = match self.scan.next().await {
            Ok(Step::Record { offset, proposal }) => return Ok(Found::Txn { offset, proposal }),
            Ok(Step::End { offset, fault }) => (offset, fault),
            Err(StorageError::UnreadableTxn { offset, why, .. }) => {
                self.scan.pass_over().await?;
                return Ok(Found::Unreadable { offset, why });
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(fault @ RecordFault::Checksum { .. }) = fault
            && let Some(payload) = self.scan.pass_over().await?
        {
            let proposal = Proposal::decode(payload).ok().map(Rc::new);
            return Ok(Found::Checksum { offset, fault, proposal });
        }
        match self.scan.find_record(offset + 1).await? {
            Some(next) => {
                self.scan.go_to(next);
                Ok(Found::Lost { offset, next, fault })
            }
            None => Ok(Found::End { offset, fault }),
        }
    }
}

/// Something that should not be so, and where.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Damage {
    pub(super) offset: u64,
    pub(super) why: String,
}

/// What a walk has seen.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    pub(super) txns: u64,
    pub(super) first: Option<Zxid>,
    pub(super) last: Option<Zxid>,
    /// Transactions in front of all damage, and the last of them.
    pub(super) good_txns: u64,
    pub(super) good_last: Option<Zxid>,
    pub(super) damages: Vec<Damage>,
    /// Where the records end.
    pub(super) end: u64,
    /// The last transactions, each with the hash of its bytes.
    recent: VecDeque<(Zxid, u64)>,
}

/// Transactions that are known again when they are repeated.
const RECENT_MAX: usize = 1000;

/// Damages that are remembered: of more, only their number is of interest.
const DAMAGES_MAX: usize = 100;

impl Seen {
    /// What is wrong with it, if anything is.
    pub(super) fn take(&mut self, found: &Found) -> Option<Damage> {
        let damage = match found {
            Found::Txn { offset, proposal } => self.take_txn(*offset, proposal),
            Found::Checksum { offset, fault, proposal } => {
                let what = match proposal {
                    Some(proposal) => format!("; it reads {proposal}"),
                    None => "; it cannot be read".to_owned(),
                };
                Some(Damage { offset: *offset, why: format!("{fault}{what}") })
            }
            Found::Unreadable { offset, why } => {
                let why = format!("a record is no transaction: {why}");
                Some(Damage { offset: *offset, why })
            }
            Found::Lost { offset, next, fault } => {
                let why = fault.map_or("zeros".to_owned(), |fault| fault.to_string());
                let why = format!("{why}; the next whole record stands at offset {next}");
                Some(Damage { offset: *offset, why })
            }
            Found::End { offset, fault } => {
                self.end = *offset;
                let torn = |fault: &RecordFault| {
                    let why = format!("{fault}; nothing that is whole stands behind it");
                    Damage { offset: *offset, why }
                };
                fault.as_ref().map(torn)
            }
        };
        if let Some(damage) = &damage
            && self.damages.len() < DAMAGES_MAX
        {
            self.damages.push(damage.clone());
        }
        damage
    }

    fn take_txn(&mut self, offset: u64, proposal: &Proposal) -> Option<Damage> {
        let (zxid, hash) = (proposal.zxid(), proposal.hash());
        self.recent.truncate(RECENT_MAX - 1);
        let is_repeated = self.last >= Some(zxid) && self.recent.contains(&(zxid, hash));
        self.recent.push_front((zxid, hash));
        // The same history: some servers of Apache write a part of it twice (ZOOKEEPER-4394).
        let damage = match self.last.filter(|_| !is_repeated) {
            Some(last) if zxid <= last => {
                Some(format!("transaction {zxid} stands behind {last}: zxids must rise"))
            }
            Some(last) if !last.is_followed_by(zxid) => {
                Some(format!("transaction {zxid} follows {last}: what lies between is missing"))
            }
            _ => None,
        };
        self.txns += 1;
        self.first = self.first.or(Some(zxid));
        self.last = self.last.max(Some(zxid));
        if self.damages.is_empty() && damage.is_none() {
            (self.good_txns, self.good_last) = (self.txns, self.last);
        }
        damage.map(|why| Damage { offset, why })
    }

    /// The next log begins behind what this one ends with.
    pub(super) fn next_log(&self) -> Seen {
        Seen { last: self.last, recent: self.recent.clone(), ..Seen::default() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::base::SessionId;
    use crate::jute::txn::{DeleteTxn, Txn, TxnHeader, kind};
    use crate::runtime::os::Machine;
    use crate::runtime::{LaneId, Runtime};
    use crate::storage::log_format::{encode_log_header, encode_record};

    /// A log, and where its records begin.
    fn log(txns: i64) -> (Vec<u8>, Vec<u64>) {
        let (mut file, mut offsets) = (Vec::new(), Vec::new());
        encode_log_header(&mut file);
        for zxid in 1..=txns {
            let (client_id, kind) = (SessionId(7), kind::DELETE);
            let header = TxnHeader { client_id, cxid: 1, zxid: Zxid(zxid), time: 5, kind };
            let delete = Txn::Delete(DeleteTxn { path: format!("/n{zxid}") });
            offsets.push(file.len() as u64);
            encode_record(Proposal::new(header, delete, None).bytes(), &mut file);
        }
        (file, offsets)
    }

    /// The offset of everything that is found, and of transactions their zxids.
    fn walk(file: &[u8]) -> Vec<(u64, Option<i64>)> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("log.1");
        std::fs::write(&path, file).expect("it is writable");
        let machine = Machine::new();
        let walked = machine.run(async {
            let disk = machine.disk(LaneId::History);
            let mut log = LogWalk::open(&disk, &path).await.expect("it is there");
            log.head().await.expect("a good disk");
            let mut all = Vec::new();
            loop {
                match log.next().await.expect("a good disk") {
                    Found::Txn { offset, proposal } => all.push((offset, Some(proposal.zxid().0))),
                    Found::Checksum { offset, .. }
                    | Found::Unreadable { offset, .. }
                    | Found::Lost { offset, .. } => all.push((offset, None)),
                    Found::End { offset, .. } => {
                        all.push((offset, None));
                        return all;
                    }
                }
            }
        });
        walked.expect("a runtime")
    }

    #[test]
    fn whatever_is_changed_every_record_that_is_whole_is_found() {
        let (whole, offsets) = log(9);
        let changes = (16..whole.len(), 1..60_usize, any::<u8>(), 0..3_u8);
        let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
        let found = TestRunner::new(config).run(&changes, |(at, length, byte, way)| {
            let end = whole.len().min(at + length);
            let mut changed = whole.clone();
            match way {
                0 => changed[at..end].fill(byte),
                1 => changed[at..end].iter_mut().for_each(|b| *b ^= byte | 1),
                _ => changed[at..end].fill(0),
            }
            let walked = walk(&changed);
            prop_assert!(walked.is_sorted_by(|a, b| a.0 < b.0), "offsets rise: {walked:?}");
            let ends = offsets.iter().skip(1).copied().chain([whole.len() as u64]);
            for (zxid, (begin, end)) in (1..).zip(offsets.iter().zip(ends)) {
                let record = *begin as usize..end as usize;
                let is_whole = changed[record.clone()] == whole[record];
                let is_found = walked.contains(&(*begin, Some(zxid)));
                prop_assert!(!is_whole || is_found, "{zxid} of {walked:?}");
            }
            Ok(())
        });
        found.expect("it holds");
    }

    #[test]
    fn what_is_repeated_is_no_damage_and_what_only_has_the_zxid_is() {
        let record = |zxid: i64, path: &str| {
            let header = TxnHeader { zxid: Zxid(zxid), kind: kind::DELETE, ..TxnHeader::default() };
            let delete = Txn::Delete(DeleteTxn { path: path.to_owned() });
            let proposal = Rc::new(Proposal::new(header, delete, None));
            Found::Txn { offset: zxid as u64, proposal }
        };
        let mut seen = Seen::default();
        let mut is_damage = |found: Found| seen.take(&found).is_some();
        assert!(!is_damage(record(1, "/a")) && !is_damage(record(2, "/b")));
        assert!(!is_damage(record(1, "/a")) && !is_damage(record(2, "/b")), "they are repeated");
        assert!(is_damage(record(2, "/other")));
        assert!(!is_damage(record(3, "/c")));
        assert!(is_damage(record(5, "/d")), "4 is missing");
        assert_eq!((seen.good_txns, seen.good_last), (4, Some(Zxid(2))));
    }
}
