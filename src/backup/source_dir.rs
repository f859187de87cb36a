//! What is taken of a data directory, be its server running or not.
//!
//!     snapshots  the newest valid ones, and what each may hold
//!     committed  how far the log is known to be, asked before the log is read
//!     log        every whole record behind the oldest of these snapshots
//!
//! What the server removes or replaces meanwhile makes the copy begin anew, with what was sent already.
//!
//! How far the log is committed is asked before it is read: what the server has applied then is in its log
//! for good, and what its log has up to there is nothing else. Without an answer the log itself says a
//! little: where an epoch begins, all before it is committed, since its leader had a quorum for it.
//!
//! Not here: what a hole in the log means (history.rs).

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::admin_port::AdminPort;
use super::checksum::Sum;
use super::cuts::{Cutter, Sizes};
use super::error::{BackupError, While};
use super::history::{History, Taken};
use super::manifest::{Committed, Content, KnownBy, Part, SnapshotFile, Source};
use super::records::{End, LogFile};
use super::sender::Sender;
use crate::base::Zxid;
use crate::storage::snapshot_format::{Compression, SealCheck, unpack_into};
use crate::storage::{EpochKind, GUARD_FILE, Guard, SnapshotName, VERSION_2, log_name};
use crate::storage::{parse_log_name, parse_snapshot_name};

/// How often the copy begins anew.
const TRIES: usize = 5;
/// How often the end of the newest log is looked at again, and how long after the time before.
const LOOKS: usize = 50;
/// One that is being written is whole a moment later.
const LOOKS_AT_FAULT: usize = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const PIECE_BYTES: usize = 1 << 20;

pub(super) struct DataDir {
    data_dir: PathBuf,
    data_log_dir: PathBuf,
    /// How many snapshots are taken at most.
    snapshots_max: usize,
    sizes: Sizes,
    /// Of the server whose directory it is.
    admin: Option<AdminPort>,
}

impl DataDir {
    pub(super) fn open(
        data_dir: &Path,
        data_log_dir: Option<&Path>,
        snapshots_max: usize,
        admin: Option<AdminPort>,
    ) -> Result<DataDir, BackupError> {
        let data_log_dir = data_log_dir.unwrap_or(data_dir);
        for (dir, key) in [(data_dir, "dataDir"), (data_log_dir, "dataLogDir")] {
            if !dir.join(VERSION_2).is_dir() {
                return Err(BackupError::Invalid(format!(
                    "{} has no {VERSION_2}: name the directory that is {key} in zoo.cfg",
                    dir.display()
                )));
            }
        }
        let (data_dir, data_log_dir) = (data_dir.to_path_buf(), data_log_dir.to_path_buf());
        Ok(DataDir { data_dir, data_log_dir, snapshots_max, sizes: Sizes::USUAL, admin })
    }

    #[cfg(test)]
    pub(super) fn with_sizes(self, sizes: Sizes) -> DataDir {
        DataDir { sizes, ..self }
    }

    /// Sends all of it.
    pub(super) fn take(&self, sender: &mut Sender<'_>) -> Result<Content, BackupError> {
        let mut tries = 1;
        loop {
            match self.try_take(sender) {
                Err(BackupError::Moved { .. } | BackupError::Gap { .. }) if tries < TRIES => {
                    tries += 1;
                    thread::sleep(LOOK_AGAIN);
                }
                taken => return taken,
            }
        }
    }

    fn try_take(&self, sender: &mut Sender<'_>) -> Result<Content, BackupError> {
        let mut notes = Vec::new();
        let names = self.snapshots()?;
        let snapshots = self.take_snapshots(&names, sender, &mut notes)?;
        let accepted_epoch = self.accepted_epoch()?;
        let told = self.admin.as_ref().map(AdminPort::last_processed).transpose()?;
        let all: Vec<Zxid> = names.iter().map(|name| name.zxid).collect();
        let taken = self.take_log(snapshots, &all, told, sender, &mut notes)?;
        let is_alone = accepted_epoch.is_none();
        let committed = match told {
            Some(zxid) => Committed { zxid: zxid.min(taken.last), known_by: KnownBy::Server },
            None if is_alone => Committed { zxid: taken.last, known_by: KnownBy::Standalone },
            None => {
                let zxid = taken.before_last_epoch.unwrap_or(Zxid::ZERO);
                Committed { zxid, known_by: KnownBy::Epochs }
            }
        };
        if let Some(told) = told.filter(|told| *told > taken.last && told.counter() != 0) {
            let why = format!(
                "it has applied {told}, but what can be read in {} ends with {}: is it the server of \
                 this directory?",
                self.data_log_dir.display(),
                taken.last
            );
            let server = self.admin.as_ref().map_or(String::new(), AdminPort::to_string);
            return Err(BackupError::Server { server, why });
        }
        let source = Source::DataDir {
            data_dir: self.data_dir.display().to_string(),
            data_log_dir: self.data_log_dir.display().to_string(),
        };
        let Taken { snapshots, chunks: log, .. } = taken;
        Ok(Content { source, committed, accepted_epoch, snapshots, log, notes })
    }

    /// The newest first.
    fn snapshots(&self) -> Result<Vec<SnapshotName>, BackupError> {
        let names = names_in(&self.data_dir.join(VERSION_2))?;
        let mut found: Vec<_> = names.iter().filter_map(|name| parse_snapshot_name(name)).collect();
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// The oldest first.
    fn logs(&self) -> Result<Vec<Zxid>, BackupError> {
        let names = names_in(&self.data_log_dir.join(VERSION_2))?;
        let mut found: Vec<Zxid> = names.iter().filter_map(|name| parse_log_name(name)).collect();
        found.sort();
        Ok(found)
    }

    fn take_snapshots(
        &self,
        names: &[SnapshotName],
        sender: &mut Sender<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<SnapshotFile>, BackupError> {
        let unfinished = self.unfinished()?;
        let mut taken: Vec<SnapshotFile> = Vec::new();
        for name in names.iter().filter(|name| Some(name.zxid) != unfinished) {
            if taken.len() == self.snapshots_max {
                break;
            }
            let path = self.data_dir.join(VERSION_2).join(&name.name);
            match take_snapshot(&path, name, self.sizes, sender)? {
                // One begins when the one before it has ended.
                Some(mut file) => {
                    let newer = taken.last().map(|newer| newer.zxid);
                    if file.effects_end == UNKNOWN {
                        file.effects_end = newer.unwrap_or(UNKNOWN);
                    }
                    taken.push(file);
                }
                None => notes.push(format!("{} is no whole snapshot and is left out", name.name)),
            }
        }
        if taken.is_empty() {
            return Err(BackupError::Refused(format!(
                "{} has no valid snapshot: is it the dataDir of a server that has ever served?",
                self.data_dir.join(VERSION_2).display()
            )));
        }
        Ok(taken)
    }

    /// A leader's snapshot whose synchronisation has not come to its end may lack some of what is
    /// committed.
    fn unfinished(&self) -> Result<Option<Zxid>, BackupError> {
        let path = self.data_log_dir.join(VERSION_2).join(GUARD_FILE);
        let text = read_if_there(&path)?;
        Ok(text.and_then(|text| Guard::decode(&text)).and_then(|guard| guard.unfinished))
    }

    /// `None`: it is a server alone, which has none.
    fn accepted_epoch(&self) -> Result<Option<i64>, BackupError> {
        let path = self.data_dir.join(VERSION_2).join(EpochKind::Accepted.file_name());
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&text).trim().to_string();
        text.parse().map(Some).map_err(|_| BackupError::Damaged {
            place: path.display().to_string(),
            why: format!("{text:?} is no epoch"),
        })
    }

    fn take_log(
        &self,
        mut snapshots: Vec<SnapshotFile>,
        all: &[Zxid],
        told: Option<Zxid>,
        sender: &mut Sender<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Taken, BackupError> {
        let dir = self.data_log_dir.join(VERSION_2);
        // A server may show what its own disk gets a moment later.
        let known = snapshots.iter().map(|file| file.effects_end).filter(|end| *end != UNKNOWN);
        let told = told.filter(|told| told.counter() != 0);
        let wanted = known.chain(told).max().unwrap_or(Zxid::ZERO);
        let oldest = snapshots.last().map_or(Zxid::ZERO, |file| file.zxid);
        snapshots.sort_by_key(|file| std::cmp::Reverse(file.zxid));
        let mut history = History::new(dir.display().to_string(), snapshots, all, self.sizes);
        let logs = self.logs()?;
        let from = logs.partition_point(|first| *first <= oldest.next()).saturating_sub(1);
        let mut put = |part: &Part, content: Vec<u8>| sender.send(part, content);
        for (n, first) in logs.iter().enumerate().skip(from) {
            let path = dir.join(log_name(*first));
            let Some(mut log) = LogFile::open(&path)? else { continue };
            let is_newest = n + 1 == logs.len();
            let mut end = log.each(|record| history.take(record, &mut put))?;
            let mut looks = 0;
            while is_newest
                && (looks < LOOKS && history.last() < wanted
                    || looks < LOOKS_AT_FAULT && end.fault.is_some())
            {
                looks += 1;
                thread::sleep(LOOK_AGAIN);
                end = log.each(|record| history.take(record, &mut put))?;
                // The next one may have begun.
                if self.logs()?.last() > Some(first) {
                    return Err(BackupError::Moved { place: path.display().to_string() });
                }
            }
            judge_end(&path, &end, is_newest, notes)?;
        }
        let mut taken = history.finish(&mut put)?;
        settle_effects(&mut taken, notes)?;
        Ok(taken)
    }
}

/// Of a snapshot that does not say where its effects end.
const UNKNOWN: Zxid = Zxid::MAX;

/// What a snapshot may hold must be in the log as well: else no state can be made of it.
fn settle_effects(taken: &mut Taken, notes: &mut Vec<String>) -> Result<(), BackupError> {
    let last = taken.last;
    for file in taken.snapshots.iter_mut().filter(|file| file.effects_end == UNKNOWN) {
        file.effects_end = last;
    }
    let (whole, ahead): (Vec<_>, Vec<_>) =
        taken.snapshots.drain(..).partition(|file| file.effects_end <= last);
    notes.extend(ahead.iter().map(|file| {
        let (name, end) = (&file.name, file.effects_end);
        format!("{name} is left out: it holds effects up to {end}, and the log ends with {last}")
    }));
    match ahead.into_iter().next() {
        Some(file) if whole.is_empty() => Err(BackupError::Moved { place: file.name }),
        _ => {
            taken.snapshots = whole;
            Ok(())
        }
    }
}

fn judge_end(
    path: &Path,
    end: &End,
    is_newest: bool,
    notes: &mut Vec<String>,
) -> Result<(), BackupError> {
    let Some(fault) = &end.fault else { return Ok(()) };
    let why = format!("at offset {}: {fault}", end.offset);
    let place = path.display().to_string();
    if !is_newest && !fault.is_torn_tail() {
        return Err(BackupError::Damaged { place, why });
    }
    notes.push(format!("{place} ends {why}; what lies behind it is not in this backup"));
    Ok(())
}

/// Sends a snapshot. `None`: it is none that a server would start with.
fn take_snapshot(
    path: &Path,
    name: &SnapshotName,
    sizes: Sizes,
    sender: &mut Sender<'_>,
) -> Result<Option<SnapshotFile>, BackupError> {
    let place = || path.display().to_string();
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(BackupError::Moved { place: place() });
        }
        file => file.when("opening", path)?,
    };
    let mut taking = TakenSnapshot::new(name, sizes);
    if name.compression != Compression::None {
        let mut packed = Vec::new();
        file.read_to_end(&mut packed).when("reading", path)?;
        if unpack_into(&packed, name.compression, &mut taking.check).is_err() {
            return Ok(None);
        }
        taking.add(&packed, sender)?;
        return taking.finish(sender);
    }
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let len = file.read(&mut piece).when("reading", path)?;
        if len == 0 {
            return taking.finish(sender);
        }
        taking.check.feed(&piece[..len]);
        taking.add(&piece[..len], sender)?;
    }
}

/// A snapshot on its way to the store.
pub(super) struct TakenSnapshot<'n> {
    name: &'n SnapshotName,
    /// Of its plain bytes.
    pub(super) check: SealCheck,
    cutter: Cutter,
    sum: Sum,
    bytes: u64,
    parts: Vec<Part>,
}

impl<'n> TakenSnapshot<'n> {
    pub(super) fn new(name: &'n SnapshotName, sizes: Sizes) -> TakenSnapshot<'n> {
        let (check, cutter, sum) = (SealCheck::new(), Cutter::new(sizes), Sum::default());
        TakenSnapshot { name, check, cutter, sum, bytes: 0, parts: Vec::new() }
    }

    /// The next bytes of the file.
    pub(super) fn add(&mut self, bytes: &[u8], sender: &mut Sender<'_>) -> Result<(), BackupError> {
        self.sum.add(bytes);
        self.bytes += bytes.len() as u64;
        let parts = &mut self.parts;
        self.cutter.feed(bytes, |content| send(content, parts, sender))
    }

    /// `None`: it is not whole.
    pub(super) fn finish(
        mut self,
        sender: &mut Sender<'_>,
    ) -> Result<Option<SnapshotFile>, BackupError> {
        let effects_end = self.check.effects_end();
        if !self.check.verdict() {
            return Ok(None);
        }
        if let Some(rest) = self.cutter.finish() {
            send(rest, &mut self.parts, sender)?;
        }
        let zxid = self.name.zxid;
        Ok(Some(SnapshotFile {
            name: self.name.name.clone(),
            zxid,
            effects_end: effects_end.map_or(UNKNOWN, |end| end.max(zxid)),
            bytes: self.bytes,
            sha256: self.sum.hex(),
            parts: self.parts,
        }))
    }
}

fn send(
    content: Vec<u8>,
    parts: &mut Vec<Part>,
    sender: &mut Sender<'_>,
) -> Result<(), BackupError> {
    let part = Part::of(&content);
    sender.send(&part, content)?;
    parts.push(part);
    Ok(())
}

fn names_in(dir: &Path) -> Result<Vec<String>, BackupError> {
    let entries = fs::read_dir(dir).when("listing", dir)?;
    entries
        .map(|entry| Ok(entry.when("listing", dir)?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, BackupError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        content => content.map(Some).when("reading", path),
    }
}
