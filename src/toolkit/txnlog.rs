//! `quorate txnlog`: the transactions of logs, whether the logs are whole, and parts of them as new files.
//!
//! Not here: the lines of Apache's tool under its own name (`txnlog_script.rs`).

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{TxnlogArgs, TxnlogVerb};
use super::bar::Bar;
use super::error::ToolError;
use super::files;
use super::filter::Filter;
use super::log_copy::{LogCopy, Uncut, copy_up_to};
use super::log_walk::{Damage, Found, LogWalk, Seen};
use super::output::{Output, complain, counted};
use super::txn_json::{hex, txn_json};
use super::txn_text::{Style, txn_line};
use super::verdict::{Disk, Verdict};
use crate::base::Zxid;
use crate::jute::txn::Proposal;
use crate::storage::Head;

pub(super) async fn run(args: &TxnlogArgs, disk: &Disk, output: &mut Output) -> Verdict {
    match &args.verb {
        None => print(args, disk, output).await,
        Some(TxnlogVerb::Verify { paths, json }) => verify(paths, *json, disk, output).await,
        Some(TxnlogVerb::Recover { file, output: new, fix_checksums }) => {
            recover(file, new, *fix_checksums, disk, output).await
        }
        Some(TxnlogVerb::Chop { file, zxid, output: new }) => {
            chop(file, *zxid, new, disk, output).await
        }
    }
}

fn txns(number: u64) -> String {
    counted(number, "transaction")
}

/// How a log begins: whether records follow, and what is wrong if they do not.
pub(super) async fn records_follow(log: &mut LogWalk) -> Result<Result<bool, Damage>, ToolError> {
    Ok(match log.head().await? {
        Head::Good => Ok(true),
        Head::Unwritten => Ok(false),
        Head::Foreign(what) => {
            let why = format!("it does not begin as a transaction log does ({what})");
            Err(Damage { offset: 0, why })
        }
    })
}

async fn print(args: &TxnlogArgs, disk: &Disk, output: &mut Output) -> Verdict {
    let mut is_sound = true;
    let mut seen = Seen::default();
    for path in files::logs(disk, &args.paths).await? {
        let mut log = LogWalk::open(disk, &path).await?;
        let bar = Bar::of(log.file_bytes(), &path, output);
        let mut printer = Printer { path: &path, filter: &args.filter, json: args.json, output };
        seen = seen.next_log();
        match records_follow(&mut log).await? {
            Ok(true) => {}
            Ok(false) => continue,
            Err(damage) => {
                is_sound = false;
                printer.damage(&damage)?;
                continue;
            }
        }
        loop {
            let found = log.next().await?;
            bar.at(log.at());
            if let Some(damage) = seen.take(&found) {
                is_sound = false;
                printer.damage(&damage)?;
            }
            match found {
                Found::Txn { offset, proposal } => printer.txn(offset, &proposal)?,
                Found::End { .. } => break,
                _ => {}
            }
        }
    }
    Ok(is_sound)
}

struct Printer<'a> {
    path: &'a Path,
    filter: &'a Filter,
    json: bool,
    output: &'a mut Output,
}

impl Printer<'_> {
    fn txn(&mut self, offset: u64, proposal: &Proposal) -> Result<(), ToolError> {
        if !self.filter.wants(proposal) {
            return Ok(());
        }
        if !self.json {
            return Ok(writeln!(self.output, "{}", txn_line(proposal, Style::Line))?);
        }
        let mut line = txn_json(proposal);
        line["file"] = self.path.display().to_string().into();
        line["offset"] = offset.into();
        Ok(writeln!(self.output, "{line}")?)
    }

    fn damage(&mut self, damage: &Damage) -> Result<(), ToolError> {
        let (file, Damage { offset, why }) = (self.path.display().to_string(), damage);
        if self.json {
            let line = json!({ "file": file, "offset": offset, "damage": why });
            return Ok(writeln!(self.output, "{line}")?);
        }
        // In order with what is printed, should both go to one place.
        self.output.flush()?;
        complain(&format!("{file} is damaged at offset {offset}: {why}"));
        Ok(())
    }
}

/// Walks to the end of a log, and takes each transaction along for `each`.
async fn walk(log: &mut LogWalk, seen: &mut Seen, bar: &Bar) -> Result<(), ToolError> {
    loop {
        let found = log.next().await?;
        bar.at(log.at());
        seen.take(&found);
        if matches!(found, Found::End { .. }) {
            return Ok(());
        }
    }
}

async fn verify(paths: &[PathBuf], json: bool, disk: &Disk, output: &mut Output) -> Verdict {
    let mut is_sound = true;
    let mut seen = Seen::default();
    for path in files::logs(disk, paths).await? {
        let mut log = LogWalk::open(disk, &path).await?;
        let bar = Bar::of(log.file_bytes(), &path, output);
        let before = seen.last;
        seen = seen.next_log();
        let has_head = match records_follow(&mut log).await? {
            Ok(records) => {
                if records {
                    walk(&mut log, &mut seen, &bar).await?;
                }
                records
            }
            Err(damage) => {
                seen.damages.push(damage);
                true
            }
        };
        drop(bar);
        let verdict =
            LogVerdict { path: &path, len: log.file_bytes(), before, has_head, seen: &seen };
        is_sound &= seen.damages.is_empty();
        match json {
            true => writeln!(output, "{}", verdict.as_json())?,
            false => verdict.write(output)?,
        }
    }
    Ok(is_sound)
}

struct LogVerdict<'a> {
    path: &'a Path,
    len: u64,
    /// The last transaction of the log before.
    before: Option<Zxid>,
    has_head: bool,
    seen: &'a Seen,
}

impl LogVerdict<'_> {
    /// It begins elsewhere than the one before ends.
    fn gap(&self) -> Option<(Zxid, Zxid)> {
        let (before, first) = (self.before?, self.seen.first?);
        (!before.is_followed_by(first) && before < first).then_some((before, first))
    }

    fn as_json(&self) -> Value {
        let seen = self.seen;
        let zxid = |zxid: Option<Zxid>| zxid.map_or(Value::Null, |zxid| hex(zxid.0));
        let damage = |damage: &Damage| json!({ "offset": damage.offset, "why": damage.why });
        json!({
            "file": self.path.display().to_string(),
            "sound": seen.damages.is_empty(),
            "txns": seen.txns, "first": zxid(seen.first), "last": zxid(seen.last.filter(|_| seen.txns > 0)),
            "goodTxns": seen.good_txns, "goodLast": zxid(seen.good_last),
            "bytes": self.len, "recordsEnd": seen.end,
            "behind": zxid(self.gap().map(|(before, _)| before)),
            "damages": seen.damages.iter().map(damage).collect::<Vec<_>>(),
        })
    }

    fn write(&self, output: &mut Output) -> Result<(), ToolError> {
        let (file, seen) = (self.path.display(), self.seen);
        if let Some((before, first)) = self.gap() {
            writeln!(
                output,
                "{file}: note: it begins with {first}, the log before it ends with {before}: a snapshot \
                 must hold what lies between"
            )?;
        }
        let Some(_) = seen.damages.first() else {
            match (self.has_head, seen.first, seen.last) {
                (false, ..) => writeln!(output, "{file}: sound: nothing was ever written to it")?,
                (true, Some(first), Some(last)) => writeln!(
                    output,
                    "{file}: sound: {}, {first} to {last}; records end at offset {} of {}",
                    txns(seen.txns),
                    seen.end,
                    self.len
                )?,
                _ => writeln!(output, "{file}: sound: no transaction")?,
            }
            return Ok(());
        };
        for Damage { offset, why } in &seen.damages {
            writeln!(output, "{file}: damaged at offset {offset}: {why}")?;
        }
        let behind = seen.txns - seen.good_txns;
        match seen.good_last {
            None => writeln!(output, "{file}: nothing stands in front of the damage")?,
            Some(last) => writeln!(
                output,
                "{file}: good up to {last}: {}; behind the damage: {behind} more; \
                 quorate txnlog recover {file} --output NEW writes the good ones into a new file",
                txns(seen.good_txns)
            )?,
        }
        Ok(())
    }
}

/// A log that is to be copied from: it begins as one.
async fn source(disk: &Disk, file: &Path) -> Result<LogWalk, ToolError> {
    if files::directory(disk, file).await?.is_some() {
        let file = file.display();
        return Err(ToolError::Invalid(format!("{file} is a directory: name one log in it")));
    }
    let mut log = LogWalk::open(disk, file).await?;
    let file = file.display();
    match records_follow(&mut log).await? {
        Ok(true) => Ok(log),
        Ok(false) => Err(ToolError::Failed(format!("{file}: nothing was ever written to it"))),
        Err(Damage { why, .. }) => Err(ToolError::Failed(format!("{file}: {why}"))),
    }
}

async fn recover(
    file: &Path,
    new: &Path,
    fix_checksums: bool,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    let mut log = source(disk, file).await?;
    let bar = Bar::of(log.file_bytes(), file, output);
    let mut copy = LogCopy::create(disk, new).await?;
    let mut seen = Seen::default();
    let (mut kept, mut last, mut fixed, mut is_whole) = (0_u64, None, 0_u64, true);
    loop {
        let mut found = log.next().await?;
        bar.at(log.at());
        if fix_checksums && let Found::Checksum { offset, proposal: Some(proposal), .. } = found {
            fixed += u64::from(is_whole);
            found = Found::Txn { offset, proposal };
        }
        is_whole &= seen.take(&found).is_none();
        match found {
            Found::Txn { proposal, .. } if is_whole => {
                copy.append(&proposal).await?;
                (kept, last) = (kept + 1, Some(proposal.zxid()));
            }
            Found::End { .. } => break,
            _ => {}
        }
    }
    drop(bar);
    copy.finish().await?;
    let (file, new) = (file.display(), new.display());
    for Damage { offset, why } in &seen.damages {
        writeln!(output, "{file}: damaged at offset {offset}: {why}")?;
    }
    let last = last.map_or("none".to_owned(), |last: Zxid| last.to_string());
    writeln!(
        output,
        "{new}: {}, the last one {last}; {} fixed",
        txns(kept),
        counted(fixed, "checksum")
    )?;
    let left = seen.txns - kept;
    if left > 0 {
        writeln!(
            output,
            "{file}: {} behind the damage left out: a history with a hole is none",
            txns(left)
        )?;
    }
    Ok(true)
}

async fn chop(file: &Path, zxid: Zxid, new: &Path, disk: &Disk, output: &mut Output) -> Verdict {
    let mut log = source(disk, file).await?;
    let bar = Bar::of(log.file_bytes(), file, output);
    let mut copy = LogCopy::create(disk, new).await?;
    let cut = copy_up_to(zxid, &mut log, &mut copy, &bar).await?;
    drop(bar);
    if let Some(uncut) = cut.uncut {
        copy.discard(disk).await?;
        let why = match uncut {
            Uncut::NotThere => format!("{zxid} is not in it"),
            Uncut::IsLast => format!("{zxid} is its last transaction: nothing is to be cut"),
            Uncut::EndsBefore => format!("it ends before {zxid}"),
            Uncut::Damaged(damage) => {
                let Damage { offset, why } = damage.unwrap_or_default();
                format!("it is damaged at offset {offset}: {why}. Recover it first")
            }
        };
        return Err(ToolError::Failed(format!("{}: {why}", file.display())));
    }
    copy.finish().await?;
    writeln!(output, "{}: {}, the last one {zxid}", new.display(), txns(cut.kept))?;
    Ok(true)
}
