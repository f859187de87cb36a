//! `quorate snapshot`: what stands in a snapshot, and whether it is whole.
//!
//! A file is read twice where the number of its nodes is said first: it may be larger than memory.
//! Nodes come in the order of the file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::args::{SnapshotArgs, SnapshotVerb};
use super::error::ToolError;
use super::log_walk::Damage;
use super::output::{Output, complain, counted};
use super::snapshot_walk::{Walked, walk_snapshot};
use super::subtrees::Subtrees;
use super::txn_json::hex;
use super::verdict::{Disk, Verdict};
use super::{compare, files, statistics};
use crate::base::java_date;
use crate::base::paths::ROOT;
use crate::base::{SessionId, Zxid};
use crate::jute::persist::NodeRef;
use crate::storage::parse_snapshot_name;
use crate::tree::Owner;

pub(super) async fn run(
    args: &SnapshotArgs,
    time_ms: i64,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    match &args.verb {
        None => {
            let shown = if args.data { Shown::Data } else { Shown::Stat };
            let shown = if args.json { Shown::Json { time_ms } } else { shown };
            for file in files::snapshots(disk, &args.file).await? {
                if !print(&file, shown, disk, output).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Some(SnapshotVerb::Verify { paths, json }) => verify(paths, *json, disk, output).await,
        Some(SnapshotVerb::Stats { file, top }) => statistics::run(file, *top, disk, output).await,
        Some(SnapshotVerb::Compare { old, new, logs }) => {
            compare::run(old, new.as_deref(), logs.as_deref(), disk, output).await
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    Stat,
    Data,
    /// Says when it was made.
    Json {
        time_ms: i64,
    },
}

/// The lines of SnapshotFormatter.
pub(super) async fn print(file: &Path, shown: Shown, disk: &Disk, output: &mut Output) -> Verdict {
    let walked = match shown {
        Shown::Json { time_ms } => print_json(file, time_ms, disk, output).await?,
        _ => print_nodes(file, shown, disk, output).await?,
    };
    output.flush()?;
    for Damage { offset, why } in &walked.damages {
        complain(&format!("{} is damaged at offset {offset}: {why}", file.display()));
    }
    Ok(walked.damages.is_empty())
}

async fn print_nodes(
    file: &Path,
    shown: Shown,
    disk: &Disk,
    output: &mut Output,
) -> Result<Walked, ToolError> {
    let mut ephemerals: BTreeMap<SessionId, u64> = BTreeMap::new();
    let count = |node: &NodeRef<'_>| {
        if let Owner::Session(session) = Owner::of(node.stat.ephemeral_owner) {
            *ephemerals.entry(session).or_default() += 1;
        }
        Ok(())
    };
    let walked = walk_snapshot(disk, file, output, count).await?;
    // Apache's tree has its root under two names.
    writeln!(output, "ZNode Details (count={}):", walked.nodes + 1)?;
    let mut lines = Vec::new();
    let hidden = Output::nowhere();
    let write = |node: &NodeRef<'_>| {
        lines.clear();
        write_node(node, shown, &mut lines)?;
        Ok(output.write_all(&lines)?)
    };
    walk_snapshot(disk, file, &hidden, write).await?;
    writeln!(output, "----\nSession Details (sid, timeout, ephemeralCount):")?;
    for (session, timeout_ms) in &walked.sessions {
        let owned = ephemerals.get(session).copied().unwrap_or_default();
        writeln!(output, "{}, {timeout_ms}, {owned}", padded_hex(session.0))?;
    }
    let last = walked.zxid_max.max(walked.zxid.unwrap_or(Zxid::ZERO));
    writeln!(output, "----\nLast zxid: {last}")?;
    Ok(walked)
}

/// `%#016x` of Java.
fn padded_hex(number: i64) -> String {
    format!("0x{number:014x}")
}

fn write_node(node: &NodeRef<'_>, shown: Shown, out: &mut Vec<u8>) -> Result<(), ToolError> {
    let NodeRef { path, data, stat, .. } = node;
    let path = if path.is_empty() { ROOT } else { path };
    writeln!(out, "----\n{path}")?;
    writeln!(out, "  cZxid = {}", padded_hex(stat.czxid.0))?;
    writeln!(out, "  ctime = {}", java_date(stat.ctime))?;
    writeln!(out, "  mZxid = {}", padded_hex(stat.mzxid.0))?;
    writeln!(out, "  mtime = {}", java_date(stat.mtime))?;
    writeln!(out, "  pZxid = {}", padded_hex(stat.pzxid.0))?;
    writeln!(out, "  cversion = {}", stat.cversion)?;
    writeln!(out, "  dataVersion = {}", stat.version)?;
    writeln!(out, "  aclVersion = {}", stat.aversion)?;
    writeln!(out, "  ephemeralOwner = {}", padded_hex(stat.ephemeral_owner))?;
    let data = data.unwrap_or_default();
    match shown {
        Shown::Data => writeln!(out, "  data = {}", STANDARD.encode(data))?,
        _ => writeln!(out, "  dataLength = {}", data.len())?,
    }
    Ok(())
}

/// For ncdu: [its format](https://dev.yorhel.nl/ncdu/jsonfmt), nested as the tree is.
async fn print_json(
    file: &Path,
    time_ms: i64,
    disk: &Disk,
    output: &mut Output,
) -> Result<Walked, ToolError> {
    write!(
        output,
        "[1,0,{{\"progname\":\"SnapshotFormatter.java\",\"progver\":\"0.01\",\"timestamp\":{time_ms}}}"
    )?;
    let mut tree = JsonTree::default();
    let mut piece = Vec::new();
    let hidden = Output::nowhere();
    let walked = walk_snapshot(disk, file, &hidden, |node| {
        piece.clear();
        tree.take(node, &mut piece);
        Ok(output.write_all(&piece)?)
    })
    .await?;
    piece.clear();
    tree.finish(&mut piece);
    output.write_all(&piece)?;
    writeln!(output, "]")?;
    Ok(walked)
}

/// A node that has children is a list: so it is written when the next one is known.
#[derive(Default)]
struct JsonTree {
    subtrees: Subtrees,
    /// Depth and text of the node that came last.
    waiting: Option<(usize, String)>,
    number: u64,
}

impl JsonTree {
    /// Of the first node, as Apache counts.
    const INODE: u64 = 1001;

    fn take(&mut self, node: &NodeRef<'_>, out: &mut Vec<u8>) {
        let bytes = node.data.map_or(0, <[u8]>::len);
        self.subtrees.take(node.path, bytes, |_, _, _| {});
        let depth = self.subtrees.depth();
        self.write(depth, out);
        let name = node.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(ROOT);
        let (name, number) = (json!(name), self.number + JsonTree::INODE);
        self.number += 1;
        let text = format!(
            "{{\"name\":{name},\"asize\":{bytes},\"dsize\":{bytes},\"dev\":0,\"ino\":{number}}}"
        );
        self.waiting = Some((depth, text));
    }

    /// The node that waits, in front of one at that depth.
    fn write(&mut self, next: usize, out: &mut Vec<u8>) {
        let Some((depth, text)) = self.waiting.take() else { return };
        let opens = if next > depth { "[" } else { "" };
        out.extend_from_slice(format!(",{opens}{text}").as_bytes());
        out.extend(std::iter::repeat_n(b']', depth.saturating_sub(next)));
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        // The root's own list, if it has one, ends with the others.
        self.write(0, out);
    }
}

async fn verify(paths: &[PathBuf], json: bool, disk: &Disk, output: &mut Output) -> Verdict {
    let mut is_sound = true;
    let mut newest_sound = None;
    let mut count = 0;
    for path in files::snapshots(disk, paths).await? {
        let walked = walk_snapshot(disk, &path, output, |_| Ok(())).await?;
        is_sound &= walked.damages.is_empty();
        count += 1;
        if walked.damages.is_empty() {
            newest_sound = Some(path.clone());
        }
        match json {
            true => writeln!(output, "{}", verdict_json(&path, &walked))?,
            false => write_verdict(&path, &walked, output)?,
        }
    }
    if !is_sound && !json && count > 1 {
        match newest_sound {
            Some(path) => writeln!(
                output,
                "the newest sound one is {}: a start takes it, with the logs behind it",
                path.display()
            )?,
            None => writeln!(output, "none of them is sound")?,
        }
    }
    Ok(is_sound)
}

fn write_verdict(path: &Path, walked: &Walked, output: &mut Output) -> Result<(), ToolError> {
    let file = path.display();
    let nodes = counted(walked.nodes, "node");
    if walked.damages.is_empty() {
        let sessions = counted(walked.sessions.len() as u64, "session");
        let digest = match walked.digest_matches() {
            Some(true) => "its digest is that of its nodes",
            Some(false) => {
                "written while transactions were applied: its digest is of a later moment"
            }
            None => "no digest to compare",
        };
        return Ok(writeln!(output, "{file}: sound: {nodes}, {sessions}; {digest}")?);
    }
    for Damage { offset, why } in &walked.damages {
        writeln!(output, "{file}: damaged at offset {offset}: {why}")?;
    }
    let last = walked.last_path.as_deref().map_or("none", |p| if p.is_empty() { ROOT } else { p });
    writeln!(
        output,
        "{file}: {nodes} could be read, the last one {last}; no server takes a part of a snapshot: an \
         older one and the logs behind it are needed"
    )?;
    Ok(())
}

fn verdict_json(path: &Path, walked: &Walked) -> serde_json::Value {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let zxid = parse_snapshot_name(&name).map(|name| hex(name.zxid.0));
    let damage = |damage: &Damage| json!({ "offset": damage.offset, "why": damage.why });
    json!({
        "file": path.display().to_string(), "zxid": zxid, "sound": walked.damages.is_empty(),
        "bytes": walked.bytes, "nodes": walked.nodes, "sessions": walked.sessions.len(),
        "lastZxid": walked.last_zxid.map(|zxid| hex(zxid.0)),
        "digestMatches": walked.digest_matches(),
        "damages": walked.damages.iter().map(damage).collect::<Vec<_>>(),
    })
}
