//! `quorate history`: who did what to a node, from the oldest transaction that is left.
//!
//! A transaction says session, time and operation. Who a session was, an address or a user, stands in no
//! file: the audit log of the server says that.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::args::HistoryArgs;
use super::bar::Bar;
use super::error::ToolError;
use super::files::{self, layout_of};
use super::log_walk::{Found, LogWalk, Seen};
use super::numbers::show_time;
use super::output::{Output, complain};
use super::snapshot_walk::walk_snapshot;
use super::txn_json::hex;
use super::txn_text::op_of;
use super::txnlog::records_follow;
use super::verdict::{Disk, Verdict};
use crate::base::paths::ROOT;
use crate::base::{SessionId, Zxid};
use crate::jute::txn::{Proposal, Txn};
use crate::storage::{LogName, SnapshotName};
use crate::tree::Owner;

/// One thing that was done to the node.
#[derive(PartialEq, Eq, Debug)]
struct Deed {
    op: String,
    what: String,
}

/// What is known of the node on the way.
struct Node<'a> {
    path: &'a str,
    /// `None`: nothing has told.
    exists: Option<bool>,
    owner: Option<SessionId>,
}

impl Node<'_> {
    /// What this transaction did to the node.
    fn take(&mut self, proposal: &Proposal) -> Vec<Deed> {
        let (kind, session) = (proposal.header.kind, proposal.header.client_id);
        let mut deeds = Vec::new();
        match &proposal.txn {
            // One part that failed undoes all.
            Txn::Multi(parts) if parts.iter().any(|(_, part)| part.is_error()) => {}
            Txn::Multi(parts) => {
                for (kind, part) in parts {
                    let deed = self.take_part(*kind, part, session);
                    deeds.extend(
                        deed.map(|Deed { op, what }| Deed { op: format!("multi {op}"), what }),
                    );
                }
            }
            txn => deeds.extend(self.take_part(kind, txn, session)),
        }
        deeds
    }

    fn take_part(&mut self, kind: i32, txn: &Txn, session: SessionId) -> Option<Deed> {
        let is_own = |path: &str| path == self.path;
        let size = |data: &Option<bytes::Bytes>| data.as_ref().map_or(0, |data| data.len());
        let what = match txn {
            Txn::Create(create) if is_own(&create.path) => {
                self.owner = create.ephemeral.then_some(session);
                self.exists = Some(true);
                let kind = if create.ephemeral { "ephemeral, " } else { "" };
                format!("{kind}{} bytes", size(&create.data))
            }
            Txn::CreateTtl(create) if is_own(&create.path) => {
                (self.owner, self.exists) = (None, Some(true));
                format!("{} bytes, {} ms to live", size(&create.data), create.ttl)
            }
            Txn::CreateContainer(create) if is_own(&create.path) => {
                (self.owner, self.exists) = (None, Some(true));
                format!("{} bytes", size(&create.data))
            }
            Txn::Delete(delete) if is_own(&delete.path) => {
                (self.owner, self.exists) = (None, Some(false));
                String::new()
            }
            Txn::SetData(set) if is_own(&set.path) => {
                self.exists = Some(true);
                format!("{} bytes, version {}", size(&set.data), set.version)
            }
            Txn::SetAcl(set) if is_own(&set.path) => {
                self.exists = Some(true);
                let entries = set.acl.iter().flatten();
                let entries: Vec<String> = entries
                    .map(|acl| format!("{}:{}:{}", acl.id.scheme, acl.id.id, acl.perms))
                    .collect();
                format!("ACL version {}: {}", set.version, entries.join(" "))
            }
            Txn::CheckVersion(check) if is_own(&check.path) => format!("version {}", check.version),
            Txn::CloseSession(closed) => {
                let named =
                    closed.as_ref().is_some_and(|c| c.paths_to_delete.iter().any(|p| is_own(p)));
                if !named && self.owner != Some(session) {
                    return None;
                }
                (self.owner, self.exists) = (None, Some(false));
                "the ephemeral goes with its session".to_owned()
            }
            _ => return None,
        };
        Some(Deed { op: op_of(kind), what })
    }
}

pub(super) async fn run(args: &HistoryArgs, disk: &Disk, output: &mut Output) -> Verdict {
    let path = if args.path == ROOT { "" } else { args.path.as_str() };
    if !path.is_empty() && !path.starts_with('/') {
        return Err(ToolError::Invalid(format!("{path:?} is no path of a node: it begins with /")));
    }
    let snap_dir = directory(disk, &args.dir).await?;
    let log_dir = match &args.log_dir {
        Some(dir) => directory(disk, dir).await?,
        None => snap_dir.clone(),
    };
    let layout = layout_of(&snap_dir, &log_dir);
    let logs = layout.logs(disk).await?;
    let snapshots = layout.snapshots(disk).await?;
    if logs.is_empty() && snapshots.is_empty() {
        let why = format!("there is neither a log nor a snapshot in {}", snap_dir.display());
        return Err(ToolError::Invalid(why));
    }
    let mut node = Node { path: &args.path, exists: None, owner: None };
    let mut teller = Teller { json: args.json, path: &args.path, output };
    let base = snapshots.last();
    let is_sound =
        tell_beginning(disk, &snap_dir, base, &logs, path, &mut node, &mut teller).await?;
    let is_sound = is_sound & tell_logs(disk, &layout, &logs, &mut node, &mut teller).await?;
    teller.end(&node)?;
    Ok(is_sound)
}

async fn directory(disk: &Disk, path: &Path) -> Result<std::path::PathBuf, ToolError> {
    let dir = files::directory(disk, path).await?;
    dir.ok_or_else(|| ToolError::Invalid(format!("{} is no directory", path.display())))
}

/// What stands in the oldest snapshot, and from where on the logs tell.
async fn tell_beginning(
    disk: &Disk,
    snap_dir: &Path,
    oldest: Option<&SnapshotName>,
    logs: &[LogName],
    path: &str,
    node: &mut Node<'_>,
    teller: &mut Teller<'_>,
) -> Verdict {
    let first = logs.first().map(|log| log.first);
    let Some(oldest) = oldest else {
        teller.note("there is no snapshot: what was before the oldest log is not known")?;
        return Ok(true);
    };
    let file = snap_dir.join(&oldest.name);
    let mut state = None;
    let hidden = Output::nowhere();
    let walked = walk_snapshot(disk, &file, &hidden, |found| {
        if found.path == path {
            state = Some((found.stat.clone(), found.data.map_or(0, <[u8]>::len)));
        }
        Ok(())
    })
    .await?;
    for damage in &walked.damages {
        let (file, offset, why) = (file.display(), damage.offset, &damage.why);
        complain(&format!("{file} is damaged at offset {offset}: {why}"));
    }
    if first.is_none_or(|first| first > Zxid(1)) {
        let first = first.map_or("none".to_owned(), |first| first.to_string());
        teller.note(&format!(
            "the oldest log begins with {first}: what was done before is not told, but how it stood in {}",
            oldest.name
        ))?;
    }
    let is_whole = walked.damages.is_empty();
    node.exists = Some(state.is_some()).filter(|exists| is_whole || *exists);
    let told = match &state {
        None if !is_whole => format!("{} is damaged: what it held is not known", oldest.name),
        None => format!("not in {}", oldest.name),
        Some((stat, bytes)) => {
            if let Owner::Session(session) = Owner::of(stat.ephemeral_owner) {
                node.owner = Some(session);
            }
            let owner =
                node.owner.map_or(String::new(), |owner| format!(", owner 0x{:x}", owner.0));
            format!(
                "in {}: created {} by {}, changed {} by {}, version {}, {bytes} bytes{owner}",
                oldest.name,
                show_time(stat.ctime),
                stat.czxid,
                show_time(stat.mtime),
                stat.mzxid,
                stat.version
            )
        }
    };
    teller.note(&told)?;
    Ok(is_whole)
}

async fn tell_logs(
    disk: &Disk,
    layout: &crate::storage::Layout,
    logs: &[LogName],
    node: &mut Node<'_>,
    teller: &mut Teller<'_>,
) -> Verdict {
    let mut seen = Seen::default();
    let mut is_sound = true;
    for name in logs {
        let path = layout.log(name.first);
        let mut log = LogWalk::open(disk, &path).await?;
        let bar = Bar::of(log.file_bytes(), &path, teller.output);
        match records_follow(&mut log).await? {
            Ok(true) => {}
            Ok(false) => continue,
            Err(damage) => {
                complain(&format!("{}: {}", path.display(), damage.why));
                is_sound = false;
                continue;
            }
        }
        let before = seen.last;
        seen = seen.next_log();
        if let Some(before) = before.filter(|before| !before.is_followed_by(name.first))
            && name.first > before
        {
            let first = name.first;
            teller.note(&format!("between {before} and {first} the logs tell nothing"))?;
        }
        loop {
            let found = log.next().await?;
            bar.at(log.at());
            if let Some(damage) = seen.take(&found) {
                is_sound = false;
                teller.output.flush()?;
                let (file, offset) = (path.display(), damage.offset);
                complain(&format!("{file} is damaged at offset {offset}: {}", damage.why));
            }
            match found {
                Found::Txn { proposal, .. } => {
                    for deed in node.take(&proposal) {
                        teller.deed(&proposal, &deed)?;
                    }
                }
                Found::End { .. } => break,
                _ => {}
            }
        }
    }
    Ok(is_sound)
}

struct Teller<'a> {
    json: bool,
    path: &'a str,
    output: &'a mut Output,
}

impl Teller<'_> {
    fn note(&mut self, text: &str) -> Result<(), ToolError> {
        match self.json {
            true => writeln!(self.output, "{}", json!({ "path": self.path, "note": text }))?,
            false => writeln!(self.output, "# {text}")?,
        }
        Ok(())
    }

    fn deed(&mut self, proposal: &Proposal, Deed { op, what }: &Deed) -> Result<(), ToolError> {
        let header = &proposal.header;
        let (time, zxid, session) = (header.time, header.zxid, header.client_id.0);
        if self.json {
            let line = json!({
                "path": self.path, "time": time, "zxid": hex(zxid.0), "session": hex(session),
                "op": op, "what": what,
            });
            return Ok(writeln!(self.output, "{line}")?);
        }
        let time = show_time(time);
        let line = format!("{time} zxid {zxid} session 0x{session:x} {op} {what}");
        Ok(writeln!(self.output, "{}", line.trim_end())?)
    }

    fn end(&mut self, node: &Node<'_>) -> Result<(), ToolError> {
        match node.exists {
            Some(true) => self.note("it exists at the end"),
            Some(false) => self.note("it does not exist at the end"),
            None => Ok(()),
        }
    }
}
