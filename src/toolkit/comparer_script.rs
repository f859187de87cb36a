//! `zkSnapshotComparer.sh`: how much more or less lies below each node of two snapshots, level by level.
//! (SnapshotComparer)
//!
//! Held are the paths and sizes of all nodes of both, not their data.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

use super::args::ComparerScriptArgs;
use super::error::ToolError;
use super::output::Output;
use super::snapshot_walk::walk_snapshot;
use super::subtrees::Subtrees;
use super::verdict::{Disk, Verdict};
use crate::runtime::Lane;

/// A node and what is below it, as Apache counts: bytes with its own, nodes without itself.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Entry {
    depth: usize,
    path: String,
    bytes: i64,
    below: i64,
}

/// All nodes, by depth and path.
struct Tree(Vec<Entry>);

impl Tree {
    async fn read(file: &Path, disk: &Disk, output: &mut Output) -> Result<Tree, ToolError> {
        let begun = disk.ended();
        let mut entries: Vec<Entry> = Vec::new();
        let mut subtrees = Subtrees::default();
        let hidden = Output::nowhere();
        let walked = walk_snapshot(disk, file, &hidden, |node| {
            let bytes = node.data.map_or(0, <[u8]>::len);
            subtrees.take(node.path, bytes, |_, _, ended| {
                let entry = &mut entries[ended.number as usize];
                (entry.bytes, entry.below) = (ended.bytes as i64, ended.nodes as i64 - 1);
            });
            let (depth, path) = (subtrees.depth(), node.path.to_owned());
            entries.push(Entry { depth, path, ..Entry::default() });
            Ok(())
        })
        .await?;
        if let Some(damage) = walked.damages.first() {
            let (file, offset, why) = (file.display(), damage.offset, &damage.why);
            let why = format!("{file} is damaged at offset {offset}: {why}");
            return Err(ToolError::Failed(why));
        }
        subtrees.finish(|_, _, ended| {
            let entry = &mut entries[ended.number as usize];
            (entry.bytes, entry.below) = (ended.bytes as i64, ended.nodes as i64 - 1);
        });
        let name = file.file_name().unwrap_or_default().display();
        let took = (disk.ended() - begun).as_secs_f64();
        writeln!(output, "Deserialized snapshot in {name} in {took:.6} seconds")?;
        entries.sort_by(|a, b| (a.depth, &a.path).cmp(&(b.depth, &b.path)));
        let none = Duration::ZERO.as_secs_f64();
        writeln!(output, "Processed data tree in {none:.6} seconds")?;
        Ok(Tree(entries))
    }

    fn levels(&self) -> usize {
        self.0.last().map_or(0, |deepest| deepest.depth + 1)
    }

    fn level(&self, depth: usize) -> &[Entry] {
        let begin = self.0.partition_point(|entry| entry.depth < depth);
        let end = self.0.partition_point(|entry| entry.depth <= depth);
        &self.0[begin..end]
    }

    fn node(&self, path: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.path == path)
    }

    /// The children of the node of this path, if it is there.
    fn children(&self, path: &str) -> Vec<Entry> {
        let Some(node) = self.node(path) else { return Vec::new() };
        let is_child = |entry: &&Entry| {
            entry.path.rsplit_once('/').is_some_and(|(parent, _)| parent == node.path)
        };
        self.level(node.depth + 1).iter().filter(is_child).cloned().collect()
    }

    fn write(&self, output: &mut Output) -> Result<(), ToolError> {
        writeln!(output, "Node count: {}", self.0.len())?;
        writeln!(output, "Total size: {}", self.0.first().map_or(0, |root| root.bytes))?;
        writeln!(output, "Max depth: {}", self.levels())?;
        for depth in 0..self.levels() {
            writeln!(output, "Count of nodes at depth {depth}: {}", self.level(depth).len())?;
        }
        Ok(writeln!(output)?)
    }
}

pub(super) async fn run(args: &ComparerScriptArgs, disk: &Disk, output: &mut Output) -> Verdict {
    writeln!(output, "Successfully parsed options!")?;
    let left = Tree::read(&args.left, disk, output).await?;
    let right = Tree::read(&args.right, disk, output).await?;
    left.write(output)?;
    right.write(output)?;
    let mut comparer = Comparer { args, left: &left, right: &right, output };
    if args.interactive {
        comparer.converse()?;
    } else {
        comparer.say_thresholds()?;
        for depth in 0..comparer.levels() {
            comparer.level(depth)?;
        }
    }
    writeln!(output, "All layers compared.")?;
    Ok(true)
}

struct Comparer<'a> {
    args: &'a ComparerScriptArgs,
    left: &'a Tree,
    right: &'a Tree,
    output: &'a mut Output,
}

impl Comparer<'_> {
    fn levels(&self) -> usize {
        self.left.levels().max(self.right.levels())
    }

    fn say_thresholds(&mut self) -> Result<(), ToolError> {
        let (bytes, nodes) = (self.args.bytes, self.args.nodes);
        Ok(writeln!(
            self.output,
            "Printing analysis for nodes difference larger than {bytes} bytes or node count difference \
             larger than {nodes}."
        )?)
    }

    fn level(&mut self, depth: usize) -> Result<(), ToolError> {
        writeln!(self.output, "Analysis for depth {depth}")?;
        let (left, right) = (self.left.level(depth), self.right.level(depth));
        self.rows(left, right)
    }

    /// Asks which part is to be shown, until every level was.
    fn converse(&mut self) -> Result<(), ToolError> {
        let levels = self.levels();
        let mut depth = 0;
        while depth < levels {
            writeln!(
                self.output,
                "Current depth is {depth}\n- Press enter to move to print current depth layer;\n- Type a \
                 number to jump to and print all nodes at a given depth;\n- Enter an ABSOLUTE path to \
                 print the immediate subtree of a node. Path must start with '/'."
            )?;
            self.output.flush()?;
            let mut answer = String::new();
            if io::stdin().lock().read_line(&mut answer)? == 0 {
                return Err(ToolError::Failed("nobody answers: leave -i out".to_owned()));
            }
            let answer = answer.trim_end_matches(['\r', '\n']);
            self.say_thresholds()?;
            let range = format!("[0, {}]", levels - 1);
            if answer.is_empty() {
                self.level(depth)?;
                depth += 1;
            } else if answer.starts_with('/') {
                self.below(answer)?;
            } else {
                match answer.parse::<usize>() {
                    Ok(wanted) if wanted < levels => {
                        depth = wanted;
                        self.level(depth)?;
                    }
                    Ok(_) => {
                        writeln!(self.output, "Depth must be in range {range}")?;
                        continue;
                    }
                    Err(_) => writeln!(
                        self.output,
                        "Input {answer} is not valid. Depth must be in range {range}. Path must be an \
                         absolute path which starts with '/'."
                    )?,
                }
            }
            writeln!(self.output)?;
        }
        Ok(())
    }

    fn below(&mut self, path: &str) -> Result<(), ToolError> {
        writeln!(self.output, "Analysis for node {path}")?;
        if self.left.node(path).is_none() && self.right.node(path).is_none() {
            let line = format!("Path {path} is neither found in left tree nor right tree.");
            return Ok(writeln!(self.output, "{line}")?);
        }
        let (left, right) = (self.left.children(path), self.right.children(path));
        self.rows(&left, &right)
    }

    /// Two rows in one order.
    fn rows(&mut self, left: &[Entry], right: &[Entry]) -> Result<(), ToolError> {
        let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (None, None) => return Ok(()),
                (Some(a), Some(b)) => {
                    let order = a.path.cmp(&b.path);
                    self.debug(&format!("Comparing {} to {}", a.path, b.path))?;
                    if order.is_lt() {
                        self.debug("left is less")?;
                        self.one("left", a)?;
                        left.next();
                    } else if order.is_gt() {
                        self.debug("right is less")?;
                        self.one("right", b)?;
                        right.next();
                    } else {
                        self.debug("same")?;
                        self.both(a, b)?;
                        left.next();
                        right.next();
                    }
                }
                (Some(a), None) => {
                    self.one("left", a)?;
                    left.next();
                }
                (None, Some(b)) => {
                    self.one("right", b)?;
                    right.next();
                }
            }
        }
    }

    fn debug(&mut self, line: &str) -> Result<(), ToolError> {
        if self.args.debug { Ok(writeln!(self.output, "{line}")?) } else { Ok(()) }
    }

    fn one(&mut self, side: &str, entry: &Entry) -> Result<(), ToolError> {
        let Entry { path, bytes, below, .. } = entry;
        if *bytes > self.args.bytes || *below > self.args.nodes {
            writeln!(
                self.output,
                "Node {path} found only in {side} tree. Descendant size: {bytes}. Descendant count: {below}"
            )?;
        } else if self.args.debug || self.args.interactive {
            writeln!(self.output, "Filtered {side} node {path} of size {bytes}")?;
        }
        Ok(())
    }

    fn both(&mut self, left: &Entry, right: &Entry) -> Result<(), ToolError> {
        let (path, bytes, below) = (&left.path, right.bytes - left.bytes, right.below - left.below);
        if bytes.abs() > self.args.bytes || below.abs() > self.args.nodes {
            writeln!(
                self.output,
                "Node {path} found in both trees. Delta: {bytes} bytes, {below} descendants"
            )?;
        } else if self.args.debug || self.args.interactive {
            let (left, right) = (left.bytes, right.bytes);
            writeln!(self.output, "Filtered node {path} of left size {left}, right size {right}")?;
        }
        Ok(())
    }
}
