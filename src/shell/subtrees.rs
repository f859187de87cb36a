//! tree and du: what is below a node, drawn, and how much it is.
//!
//! No server tells a client that a node is a container or has a TTL: the owner that it shows is a session
//! or nobody. (DataNode.copyStat)

use serde_json::{Value, json};

use super::command::{Call, Command};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use super::walk::{Met, Walk, Walked, Wanted};
use crate::base::paths;
use crate::jute::data::Stat;
use crate::tree::Owner;

/// Digits of a sequential node's number. (%010d)
const SEQUENCE_DIGITS: usize = 10;
/// The levels that du shows.
const DU_DEPTH: usize = 1;

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "tree",
        "[-L depth] [path]",
        "Draws everything below a node: bytes of data, and who owns it.",
        |call| Box::pin(tree(call)),
    )
    .options(&[Opt::value("L", "so many levels below the node")]),
    Command::ask(
        "du",
        "[-d depth] [-s] [path]",
        "Counts nodes and bytes (paths and data) of a node with everything below it, and of each subtree.",
        |call| Box::pin(du(call)),
    )
    .options(&[
        Opt::value("d", "subtrees of so many levels, 1 if nothing is said"),
        Opt::flag("s", "the biggest first"),
    ]),
];

async fn tree(call: Call) -> Result<(), Refused> {
    let depth_max = call.number("L", usize::MAX)?;
    let mut walk =
        Walk::of(&call.client, &call.path_or_root()?, Wanted::default()).down_to(depth_max);
    let mut drawing = Drawing::default();
    let mut total = Total::default();
    while let Some(walked) = walk.next().await? {
        call.print.line(&drawing.line(&walked));
        if let Some(stat) = walked.met.stat() {
            total.add(&walked.path, stat);
            call.print.answer(|| node_json(&walked, stat));
        }
    }
    call.print.line(&format!("{} nodes, {} bytes", total.nodes, total.bytes));
    walk.finish()
}

/// Which of the nodes above have a sibling that follows.
#[derive(Default)]
struct Drawing {
    are_last: Vec<bool>,
}

impl Drawing {
    fn line(&mut self, walked: &Walked) -> String {
        let Walked { path, depth, is_last, met } = walked;
        let name = match depth {
            0 => path.as_str(),
            _ => paths::split(path).map_or(path.as_str(), |(_, name)| name),
        };
        let mut line = String::new();
        if *depth > 0 {
            self.are_last.truncate(depth - 1);
            for is_last in &self.are_last {
                line.push_str(if *is_last { "    " } else { "|   " });
            }
            line.push_str(if *is_last { "`-- " } else { "|-- " });
            self.are_last.push(*is_last);
        }
        line.push_str(&format!("{} [{}]", text::shown(name), marks(name, met)));
        line
    }
}

fn marks(name: &str, met: &Met) -> String {
    let (stat, is_readable) = match met {
        Met::Node(node) => (&node.stat, true),
        Met::Unreadable(Some(stat)) => (stat, false),
        Met::Unreadable(None) => return "not readable".into(),
        Met::Gone => return "gone meanwhile".into(),
    };
    let mut marks = vec![stat.data_length.to_string()];
    if let Owner::Session(session) = Owner::of(stat.ephemeral_owner) {
        marks.push(format!("ephemeral 0x{:x}", session.0));
    }
    if is_sequential(name) {
        marks.push("sequential".into());
    }
    if !is_readable {
        marks.push("not readable".into());
    }
    marks.join(", ")
}

/// No server keeps it: the name tells.
pub(super) fn is_sequential(name: &str) -> bool {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    digits >= SEQUENCE_DIGITS
}

fn node_json(walked: &Walked, stat: &Stat) -> Value {
    let session = match Owner::of(stat.ephemeral_owner) {
        Owner::Session(session) => Some(format!("0x{:x}", session.0)),
        _ => None,
    };
    json!({
        "path": walked.path,
        "depth": walked.depth,
        "session": session,
        "sequential": is_sequential(&walked.path),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

/// What a subtree is, as a quota counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Total {
    nodes: u64,
    /// Of paths and data.
    bytes: u64,
}

impl Total {
    fn add(&mut self, path: &str, stat: &Stat) {
        self.nodes += 1;
        self.bytes += path.len() as u64 + u64::from(stat.data_length.unsigned_abs());
    }
}

/// One subtree that was counted.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Counted {
    path: String,
    depth: usize,
    total: Total,
}

/// The node that comes next, and those above it.
#[derive(Default)]
struct Counting {
    open: Vec<Counted>,
}

impl Counting {
    /// Closes what does not hold a node of this depth, the deepest first.
    fn close(&mut self, depth: usize, mut each: impl FnMut(Counted)) {
        while let Some(counted) = self.open.pop_if(|counted| counted.depth >= depth) {
            if let Some(above) = self.open.last_mut() {
                above.total.nodes += counted.total.nodes;
                above.total.bytes += counted.total.bytes;
            }
            each(counted);
        }
    }

    fn open(&mut self, walked: Walked) {
        let Some(stat) = walked.met.stat() else { return };
        let mut total = Total::default();
        total.add(&walked.path, stat);
        self.open.push(Counted { path: walked.path, depth: walked.depth, total });
    }
}

async fn du(call: Call) -> Result<(), Refused> {
    let depth_max = call.number("d", DU_DEPTH)?;
    let sorts = call.given.has("s");
    let mut walk = Walk::of(&call.client, &call.path_or_root()?, Wanted::default());
    let mut counting = Counting::default();
    let mut all = Vec::new();
    let mut close = |counting: &mut Counting, depth| {
        counting.close(depth, |counted| match counted.depth > depth_max {
            true => {}
            false if sorts => all.push(counted),
            false => show(&call, &counted),
        });
    };
    call.print.line(&format!("{:>10} {:>14}  path", "nodes", "bytes"));
    while let Some(walked) = walk.next().await? {
        close(&mut counting, walked.depth);
        counting.open(walked);
    }
    close(&mut counting, 0);
    all.sort_by(|a, b| b.total.bytes.cmp(&a.total.bytes).then_with(|| a.path.cmp(&b.path)));
    all.iter().for_each(|counted| show(&call, counted));
    walk.finish()
}

fn show(call: &Call, counted: &Counted) {
    let Counted { path, total: Total { nodes, bytes }, .. } = counted;
    call.print.line(&format!("{nodes:>10} {bytes:>14}  {}", text::shown(path)));
    call.print.answer(|| json!({ "path": path, "nodes": nodes, "bytes": bytes }));
}

#[cfg(test)]
mod tests {
    use super::super::walk::Node;
    use super::*;

    fn walked(path: &str, is_last: bool, owner: Owner) -> Walked {
        let stat = Stat { data_length: 3, ephemeral_owner: owner.bits(), ..Stat::default() };
        let depth = path.matches('/').count() - usize::from(path == "/");
        let met = Met::Node(Node { stat, data: None, acl: Vec::new() });
        Walked { path: path.into(), depth, is_last, met }
    }

    #[test]
    fn a_tree_is_drawn_with_its_owners() {
        let session = Owner::Session(crate::base::SessionId(0x1f));
        let mut drawing = Drawing::default();
        let lines: Vec<String> = [
            walked("/", true, Owner::Nobody),
            walked("/a", false, Owner::Nobody),
            walked("/a/b", true, Owner::Nobody),
            walked("/a/b/lock-0000000001", true, session),
            Walked { met: Met::Gone, ..walked("/c", false, Owner::Nobody) },
            walked("/d\u{202e}", true, Owner::Nobody),
            Walked { met: Met::Unreadable(None), ..walked("/d\u{202e}/x", true, Owner::Nobody) },
        ]
        .iter()
        .map(|walked| drawing.line(walked))
        .collect();
        assert_eq!(
            lines,
            [
                "/ [3]",
                "|-- a [3]",
                "|   `-- b [3]",
                "|       `-- lock-0000000001 [3, ephemeral 0x1f, sequential]",
                "|-- c [gone meanwhile]",
                "`-- d\\u{202e} [3]",
                "    `-- x [not readable]",
            ]
        );
    }

    #[test]
    fn a_subtree_counts_what_is_below_it() {
        let mut counting = Counting::default();
        let mut counted = Vec::new();
        for path in ["/", "/a", "/a/b", "/a/c", "/d"] {
            let walked = walked(path, false, Owner::Nobody);
            counting.close(walked.depth, |one| counted.push(one));
            counting.open(walked);
        }
        counting.close(0, |one| counted.push(one));
        let counted: Vec<(&str, u64, u64)> = counted
            .iter()
            .map(|one| (one.path.as_str(), one.total.nodes, one.total.bytes))
            .collect();
        assert_eq!(
            counted,
            [("/a/b", 1, 7), ("/a/c", 1, 7), ("/a", 3, 19), ("/d", 1, 5), ("/", 5, 28)]
        );
    }
}
