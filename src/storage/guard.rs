//! `quorate.guard`: who this data directory belongs to, and what must be found in it.
//!
//!     quorate-guard 2
//!     ensemble 00c0ffee00c0ffee        16 hex digits, or "-": not known
//!     instance 0123456789abcdef        drawn once for this directory
//!     number 17                        how often this file was written
//!     unfinished snapshot.100000005    its synchronisation has not come to its end; or "-"
//!     behind 100000005                 the logs lead on from this transaction, which a snapshot
//!                                      or an older log holds; 0: nothing is claimed
//!     bound log.100000006 4242 10000002a   all before this offset of this log is durable, and ends
//!     bound log.10000002b 0 0              with this transaction; a line a log, oldest first
//!     crc32 89abcdef
//!
//! Apache ignores the file. It decides what a bad record means: a crash may tear the one write that
//! was not synced, and with group commit good records may stand behind a torn one. Above the
//! bound of its log a bad record is such a tear and is cut; below it the disk has lost data. And it
//! decides what a history lacks: a start that does not pass through every transaction named here
//! has lost a log, or a snapshot behind which the logs begin.
//!
//! - ST-3 it never claims more than is durable: it is raised after a sync, lowered before a truncation.
//! - An unfinished snapshot is named before it exists, and until an epoch is durable that has it in its
//!   history. It counts while it is the newest valid one.
//! - It names a new log before that log exists. So a log newer than the guard was written by
//!   another server program, which knows no guard: then the bounds say nothing.
//!
//! Written anew for each log. What is acknowledged meanwhile stands in the floor file (`floor.rs`),
//! which follows one version of this file. Format 1 had no number, and one bound without its
//! transaction.
//!
//! Not here: what a start makes of it (`claims.rs`).

use bytes::Bytes;

use super::error::StorageError;
use super::layout::{
    GUARD_FILE, Layout, log_name, parse_hex, parse_log_name, parse_snapshot_name, read_file,
    replace_file, snapshot_name,
};
use crate::base::Zxid;
use crate::runtime::Lane;

const FIRST_LINE: &str = "quorate-guard 2";
const FIRST_LINE_OF_1: &str = "quorate-guard 1";
/// Logs named at once; what older ones held is not checked log by log any more.
const LOGS_NAMED_MAX: usize = 64;

/// The guard file's content.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Guard {
    /// Which ensemble this data belongs to.
    pub ensemble: Option<u64>,
    /// Which data directory this is: two with one `myid` differ.
    pub instance: Option<u64>,
    /// How often the file was written.
    pub number: u64,
    /// A leader's snapshot behind which this server has acknowledged no NEWLEADER yet.
    pub unfinished: Option<Zxid>,
    /// The transaction from which the logs lead on. Zero: nothing is claimed.
    pub behind: Zxid,
    /// Oldest first; the last may be in use.
    pub bounds: Vec<DurableBound>,
}

/// All before `offset` of the log that begins with `log` is durable, and ends with `last`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DurableBound {
    pub log: Zxid,
    pub offset: u64,
    /// Zero: not known.
    pub last: Zxid,
}

impl Guard {
    /// Transactions through which the history must pass.
    pub(super) fn known(&self) -> impl Iterator<Item = Zxid> {
        std::iter::once(self.behind).chain(self.bounds.iter().map(|bound| bound.last))
    }

    /// The last transaction that is known to be durable.
    pub(super) fn floor(&self) -> Zxid {
        self.known().max().unwrap_or(Zxid::ZERO)
    }

    /// A log is about to be created.
    pub(super) fn name_log(&mut self, log: Zxid) {
        // One that was named and never written to is gone, or is this one.
        self.bounds.retain(|bound| bound.offset > 0);
        self.bounds.push(DurableBound { log, offset: 0, last: Zxid::ZERO });
        let surplus = self.bounds.len().saturating_sub(LOGS_NAMED_MAX);
        for bound in self.bounds.drain(..surplus) {
            self.behind = self.behind.max(bound.last);
        }
    }

    /// The logs begin anew behind a snapshot.
    pub(super) fn begin_behind(&mut self, zxid: Zxid) {
        self.behind = zxid;
        self.bounds.clear();
    }

    /// What stays true if nothing behind `to` is left. `cut`: the log that keeps a part, and which.
    pub(super) fn lower(&mut self, to: Zxid, cut: Option<DurableBound>) {
        self.behind = self.behind.min(to);
        self.bounds.retain(|bound| cut.is_some_and(|cut| bound.log <= cut.log));
        if let (Some(cut), Some(last)) = (cut, self.bounds.last_mut())
            && last.log == cut.log
            && last.offset > cut.offset
        {
            *last = cut;
        }
    }

    pub fn encode(&self) -> String {
        let mut body = format!(
            "{FIRST_LINE}\nensemble {}\ninstance {}\nnumber {}\nunfinished {}\nbehind {:x}\n",
            encode_id(self.ensemble),
            encode_id(self.instance),
            self.number,
            self.unfinished.map_or("-".to_string(), snapshot_name),
            self.behind.0
        );
        for bound in &self.bounds {
            body += &format!("bound {bound}\n");
        }
        sealed(&body)
    }

    /// `None` if it is not what `encode` writes, or what it wrote in format 1.
    pub fn decode(text: &[u8]) -> Option<Guard> {
        let body = unsealed(text)?;
        let mut lines = body.lines();
        let format = lines.next()?;
        let mut guard = Guard {
            ensemble: decode_id(lines.next()?.strip_prefix("ensemble ")?)?,
            instance: decode_id(lines.next()?.strip_prefix("instance ")?)?,
            ..Guard::default()
        };
        match format {
            FIRST_LINE => {
                guard.number = lines.next()?.strip_prefix("number ")?.parse().ok()?;
                guard.unfinished = match lines.next()?.strip_prefix("unfinished ")? {
                    "-" => None,
                    name => Some(parse_snapshot_name(name)?.zxid),
                };
                guard.behind = parse_hex(lines.next()?.strip_prefix("behind ")?)?;
            }
            FIRST_LINE_OF_1 => lines = without_no_bound(lines),
            _ => return None,
        }
        for line in lines {
            guard.bounds.push(DurableBound::decode(line.strip_prefix("bound ")?)?);
        }
        Some(guard)
    }
}

/// Format 1 says "bound -" where this one has no line.
fn without_no_bound(lines: std::str::Lines<'_>) -> std::str::Lines<'_> {
    let mut rest = lines.clone();
    if rest.next() == Some("bound -") { rest } else { lines }
}

impl std::fmt::Display for DurableBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:x}", log_name(self.log), self.offset, self.last.0)
    }
}

impl DurableBound {
    pub(super) fn decode(text: &str) -> Option<DurableBound> {
        let mut words = text.split(' ');
        let log = parse_log_name(words.next()?)?;
        let offset = words.next()?.parse().ok()?;
        let last = words.next().map_or(Some(Zxid::ZERO), parse_hex)?;
        words.next().is_none().then_some(DurableBound { log, offset, last })
    }
}

pub(super) fn encode_id(id: Option<u64>) -> String {
    id.map_or("-".to_string(), |id| format!("{id:016x}"))
}

pub(super) fn decode_id(text: &str) -> Option<Option<u64>> {
    if text == "-" { Some(None) } else { u64::from_str_radix(text, 16).ok().map(Some) }
}

/// Lines, and a last one that vouches for them.
pub(super) fn sealed(body: &str) -> String {
    format!("{body}crc32 {:08x}\n", crc32fast::hash(body.as_bytes()))
}

/// The lines, if their seal is whole.
pub(super) fn unsealed(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let (body, crc) = text.split_at_checked(text.rfind("crc32 ")?)?;
    let crc = u32::from_str_radix(crc.strip_prefix("crc32 ")?.trim_end(), 16).ok()?;
    (crc == crc32fast::hash(body.as_bytes())).then_some(body)
}

/// What lies on the disk.
#[derive(Debug)]
pub(super) enum GuardOnDisk {
    Missing,
    /// Of a later version, or damaged. Then the rules without a guard hold: they refuse more.
    Unreadable,
    Guard(Guard),
}

pub(super) async fn read_guard<L: Lane>(
    lane: &L,
    layout: &Layout,
) -> Result<GuardOnDisk, StorageError> {
    Ok(match read_file(lane, &layout.log_dir.join(GUARD_FILE)).await? {
        None => GuardOnDisk::Missing,
        Some(text) => Guard::decode(&text).map_or(GuardOnDisk::Unreadable, GuardOnDisk::Guard),
    })
}

/// Replaces the file. What the floor file says of the one before counts no more.
pub(super) async fn write_guard<L: Lane>(
    lane: &L,
    layout: &Layout,
    guard: &mut Guard,
) -> Result<(), StorageError> {
    guard.number += 1;
    replace_file(lane, &layout.log_dir, GUARD_FILE, Bytes::from(guard.encode())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(log: i64, offset: u64, last: i64) -> DurableBound {
        DurableBound { log: Zxid(log), offset, last: Zxid(last) }
    }

    fn guard() -> Guard {
        let bounds = vec![bound(0x1_0000_0001, 4096, 0x1_0000_0009), bound(0x1_0000_000a, 0, 0)];
        let (instance, unfinished, behind) = (Some(0xfeed), Some(Zxid(5)), Zxid(5));
        Guard { ensemble: None, instance, number: 7, unfinished, behind, bounds }
    }

    #[test]
    fn a_guard_is_read_back_and_any_changed_byte_makes_it_unreadable() {
        let text = guard().encode();
        assert!(text.contains("bound log.100000001 4096 100000009\n"), "{text}");
        assert!(text.contains("unfinished snapshot.5\n"), "{text}");
        assert_eq!(Guard::decode(text.as_bytes()), Some(guard()));
        assert_eq!(Guard::decode(Guard::default().encode().as_bytes()), Some(Guard::default()));
        for at in 0..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(Guard::decode(&changed), None, "byte {at}");
            assert_eq!(Guard::decode(&text.as_bytes()[..at]).filter(|g| *g != guard()), None);
        }
    }

    #[test]
    fn a_guard_of_format_1_is_read() {
        let of_1 = |bound| {
            let lines =
                format!("quorate-guard 1\nensemble -\ninstance 000000000000feed\n{bound}\n");
            Guard::decode(sealed(&lines).as_bytes()).expect("it was written so")
        };
        let instance = Some(0xfeed);
        let bounds = vec![bound(1, 4096, 0)];
        assert_eq!(of_1("bound log.1 4096"), Guard { instance, bounds, ..Guard::default() });
        assert_eq!(of_1("bound -"), Guard { instance, ..Guard::default() });
    }

    #[test]
    fn what_is_named_no_more_is_claimed_as_a_whole() {
        let mut guard = Guard::default();
        for log in 1..=100 {
            guard.name_log(Zxid(log));
            let named = guard.bounds.last_mut().expect("it was named");
            *named = bound(log, 100, log);
        }
        assert_eq!(guard.bounds.len(), LOGS_NAMED_MAX);
        assert_eq!((guard.bounds[0].log, guard.behind), (Zxid(37), Zxid(36)));
        guard.name_log(Zxid(101));
        guard.name_log(Zxid(102));
        assert_eq!(guard.bounds.iter().filter(|bound| bound.offset == 0).count(), 1);
    }

    #[test]
    fn a_lowered_guard_claims_nothing_behind_the_cut() {
        let mut lowered = guard();
        lowered.lower(Zxid(0x1_0000_0003), Some(bound(0x1_0000_0001, 100, 0x1_0000_0003)));
        assert_eq!(lowered.bounds, [bound(0x1_0000_0001, 100, 0x1_0000_0003)]);
        assert_eq!(lowered.behind, Zxid(5));
        lowered.lower(Zxid(3), None);
        assert_eq!((lowered.behind, lowered.floor(), lowered.bounds), (Zxid(3), Zxid(3), vec![]));
    }
}
