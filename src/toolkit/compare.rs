//! `quorate snapshot compare`: what two snapshots have not in common, or what the logs behind one do to it.
//!
//!     + /path   only in the newer           - /path   only in the older           ~ /path   changed, and what
//!
//! Of the older one a digest of each node is held, of its data no more than that.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_64;

use super::error::ToolError;
use super::files::{self, layout_of};
use super::log_walk::{Found, LogWalk, Seen};
use super::output::{Output, complain, counted};
use super::snapshot_walk::{Walked, walk_snapshot};
use super::txnlog::records_follow;
use super::verdict::{Disk, Verdict};
use crate::base::Zxid;
use crate::base::paths::ROOT;
use crate::jute::Jute;
use crate::jute::data::{Acl, StatPersisted};
use crate::jute::persist::NodeRef;
use crate::jute::txn::Proposal;
use crate::storage::{LogName, logs_from};
use crate::tree::{DataTree, SnapshotCursor, TreeLoader};

/// What a node is, in a few bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Mark {
    stat: StatPersisted,
    data_bytes: usize,
    data_hash: u64,
    acl: i64,
}

impl Mark {
    fn of(node: &NodeRef<'_>) -> Mark {
        let data = node.data.unwrap_or_default();
        let (data_bytes, data_hash) = (data.len(), XxHash3_64::oneshot(data));
        Mark { stat: node.stat.clone(), data_bytes, data_hash, acl: node.acl }
    }
}

/// The hash of each ACL list of a snapshot.
struct Acls(BTreeMap<i64, u64>);

impl Acls {
    fn of(lists: &[(i64, Vec<Acl>)]) -> Acls {
        let hash = |list: &Vec<Acl>| XxHash3_64::oneshot(&list.to_jute());
        let open = (-1, hash(&Acl::open()));
        let known = lists.iter().map(|(id, list)| (*id, hash(list)));
        Acls(known.chain([open]).collect())
    }

    fn hash(&self, id: i64) -> Option<u64> {
        self.0.get(&id).copied()
    }
}

pub(super) async fn run(
    old: &Path,
    new: Option<&Path>,
    logs: Option<&Path>,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    let mut marks = BTreeMap::new();
    let older = walk_snapshot(disk, old, output, |node| {
        marks.insert(Box::from(node.path), Mark::of(node));
        Ok(())
    })
    .await?;
    must_be_whole(old, &older)?;
    let mut differences = Differences { marks, acls: Acls::of(&older.acls), counts: [0; 3] };
    let mut is_sound = true;
    match (new, logs) {
        (Some(new), _) => {
            // The lists come first, so that no node waits for them.
            let newer = walk_snapshot(disk, new, output, |_| Ok(())).await?;
            must_be_whole(new, &newer)?;
            let acls = Acls::of(&newer.acls);
            let hidden = Output::nowhere();
            walk_snapshot(disk, new, &hidden, |node| differences.take(node, &acls, output)).await?;
        }
        (None, Some(dir)) => {
            let mut tree = load(disk, old, &older).await?;
            is_sound = replay(disk, dir, &older, &mut tree, output).await?;
            let acls = Acls::of(&tree.acl_map());
            let mut cursor = SnapshotCursor::new();
            while !cursor.is_done() {
                let mut written = Ok(());
                tree.write_slice(&mut cursor, usize::MAX, &mut |node| {
                    if written.is_ok() {
                        written = differences.take(&node, &acls, output);
                    }
                });
                written?;
            }
        }
        (None, None) => {
            let why =
                "name a second snapshot, or --logs and the directory of the logs behind the first";
            return Err(ToolError::Invalid(why.to_owned()));
        }
    }
    differences.finish(output)?;
    Ok(is_sound)
}

fn must_be_whole(path: &Path, walked: &Walked) -> Result<(), ToolError> {
    let Some(damage) = walked.damages.first() else { return Ok(()) };
    let (path, offset, why) = (path.display(), damage.offset, &damage.why);
    Err(ToolError::Failed(format!("{path} is damaged at offset {offset}: {why}")))
}

struct Differences {
    /// Nodes of the older one that the newer one has not shown yet.
    marks: BTreeMap<Box<str>, Mark>,
    acls: Acls,
    /// Added, removed, changed.
    counts: [u64; 3],
}

impl Differences {
    fn take(
        &mut self,
        node: &NodeRef<'_>,
        acls: &Acls,
        output: &mut Output,
    ) -> Result<(), ToolError> {
        let shown = if node.path.is_empty() { ROOT } else { node.path };
        let new = Mark::of(node);
        let Some(old) = self.marks.remove(node.path) else {
            self.counts[0] += 1;
            let (zxid, bytes) = (new.stat.czxid, new.data_bytes);
            return Ok(writeln!(output, "+ {shown}  {bytes} bytes, created by {zxid}")?);
        };
        let acl_changed = self.acls.hash(old.acl) != acls.hash(new.acl);
        let what = changes(&old, &new, acl_changed);
        if what.is_empty() {
            return Ok(());
        }
        self.counts[2] += 1;
        Ok(writeln!(output, "~ {shown}  {}", what.join(", "))?)
    }

    fn finish(mut self, output: &mut Output) -> Result<(), ToolError> {
        for (path, old) in &self.marks {
            let (zxid, bytes) = (old.stat.czxid, old.data_bytes);
            writeln!(output, "- {path}  {bytes} bytes, created by {zxid}")?;
        }
        self.counts[1] = self.marks.len() as u64;
        let [added, removed, changed] = self.counts;
        writeln!(output, "{added} added, {removed} removed, {changed} changed")?;
        Ok(())
    }
}

/// What a node has that it had not, in words.
fn changes(old: &Mark, new: &Mark, acl_changed: bool) -> Vec<String> {
    let (before, now) = (&old.stat, &new.stat);
    let mut what = Vec::new();
    if before.czxid != now.czxid {
        what.push(format!("made anew by {}", now.czxid));
    }
    if (old.data_hash, old.data_bytes) != (new.data_hash, new.data_bytes) {
        let (before, now) = (old.data_bytes, new.data_bytes);
        what.push(format!("data {before} -> {now} bytes"));
    }
    if before.version != now.version || before.mzxid != now.mzxid {
        what.push(format!("version {} -> {} by {}", before.version, now.version, now.mzxid));
    }
    if before.cversion != now.cversion || before.pzxid != now.pzxid {
        what.push(format!("cversion {} -> {} by {}", before.cversion, now.cversion, now.pzxid));
    }
    if acl_changed || before.aversion != now.aversion {
        what.push(format!("ACL version {} -> {}", before.aversion, now.aversion));
    }
    if before.ephemeral_owner != now.ephemeral_owner {
        let (before, now) = (before.ephemeral_owner, now.ephemeral_owner);
        what.push(format!("owner 0x{before:x} -> 0x{now:x}"));
    }
    what
}

/// The tree of a snapshot.
async fn load(disk: &Disk, path: &Path, walked: &Walked) -> Result<DataTree, ToolError> {
    let mut loader = TreeLoader::of_nodes(walked.nodes as usize);
    let failed = |why: String| ToolError::Failed(format!("{}: {why}", path.display()));
    for (id, list) in &walked.acls {
        loader.add_acl(*id, list.clone()).map_err(|why| failed(why.to_string()))?;
    }
    let hidden = Output::nowhere();
    walk_snapshot(disk, path, &hidden, |node| {
        loader.add_node(node).map_err(|why| failed(why.to_string()))
    })
    .await?;
    let zxid = walked.zxid.unwrap_or(Zxid::ZERO);
    loader.finish(zxid).map_err(|why| failed(why.to_string()))
}

/// Applies what the logs hold behind the snapshot, as a start does.
async fn replay(
    disk: &Disk,
    logs: &Path,
    walked: &Walked,
    tree: &mut DataTree,
    output: &mut Output,
) -> Verdict {
    let Some(behind) = walked.zxid else {
        let why = "the name of the snapshot does not say its zxid: name it snapshot.ZXID";
        return Err(ToolError::Invalid(why.to_owned()));
    };
    let Some(dir) = files::directory(disk, logs).await? else {
        return Err(ToolError::Invalid(format!("{} is no directory", logs.display())));
    };
    let layout = layout_of(&dir, &dir);
    let names: Vec<LogName> = layout.logs(disk).await?;
    let paths: Vec<PathBuf> =
        logs_from(&names, behind.next()).iter().map(|log| layout.log(log.first)).collect();
    let digest_zxid = walked.digest.as_ref().map_or(Zxid::ZERO, |digest| digest.zxid);
    let settled = digest_zxid.max(walked.last_zxid.unwrap_or(Zxid::ZERO)).max(behind);
    let (mut applied, mut is_sound, mut last) = (0, true, behind);
    let mut seen = Seen::default();
    for path in &paths {
        let mut log = LogWalk::open(disk, path).await?;
        if !matches!(records_follow(&mut log).await?, Ok(true)) {
            continue;
        }
        seen = seen.next_log();
        loop {
            let found = log.next().await?;
            let end = matches!(found, Found::End { .. });
            if let Some(damage) = seen.take(&found) {
                let (path, offset, why) = (path.display(), damage.offset, damage.why);
                complain(&format!("{path} is damaged at offset {offset}: {why}"));
                is_sound = false;
            }
            if let Found::Txn { offset, proposal } = found
                && proposal.zxid() > behind
            {
                tree.apply(&proposal.header, &proposal.txn);
                (applied, last) = (applied + 1, proposal.zxid());
                if proposal.zxid() > settled && !digest_matches(tree, &proposal) {
                    let zxid = proposal.zxid();
                    complain(&format!(
                        "{}: at offset {offset} transaction {zxid} has another digest than the tree",
                        path.display()
                    ));
                    is_sound = false;
                }
            }
            if end {
                break;
            }
        }
        if !is_sound {
            break;
        }
    }
    writeln!(
        output,
        "{} from {} applied, up to {last}",
        counted(applied, "transaction"),
        dir.display()
    )?;
    Ok(is_sound)
}

fn digest_matches(tree: &DataTree, proposal: &Proposal) -> bool {
    let known = proposal.digest.as_ref();
    known.is_none_or(|known| known.tree_digest as u64 == tree.digest())
}
