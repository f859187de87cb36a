//! `quorate.guard`: who this data directory belongs to, and a lower bound of what is durable.
//!
//!     quorate-guard 1
//!     ensemble 00c0ffee00c0ffee      16 hex digits, or "-": not known
//!     instance 0123456789abcdef      drawn once for this directory
//!     bound log.100000001 40960      all before this offset of this log is durable, and all
//!     crc32 89abcdef                 older logs; "bound -": nothing is claimed
//!
//! Apache ignores the file. It decides what a bad record means: a crash may tear the one write
//! that was not synced, and with group commit good records may stand behind a torn one. Above
//! the bound a bad record is such a tear and is cut; below it the disk has lost data.
//!
//! - ST-3 it never claims more than is durable: it is raised after a sync, lowered before a truncation.
//! - It names a new log before that log exists. So a log newer than the guard was written by
//!   another server program, which knows no guard: then the bound says nothing.

use bytes::Bytes;

use super::error::StorageError;
use super::layout::{GUARD_FILE, Layout, log_name, parse_log_name, read_file, replace_file};
use crate::base::Zxid;
use crate::runtime::Lane;

const FIRST_LINE: &str = "quorate-guard 1";

/// The guard file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Guard {
    /// Which ensemble this data belongs to.
    pub ensemble: Option<u64>,
    /// Which data directory this is: two with one `myid` differ.
    pub instance: Option<u64>,
    pub bound: Option<DurableBound>,
}

/// All before `offset` of the log that begins with `log` is durable, and all older logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DurableBound {
    pub log: Zxid,
    pub offset: u64,
}

impl Guard {
    pub fn encode(&self) -> String {
        let id = |id: Option<u64>| id.map_or("-".to_string(), |id| format!("{id:016x}"));
        let bound = match self.bound {
            None => "-".to_string(),
            Some(bound) => format!("{} {}", log_name(bound.log), bound.offset),
        };
        let body = format!(
            "{FIRST_LINE}\nensemble {}\ninstance {}\nbound {bound}\n",
            id(self.ensemble),
            id(self.instance)
        );
        let crc = crc32fast::hash(body.as_bytes());
        format!("{body}crc32 {crc:08x}\n")
    }

    /// `None` if it is not what `encode` writes.
    pub fn decode(text: &[u8]) -> Option<Guard> {
        let text = std::str::from_utf8(text).ok()?;
        let (body, crc) = text.split_at_checked(text.rfind("crc32 ")?)?;
        let crc = u32::from_str_radix(crc.strip_prefix("crc32 ")?.trim_end(), 16).ok()?;
        if crc != crc32fast::hash(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let ensemble = decode_id(lines.next()?.strip_prefix("ensemble ")?)?;
        let instance = decode_id(lines.next()?.strip_prefix("instance ")?)?;
        let bound = match lines.next()?.strip_prefix("bound ")? {
            "-" => None,
            bound => {
                let (log, offset) = bound.split_once(' ')?;
                Some(DurableBound { log: parse_log_name(log)?, offset: offset.parse().ok()? })
            }
        };
        Some(Guard { ensemble, instance, bound })
    }
}

fn decode_id(text: &str) -> Option<Option<u64>> {
    if text == "-" { Some(None) } else { u64::from_str_radix(text, 16).ok().map(Some) }
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

pub(super) async fn write_guard<L: Lane>(
    lane: &L,
    layout: &Layout,
    guard: &Guard,
) -> Result<(), StorageError> {
    replace_file(lane, &layout.log_dir, GUARD_FILE, Bytes::from(guard.encode())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_read_back_and_any_changed_byte_makes_it_unreadable() {
        let guard = Guard {
            ensemble: None,
            instance: Some(0xfeed),
            bound: Some(DurableBound { log: Zxid(0x1_0000_0001), offset: 4096 }),
        };
        let text = guard.encode();
        assert!(text.contains("bound log.100000001 4096\n"), "{text}");
        assert_eq!(Guard::decode(text.as_bytes()), Some(guard));
        assert_eq!(Guard::decode(Guard::default().encode().as_bytes()), Some(Guard::default()));
        for at in 0..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(Guard::decode(&changed), None, "byte {at}");
            assert_eq!(Guard::decode(&text.as_bytes()[..at]).filter(|g| *g != guard), None);
        }
    }
}
