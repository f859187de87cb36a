//! `quorate snapshot stats`: how much there is, where most of it lies, and whose it is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::Write;
use std::path::Path;

use super::error::ToolError;
use super::output::{Output, complain};
use super::snapshot_walk::{Walked, walk_snapshot};
use super::subtrees::{Subtree, Subtrees};
use super::verdict::{Disk, Verdict};
use crate::base::SessionId;
use crate::base::paths::ROOT;
use crate::jute::persist::NodeRef;
use crate::tree::Owner;

/// The few that have most.
struct Top {
    places: usize,
    heap: BinaryHeap<Reverse<(u64, Reverse<String>)>>,
}

impl Top {
    fn of(places: usize) -> Top {
        Top { places, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, amount: u64, path: &str) {
        let least = self.heap.peek().map_or(0, |Reverse((least, _))| *least);
        if amount == 0 || (self.heap.len() >= self.places && amount < least) {
            return;
        }
        let path = if path.is_empty() { ROOT } else { path };
        self.heap.push(Reverse((amount, Reverse(path.to_owned()))));
        if self.heap.len() > self.places {
            self.heap.pop();
        }
    }

    fn write(self, title: &str, output: &mut Output) -> Result<(), ToolError> {
        writeln!(output, "\n{title}")?;
        for Reverse((amount, Reverse(path))) in self.heap.into_sorted_vec() {
            writeln!(output, "{amount:>14}  {path}")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Counts {
    persistent: u64,
    ephemeral: u64,
    containers: u64,
    ttls: u64,
    data_bytes: u64,
    path_bytes: u64,
    /// Nodes at each depth.
    depths: Vec<u64>,
    /// Nodes and bytes of data of each session.
    owners: BTreeMap<SessionId, (u64, u64)>,
}

impl Counts {
    fn take(&mut self, node: &NodeRef<'_>, depth: usize) {
        let bytes = node.data.map_or(0, <[u8]>::len) as u64;
        self.data_bytes += bytes;
        self.path_bytes += node.path.len() as u64;
        self.depths.resize(self.depths.len().max(depth + 1), 0);
        self.depths[depth] += 1;
        match Owner::of(node.stat.ephemeral_owner) {
            Owner::Nobody => self.persistent += 1,
            Owner::Container => self.containers += 1,
            Owner::Ttl(_) => self.ttls += 1,
            Owner::Session(session) => {
                self.ephemeral += 1;
                let owned = self.owners.entry(session).or_default();
                *owned = (owned.0 + 1, owned.1 + bytes);
            }
        }
    }
}

pub(super) async fn run(file: &Path, top: usize, disk: &Disk, output: &mut Output) -> Verdict {
    let mut counts = Counts::default();
    let mut subtrees = Subtrees::default();
    let [mut nodes, mut wide, mut heavy, mut populous] = [(); 4].map(|()| Top::of(top));
    let mut ended = |path: &str, _: usize, subtree: &Subtree| {
        wide.offer(subtree.children, path);
        if subtree.children > 0 {
            heavy.offer(subtree.bytes, path);
            populous.offer(subtree.nodes - 1, path);
        }
    };
    let walked = walk_snapshot(disk, file, output, |node| {
        let bytes = node.data.map_or(0, <[u8]>::len);
        nodes.offer(bytes as u64, node.path);
        subtrees.take(node.path, bytes, &mut ended);
        counts.take(node, subtrees.depth());
        Ok(())
    })
    .await?;
    subtrees.finish(&mut ended);
    write_counts(file, &walked, &counts, output)?;
    nodes.write("Largest nodes (bytes of data)", output)?;
    wide.write("Nodes with most children", output)?;
    heavy.write("Largest subtrees (bytes of data)", output)?;
    populous.write("Largest subtrees (nodes below)", output)?;
    write_owners(&walked, &counts, top, output)?;
    output.flush()?;
    for damage in &walked.damages {
        let (file, offset, why) = (file.display(), damage.offset, &damage.why);
        complain(&format!(
            "{file} is damaged at offset {offset}: {why}. Counted is what comes before"
        ));
    }
    Ok(walked.damages.is_empty())
}

fn write_counts(
    file: &Path,
    walked: &Walked,
    counts: &Counts,
    output: &mut Output,
) -> Result<(), ToolError> {
    let Counts { persistent, ephemeral, containers, ttls, .. } = counts;
    writeln!(output, "{}", file.display())?;
    writeln!(output, "{:>14}  bytes of the file", walked.bytes)?;
    writeln!(output, "{:>14}  nodes", walked.nodes)?;
    writeln!(output, "{persistent:>14}  persistent")?;
    writeln!(output, "{ephemeral:>14}  ephemeral")?;
    writeln!(output, "{containers:>14}  containers")?;
    writeln!(output, "{ttls:>14}  with a time to live")?;
    writeln!(output, "{:>14}  bytes of data", counts.data_bytes)?;
    writeln!(output, "{:>14}  bytes of paths", counts.path_bytes)?;
    writeln!(output, "{:>14}  sessions", walked.sessions.len())?;
    writeln!(output, "{:>14}  ACL lists", walked.acls.len())?;
    if let Some(last) = walked.last_zxid {
        writeln!(output, "{:>14}  last zxid", last.to_string())?;
    }
    writeln!(output, "\nNodes at each depth")?;
    for (depth, nodes) in counts.depths.iter().enumerate() {
        writeln!(output, "{nodes:>14}  {depth}")?;
    }
    Ok(())
}

fn write_owners(
    walked: &Walked,
    counts: &Counts,
    top: usize,
    output: &mut Output,
) -> Result<(), ToolError> {
    let mut owners: Vec<_> = counts.owners.iter().collect();
    owners.sort_by_key(|(session, (nodes, _))| (Reverse(*nodes), **session));
    writeln!(output, "\nOwners of ephemerals (nodes, bytes of data, session, its timeout)")?;
    for (session, (nodes, bytes)) in owners.iter().take(top) {
        let known = walked.sessions.iter().find(|(known, _)| known == *session);
        let timeout = known.map_or("not in the snapshot".to_owned(), |(_, ms)| format!("{ms} ms"));
        writeln!(output, "{nodes:>14}  {bytes}  0x{:x}  {timeout}", session.0)?;
    }
    if let Some(more) = owners.len().checked_sub(top).filter(|more| *more > 0) {
        writeln!(output, "{more:>14}  sessions more")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_keeps_those_that_have_most() {
        let mut top = Top::of(2);
        for (amount, path) in [(3, "/c"), (0, "/none"), (5, "/e"), (1, "/a"), (5, "/d")] {
            top.offer(amount, path);
        }
        let rows: Vec<_> = top.heap.into_sorted_vec();
        let rows: Vec<_> = rows.into_iter().map(|Reverse((n, Reverse(p)))| (n, p)).collect();
        assert_eq!(rows, [(5, "/d".to_owned()), (5, "/e".to_owned())]);
    }
}
