//! `zkTxnLogToolkit.sh`: Apache's options, its lines on standard output, and its exit codes.
//! (TxnLogToolkit, LogChopper)
//!
//!     ZooKeeper Transactional Log File with dbid 0 txnlog format version 2
//!     11/21/26, 11:25:59 AM UTC session 0x10000793fb60000 cxid 0x0 zxid 0x3a createSession 300000
//!     CRC ERROR - 11/21/26, ...            CRC FIXED - ... with -r -y
//!     EOF reached after 5 txns.
//!     Recovery file log.3a.fixed has been written with 1 fixed CRC error(s)
//!
//! As there, a wrong checksum and a torn tail are no failure. What is damaged, and where, is said on
//! standard error; `quorate txnlog verify` fails for it.

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use super::args::TxnlogScriptArgs;
use super::bar::Bar;
use super::error::ToolError;
use super::log_copy::{LogCopy, Uncut, copy_up_to};
use super::log_walk::{Found, LogWalk, Seen};
use super::output::{Output, complain};
use super::txn_text::{Style, txn_line};
use super::txnlog::records_follow;
use super::verdict::{Disk, Verdict};
use crate::base::Zxid;
use crate::jute::txn::Proposal;
use crate::runtime::Lane;
use crate::storage::log_format::RecordFault;

const HEADER: &str = "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2";

pub(super) async fn run(args: &TxnlogScriptArgs, disk: &Disk, output: &mut Output) -> Verdict {
    let file = &args.file;
    if disk.open(file, crate::runtime::OpenMode::Read).await.is_err() {
        let file = file.display();
        return Err(ToolError::Failed(format!("File doesn't exist or not readable: {file}")));
    }
    let mut log = LogWalk::open(disk, file).await?;
    if !matches!(records_follow(&mut log).await?, Ok(true)) {
        let name = file.file_name().unwrap_or_default().display();
        return Err(ToolError::Invalid(format!("Invalid magic number for {name}")));
    }
    match args.zxid {
        Some(zxid) if args.chop => chop(&mut log, zxid, file, disk, output).await,
        _ => dump(&mut log, args, disk, output).await,
    }
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    PathBuf::from(name)
}

async fn dump(
    log: &mut LogWalk,
    args: &TxnlogScriptArgs,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    let fixed_file = with_ending(&args.file, ".fixed");
    let mut copy = None;
    if args.recover {
        let created = LogCopy::create(disk, &fixed_file).await;
        let refused = |_| {
            let file = fixed_file.display();
            ToolError::Failed(format!("Recovery file {file} already exists or not writable"))
        };
        copy = Some(created.map_err(refused)?);
    }
    writeln!(output, "{HEADER}")?;
    let mut dump = Dump { args, copy, output, fixed: 0 };
    let (mut count, mut seen) = (0_u64, Seen::default());
    let end = loop {
        let found = log.next().await?;
        if let Some(damage) = seen.take(&found) {
            dump.output.flush()?;
            let file = args.file.display();
            complain(&format!("{file} is damaged at offset {}: {}", damage.offset, damage.why));
        }
        match found {
            Found::Txn { proposal, .. } => dump.txn(&proposal).await?,
            Found::Checksum {
                fault: RecordFault::Checksum { stored, .. },
                proposal: Some(proposal),
                ..
            } => dump.broken(stored, &proposal).await?,
            Found::Lost { fault, .. } | Found::End { fault, .. } => break fault,
            Found::Checksum { .. } | Found::Unreadable { .. } => {
                return Err(ToolError::Failed("a transaction cannot be read".to_owned()));
            }
        }
        count += 1;
    };
    match end {
        None | Some(RecordFault::NoLength | RecordFault::EndOfFile) => {
            writeln!(dump.output, "EOF reached after {count} txns.")?;
        }
        Some(RecordFault::NoEndMark) => {
            return Err(ToolError::Failed("Last transaction was partial.".to_owned()));
        }
        Some(fault) => return Err(ToolError::Failed(fault.to_string())),
    }
    if let Some(copy) = dump.copy {
        copy.finish().await?;
        let (file, fixed) = (fixed_file.display(), dump.fixed);
        writeln!(output, "Recovery file {file} has been written with {fixed} fixed CRC error(s)")?;
    }
    Ok(true)
}

struct Dump<'a> {
    args: &'a TxnlogScriptArgs,
    /// With -r: what is recovered.
    copy: Option<LogCopy>,
    output: &'a mut Output,
    fixed: u64,
}

impl Dump<'_> {
    async fn txn(&mut self, proposal: &Proposal) -> Result<(), ToolError> {
        if !self.args.recover || self.args.verbose {
            line(proposal, "", self.output)?;
        }
        match &mut self.copy {
            Some(copy) => copy.append(proposal).await,
            None => Ok(()),
        }
    }

    /// A transaction with a wrong checksum.
    async fn broken(&mut self, stored: i64, proposal: &Proposal) -> Result<(), ToolError> {
        if !self.args.recover {
            line(proposal, "CRC ERROR - ", self.output)?;
            return self.txn(proposal).await;
        }
        let is_fixed = if self.args.yes {
            line(proposal, "CRC FIXED - ", self.output)?;
            true
        } else {
            asks_for_fix(proposal, self.output)?
        };
        self.fixed += u64::from(is_fixed);
        if is_fixed {
            return self.txn(proposal).await;
        }
        if self.args.verbose {
            line(proposal, "", self.output)?;
        }
        match &mut self.copy {
            Some(copy) => copy.append_as(stored, proposal).await,
            None => Ok(()),
        }
    }
}

/// A line that ends by itself gets no second end.
fn line(proposal: &Proposal, before: &str, output: &mut Output) -> Result<(), ToolError> {
    let text = txn_line(proposal, Style::Apache);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(write!(output, "{before}{text}{end}")?)
}

fn asks_for_fix(proposal: &Proposal, output: &mut Output) -> Result<bool, ToolError> {
    line(proposal, "CRC ERROR - ", output)?;
    loop {
        write!(output, "Would you like to fix it (Yes/No/Abort) ? ")?;
        output.flush()?;
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer)?;
        match answer.trim_start().chars().next().map(|c| c.to_ascii_uppercase()) {
            Some('Y') => return Ok(true),
            Some('N') => return Ok(false),
            Some('A') => return Err(ToolError::Failed("Recovery aborted.".to_owned())),
            None if read == 0 => {
                return Err(ToolError::Failed("nobody answers: say -y to fix all".to_owned()));
            }
            _ => {}
        }
    }
}

async fn chop(
    log: &mut LogWalk,
    zxid: Zxid,
    file: &Path,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    let bar = Bar::of(log.file_bytes(), file, output);
    let mut copy =
        LogCopy::create(disk, &with_ending(file, &format!(".chopped{}", zxid.0))).await?;
    writeln!(output, "{HEADER}")?;
    let cut = copy_up_to(zxid, log, &mut copy, &bar).await?;
    for (before, behind) in &cut.gaps {
        let kind = if before.epoch() == behind.epoch() { "intra" } else { "inter" };
        let (before, behind) = (before.0, behind.0);
        writeln!(output, "There is {kind}-epoch gap between {before:x} and {behind:x}")?;
    }
    let Some(uncut) = cut.uncut else {
        copy.finish().await?;
        writeln!(output, "Chopping at {:x} new log has {} records", zxid.0, cut.kept)?;
        return Ok(true);
    };
    copy.discard(disk).await?;
    let failed = format!("Failed to chop {}", file.file_name().unwrap_or_default().display());
    let why = match uncut {
        Uncut::NotThere => {
            writeln!(output, "This log does not contain zxid {:x}", zxid.0)?;
            failed
        }
        Uncut::IsLast | Uncut::EndsBefore => {
            writeln!(output, "EOF reached after {} txns.", cut.kept)?;
            failed
        }
        Uncut::Damaged(damage) => {
            let damage = damage.unwrap_or_default();
            format!("it is damaged at offset {}: {}", damage.offset, damage.why)
        }
    };
    writeln!(output, "Got exception: {why}")?;
    Ok(true)
}
