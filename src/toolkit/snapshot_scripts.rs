//! `zkSnapShotToolkit.sh` and `zkSnapshotRecursiveSummaryToolkit.sh`: Apache's options and lines.
//! (SnapshotFormatter, SnapshotRecursiveSummary)

use std::io::Write;

use super::args::{SnapshotScriptArgs, SummaryScriptArgs};
use super::error::ToolError;
use super::log_walk::Damage;
use super::output::{Output, complain};
use super::snapshot::{self, Shown};
use super::snapshot_walk::walk_snapshot;
use super::subtrees::{Subtree, Subtrees};
use super::verdict::{Disk, Verdict};
use crate::base::paths::ROOT;

pub(super) async fn format(
    args: &SnapshotScriptArgs,
    time_ms: i64,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    if args.data && args.json {
        let why = "Cannot specify both data dump (-d) and json mode (-json) in same call";
        return Err(ToolError::Invalid(why.to_owned()));
    }
    let shown = if args.data { Shown::Data } else { Shown::Stat };
    let shown = if args.json { Shown::Json { time_ms } } else { shown };
    snapshot::print(&args.file, shown, disk, output).await
}

/// A node with children, in front of those that are below it.
struct Row {
    depth: usize,
    path: String,
    nodes: u64,
    bytes: u64,
}

/// The subtree below one node.
struct Summary<'a> {
    start: &'a str,
    depth_max: usize,
    subtrees: Subtrees,
    rows: Vec<Row>,
    /// The rows of the nodes on the way down.
    open: Vec<Option<usize>>,
    is_found: bool,
}

impl Summary<'_> {
    fn take(&mut self, path: &str, bytes: usize) {
        let rest = path.strip_prefix(self.start);
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return;
        }
        self.is_found = true;
        let (rows, open) = (&mut self.rows, &mut self.open);
        self.subtrees.take(path, bytes, |_, _, ended| close(rows, open, ended));
        // A node with a child has a row.
        let depth = self.subtrees.depth();
        if let Some(place) = depth.checked_sub(1).and_then(|above| self.open.get_mut(above))
            && place.is_none()
            && (self.depth_max == 0 || depth - 1 <= self.depth_max)
        {
            *place = Some(self.rows.len());
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let path = if parent.is_empty() { ROOT } else { parent };
            self.rows.push(Row { depth: depth - 1, path: path.to_owned(), nodes: 0, bytes: 0 });
        }
        self.open.push(None);
    }
}

fn close(rows: &mut [Row], open: &mut Vec<Option<usize>>, ended: &Subtree) {
    if let Some(row) = open.pop().flatten() {
        (rows[row].nodes, rows[row].bytes) = (ended.nodes, ended.bytes);
    }
}

pub(super) async fn summary(args: &SummaryScriptArgs, disk: &Disk, output: &mut Output) -> Verdict {
    let start = if args.start == ROOT { "" } else { args.start.as_str() };
    let mut summary = Summary {
        start,
        depth_max: args.depth,
        subtrees: Subtrees::default(),
        rows: Vec::new(),
        open: Vec::new(),
        is_found: false,
    };
    let walked = walk_snapshot(disk, &args.file, output, |node| {
        summary.take(node.path, node.data.map_or(0, <[u8]>::len));
        Ok(())
    })
    .await?;
    if !summary.is_found {
        return Err(ToolError::Invalid(format!("there is no node {} in it", args.start)));
    }
    let Summary { subtrees, mut rows, mut open, .. } = summary;
    subtrees.finish(|_, _, ended| close(&mut rows, &mut open, ended));
    for Row { depth, path, nodes, bytes } in &rows {
        let tab = "--".repeat(*depth);
        writeln!(output, "{tab} {path}\n{tab}   children: {}\n{tab}   data: {bytes}", nodes - 1)?;
    }
    writeln!(output)?;
    output.flush()?;
    for Damage { offset, why } in &walked.damages {
        complain(&format!("{} is damaged at offset {offset}: {why}", args.file.display()));
    }
    Ok(walked.damages.is_empty())
}
