//! diff: what two trees do not have in common. Either is an ensemble, or a snapshot file.
//!
//! Both are walked in the order of their paths, side by side, so that little of an ensemble is held in
//! memory. A snapshot is held whole: its nodes come in no order.
//!
//! Not here: logs. A snapshot alone may have half of what was written while it was taken.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::vec::IntoIter;

use bytes::Bytes;
use serde_json::json;

use super::command::{Call, Command, checked};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use super::walk::{Met, Node, Walk, Wanted};
use crate::base::paths;
use crate::client::Client;
use crate::jute::client::code;
use crate::jute::data::{Acl, Stat};
use crate::storage::snapshot_decoder::decode_snapshot;
use crate::storage::snapshot_format::{Compression, SnapshotContent, SnapshotFault, Unpacker};
use crate::tree::{OPEN_ACL_ID, Owner};

/// Of the command, as diff(1) has it: 1 is a difference.
const TROUBLE: i32 = 2;

pub(super) const COMMANDS: &[Command] = &[Command::ask(
    "diff",
    "[-p path] [-e] [-t] [left] right",
    "Shows which nodes two ensembles or snapshots do not have in common: HOST:PORT,.../CHROOT or a file; \
     left is this ensemble if nothing is said.",
    |call| Box::pin(diff(call)),
)
.options(&[
    Opt::value("p", "below this node alone"),
    Opt::flag("e", "ephemeral nodes, too"),
    Opt::flag("t", "times of creation and of the last change, too"),
])
.words_min(1)];

/// A node of either side.
struct Compared {
    path: String,
    /// `None`: it may not be read.
    node: Option<Node>,
}

/// One of the two trees.
enum Side {
    Live { walk: Walk, client: Client, is_own: bool, name: String },
    Snapshot(IntoIter<Compared>),
}

impl Side {
    fn open(call: &Call, name: Option<&str>, root: &str) -> Result<Side, Refused> {
        if let Some(file) = name.filter(|name| is_file(name)) {
            let content = read_snapshot(file)
                .map_err(|why| trouble(Refused::new(format!("{file}: {why}"))))?;
            return Ok(Side::Snapshot(nodes_below(content, root).into_iter()));
        }
        let client = match name {
            None => call.client.clone(),
            Some(connect) => (call.around.open)(connect).map_err(|refused| {
                let hint = "an ensemble is HOST:PORT,.../CHROOT; a snapshot is an existing file";
                trouble(Refused { hint: refused.hint.or(Some(hint.into())), ..refused })
            })?,
        };
        let wanted = Wanted { data: true, acl: true };
        let walk = Walk::of(&client, root, wanted).without_reserved(&client);
        let (is_own, name) = (name.is_none(), name.unwrap_or("this ensemble").to_owned());
        Ok(Side::Live { walk, client, is_own, name })
    }

    async fn next(&mut self) -> Result<Option<Compared>, Refused> {
        let (walk, name) = match self {
            Side::Snapshot(nodes) => return Ok(nodes.next()),
            Side::Live { walk, name, .. } => (walk, name),
        };
        loop {
            let walked = match walk.next().await {
                Ok(Some(walked)) => walked,
                Ok(None) => return Ok(None),
                // A tree that is not there has no nodes.
                Err(refused) if refused.code == Some(code::NO_NODE) => return Ok(None),
                Err(refused) => {
                    let text = format!("{name}: {}", refused.text);
                    return Err(trouble(Refused { text, ..refused }));
                }
            };
            let node = match walked.met {
                Met::Node(node) => Some(node),
                Met::Unreadable(_) => None,
                Met::Gone => continue,
            };
            return Ok(Some(Compared { path: walked.path, node }));
        }
    }

    async fn close(self) {
        if let Side::Live { client, is_own: false, .. } = self {
            client.close().await;
        }
    }
}

fn trouble(refused: Refused) -> Refused {
    Refused { exit_code: TROUBLE, ..refused }
}

/// A connect string has no such prefix, and is seldom the name of a file.
fn is_file(name: &str) -> bool {
    name.starts_with(['/', '.']) || Path::new(name).is_file()
}

fn read_snapshot(file: &str) -> Result<SnapshotContent, String> {
    let packed = fs::read(file).map_err(|error| error.to_string())?;
    let packing = match Path::new(file).extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Compression::Gz,
        Some("snappy") => Compression::Snappy,
        _ => Compression::None,
    };
    let mut plain = Vec::new();
    let mut unpacker = Unpacker::new(packing);
    let unpacked = unpacker.feed(&packed, &mut plain).and_then(|()| unpacker.finish(&mut plain));
    let content = unpacked.and_then(|()| decode_snapshot(plain.into()));
    content.map_err(|fault: SnapshotFault| format!("this is no snapshot: {fault}"))
}

/// In the order of paths.
fn nodes_below(content: SnapshotContent, root: &str) -> Vec<Compared> {
    let acls: BTreeMap<i64, Vec<Acl>> = content.body.acls.into_iter().collect();
    let mut nodes = Vec::new();
    let mut packed = content.body.nodes;
    let handed = packed.hand_over(|node| {
        let path = if node.path.is_empty() { paths::ROOT } else { node.path };
        let is_reserved = paths::namespace(path) == paths::namespace(paths::ZOOKEEPER);
        if is_reserved || !is_below(root, path) {
            return Ok::<_, std::convert::Infallible>(());
        }
        let acl = match node.acl {
            OPEN_ACL_ID => Acl::open(),
            index => acls.get(&index).cloned().unwrap_or_default(),
        };
        let data = node.data.map(Bytes::copy_from_slice);
        let stat = Stat {
            ctime: node.stat.ctime,
            mtime: node.stat.mtime,
            ephemeral_owner: node.stat.ephemeral_owner,
            ..Stat::default()
        };
        nodes.push(Compared { path: path.to_owned(), node: Some(Node { stat, data, acl }) });
        Ok(())
    });
    let Ok(()) = handed;
    nodes.sort_by(|a, b| order(&a.path, &b.path));
    nodes
}

fn is_below(root: &str, path: &str) -> bool {
    root == paths::ROOT
        || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// As a walk has it: a node before what is below it, names in their order.
fn order(a: &str, b: &str) -> Ordering {
    fn names(path: &str) -> impl Iterator<Item = &str> {
        path.split('/').filter(|name| !name.is_empty())
    }
    names(a).cmp(names(b))
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Scope {
    with_ephemerals: bool,
    with_times: bool,
}

impl Scope {
    fn covers(self, node: &Node) -> bool {
        self.with_ephemerals || !matches!(Owner::of(node.stat.ephemeral_owner), Owner::Session(_))
    }

    /// In what two nodes of one path differ.
    fn differences(self, left: &Node, right: &Node) -> Vec<&'static str> {
        let sorted = |node: &Node| {
            let mut acl: Vec<_> = node
                .acl
                .iter()
                .map(|acl| (acl.id.scheme.clone(), acl.id.id.clone(), acl.perms))
                .collect();
            acl.sort_unstable();
            acl
        };
        // Sessions differ from ensemble to ensemble; containers and TTLs are what no server shows.
        let kind = |node: &Node| matches!(Owner::of(node.stat.ephemeral_owner), Owner::Session(_));
        let empty = Bytes::new();
        let data = |node: &Node| node.data.clone().unwrap_or(empty.clone());
        let times = |node: &Node| (node.stat.ctime, node.stat.mtime);
        let checks = [
            ("data", data(left) != data(right)),
            ("acl", sorted(left) != sorted(right)),
            ("kind", kind(left) != kind(right)),
            ("times", self.with_times && times(left) != times(right)),
        ];
        checks.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Counts {
    left: usize,
    right: usize,
    changed: usize,
    same: usize,
    unreadable: usize,
}

async fn diff(call: Call) -> Result<(), Refused> {
    let root = call.given.value("p").unwrap_or(paths::ROOT).to_owned();
    checked(&root)?;
    let (left, right) = match &call.given.words[..] {
        [right] => (None, right),
        [left, right] => (Some(left.as_str()), right),
        _ => return Err(trouble(call.command.misused())),
    };
    let scope = Scope { with_ephemerals: call.given.has("e"), with_times: call.given.has("t") };
    let mut left = Side::open(&call, left, &root)?;
    let mut right = match Side::open(&call, Some(right), &root) {
        Ok(right) => right,
        Err(refused) => {
            left.close().await;
            return Err(refused);
        }
    };
    let compared = compare(&call, scope, &mut left, &mut right).await;
    left.close().await;
    right.close().await;
    let Counts { left, right, changed, same, unreadable } = compared?;
    if unreadable > 0 {
        let text = format!(
            "{unreadable} nodes may not be read, and were not compared, nor what is below them"
        );
        return Err(trouble(Refused { code: Some(code::NO_AUTH), ..Refused::new(text) })
            .with_hint("addauth proves to be somebody"));
    }
    if left + right + changed > 0 {
        return Err(Refused::new(format!(
            "{left} nodes only on the left, {right} only on the right, {changed} differ, {same} are the same"
        )));
    }
    call.print.line(&format!("{same} nodes, no difference"));
    call.print.answer(|| json!({ "same": same }));
    Ok(())
}

async fn compare(
    call: &Call,
    scope: Scope,
    left: &mut Side,
    right: &mut Side,
) -> Result<Counts, Refused> {
    let mut counts = Counts::default();
    // What may not be read on one side, and so not compared.
    let mut hidden: Option<String> = None;
    let (mut a, mut b) = (left.next().await?, right.next().await?);
    loop {
        let which = match (&a, &b) {
            (None, None) => return Ok(counts),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(&a.path, &b.path),
        };
        let taken_left = if which.is_le() { a.take() } else { None };
        let taken_right = if which.is_ge() { b.take() } else { None };
        if taken_left.is_some() {
            a = left.next().await?;
        }
        if taken_right.is_some() {
            b = right.next().await?;
        }
        let one = Pair { left: taken_left, right: taken_right };
        if hidden.as_ref().is_some_and(|hidden| is_below(hidden, one.path())) {
            continue;
        }
        if one.is_unreadable() {
            counts.unreadable += 1;
            show(call, '?', one.path(), &["not readable"]);
            hidden = Some(one.path().to_owned());
            continue;
        }
        one.count(call, scope, &mut counts);
    }
}

/// A path, and what either side has there.
struct Pair {
    left: Option<Compared>,
    right: Option<Compared>,
}

impl Pair {
    fn path(&self) -> &str {
        let one = self.left.as_ref().or(self.right.as_ref());
        one.map_or("", |one| one.path.as_str())
    }

    fn is_unreadable(&self) -> bool {
        [&self.left, &self.right].into_iter().flatten().any(|one| one.node.is_none())
    }

    fn count(&self, call: &Call, scope: Scope, counts: &mut Counts) {
        let covered = |one: &Option<Compared>| -> Option<Node> {
            one.as_ref()?.node.clone().filter(|node| scope.covers(node))
        };
        match (covered(&self.left), covered(&self.right)) {
            (None, None) => {}
            (Some(_), None) => {
                counts.left += 1;
                show(call, '-', self.path(), &[]);
            }
            (None, Some(_)) => {
                counts.right += 1;
                show(call, '+', self.path(), &[]);
            }
            (Some(left), Some(right)) => {
                let differences = scope.differences(&left, &right);
                if differences.is_empty() {
                    counts.same += 1;
                } else {
                    counts.changed += 1;
                    show(call, '~', self.path(), &differences);
                }
            }
        }
    }
}

fn show(call: &Call, mark: char, path: &str, differences: &[&str]) {
    let why = if differences.is_empty() {
        String::new()
    } else {
        format!("  {}", differences.join(", "))
    };
    call.print.line(&format!("{mark} {}{why}", text::shown(path)));
    call.print.answer(|| {
        let found = match mark {
            '-' => "left",
            '+' => "right",
            '~' => "differs",
            _ => "unreadable",
        };
        json!({ "path": path, "found": found, "in": differences })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(data: &'static str, owner: Owner) -> Node {
        let stat = Stat { ephemeral_owner: owner.bits(), ..Stat::default() };
        Node { stat, data: Some(Bytes::from_static(data.as_bytes())), acl: Acl::open() }
    }

    #[test]
    fn nodes_come_before_what_is_below_them() {
        let mut paths = ["/b", "/a-b", "/a/c", "/", "/a", "/a/b/z"];
        paths.sort_by(|a, b| order(a, b));
        assert_eq!(paths, ["/", "/a", "/a/b/z", "/a/c", "/a-b", "/b"]);
    }

    #[test]
    fn what_differs_is_told() {
        let scope = Scope { with_ephemerals: false, with_times: false };
        let plain = node("x", Owner::Nobody);
        assert_eq!(scope.differences(&plain, &plain.clone()), [""; 0]);
        assert_eq!(scope.differences(&plain, &node("y", Owner::Container)), ["data"]);
        let mut later = node("x", Owner::Nobody);
        later.stat.mtime = 5;
        assert_eq!(scope.differences(&plain, &later), [""; 0]);
        assert_eq!(Scope { with_times: true, ..scope }.differences(&plain, &later), ["times"]);
        later.acl.clear();
        assert_eq!(scope.differences(&plain, &later), ["acl"]);
        let session = |n| node("x", Owner::Session(crate::base::SessionId(n)));
        assert!(!scope.covers(&session(1)));
        assert_eq!(scope.differences(&session(1), &session(2)), [""; 0]);
        assert_eq!(scope.differences(&session(1), &plain), ["kind"]);
    }

    #[test]
    fn a_subtree_is_not_its_neighbour() {
        assert!(is_below("/a", "/a") && is_below("/a", "/a/b") && is_below("/", "/x"));
        assert!(!is_below("/a", "/ab"));
    }
}
