//! What is asked next: of the load that is measured, and of what goes before and after it.

use std::collections::BTreeSet;

use super::frames::{Template, path_of};
use super::op::{Load, Op};
use super::plan::Plan;
use crate::base::splitmix;

/// One request that was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) op: Op,
    /// A set whose event is expected: which of the connection's watched nodes it changes.
    pub(super) watched: Option<usize>,
}

/// Where requests come from.
pub(super) trait Source {
    /// Appends the next request of a connection; `None` if that has none.
    fn push(&mut self, connection: usize, xid: i32, out: &mut Vec<u8>) -> Option<Asked>;

    /// Nobody will be given another request.
    fn is_dry(&self) -> bool;
}

/// Digits of the nodes that are created while the load runs.
const CREATED_DIGITS: usize = 10;

/// The load that is measured.
pub(super) struct Measured {
    load: Load,
    template: Template,
    /// What a mix, a delete or a watch does besides.
    other: Template,
    random: u64,
    nodes: u64,
    reads_below: u64,
    /// How many requests each connection was given.
    turns: Vec<u64>,
    /// Watched nodes of each connection.
    pub(super) watched: usize,
    left: u64,
    created: u64,
}

impl Measured {
    pub(super) fn new(plan: &Plan, root: &str) -> Measured {
        let target = plan.target_path(root);
        let created = path_of(root, "c", CREATED_DIGITS);
        let value = plan.value();
        let set = Template::set(&target, &value);
        let (template, other) = match plan.load {
            Load::Get | Load::Idle | Load::None => (Template::get(&target, false), set),
            Load::Mix => (Template::get(&target, false), set),
            Load::Set => (set.clone(), set),
            Load::Create | Load::Delete => {
                (Template::create(&created, &value), Template::delete(&created))
            }
            Load::Exists => (Template::exists(&target), set),
            Load::Children => (Template::children(&target), set),
            Load::Multi => (Template::multi(&target, &value, plan.batch), set),
            Load::Watch => (Template::get(&target, true), set),
        };
        Measured {
            load: plan.load,
            template,
            other,
            random: plan.seed,
            nodes: plan.targets(),
            reads_below: (u64::MAX / 100).saturating_mul(u64::from(plan.reads)),
            turns: vec![0; plan.connections],
            watched: plan.watched(),
            left: plan.operations.unwrap_or(u64::MAX),
            created: 0,
        }
    }

    /// How many nodes the load has created.
    pub(super) fn created(&self) -> u64 {
        self.created
    }
}

/// A number below `limit`, by multiplication: no division.
fn below(random: &mut u64, limit: u64) -> u64 {
    ((u128::from(splitmix::next(random)) * u128::from(limit)) >> 64) as u64
}

impl Source for Measured {
    fn push(&mut self, connection: usize, xid: i32, out: &mut Vec<u8>) -> Option<Asked> {
        self.left = self.left.checked_sub(1)?;
        let turn = self.turns[connection];
        self.turns[connection] += 1;
        let mut watched = None;
        let (random, nodes) = (&mut self.random, self.nodes);
        let op = match self.load {
            Load::Create | Load::Delete if self.load == Load::Create || turn.is_multiple_of(2) => {
                let key = self.created;
                self.created += 1;
                self.template.push(xid, out, || key);
                if self.load == Load::Delete {
                    // The delete of the same connection's next turn finds it there.
                    self.turns[connection] = 1 | (key << 1);
                }
                Op::Create
            }
            Load::Delete => {
                self.other.push(xid, out, || turn >> 1);
                self.turns[connection] = 0;
                Op::Delete
            }
            Load::Watch => {
                let slot = (turn / 2) as usize % self.watched;
                let key = (connection * self.watched + slot) as u64;
                if turn.is_multiple_of(2) {
                    self.template.push(xid, out, || key);
                    Op::Watch
                } else {
                    self.other.push(xid, out, || key);
                    watched = Some(slot);
                    Op::Set
                }
            }
            Load::Mix if splitmix::next(random) >= self.reads_below => {
                self.other.push(xid, out, || below(random, nodes));
                Op::Set
            }
            _ => {
                self.template.push(xid, out, || below(random, nodes));
                self.load.op()
            }
        };
        Some(Asked { op, watched })
    }

    fn is_dry(&self) -> bool {
        self.left == 0
    }
}

/// One request for each of a range of nodes, by whichever connection is free.
pub(super) struct Each {
    template: Template,
    op: Op,
    next: u64,
    end: u64,
    /// With children: how many each target has. A request then has two keys.
    per_target: u64,
}

impl Each {
    pub(super) fn new(op: Op, template: Template, count: u64) -> Each {
        Each { template, op, next: 0, end: count, per_target: 0 }
    }

    pub(super) fn of_children(op: Op, template: Template, targets: u64, children: u64) -> Each {
        Each { template, op, next: 0, end: targets * children, per_target: children }
    }
}

impl Source for Each {
    fn push(&mut self, _: usize, xid: i32, out: &mut Vec<u8>) -> Option<Asked> {
        if self.is_dry() {
            return None;
        }
        let i = self.next;
        self.next += 1;
        let mut keys = match self.per_target {
            0 => [i, i],
            children => [i / children, i % children],
        }
        .into_iter();
        self.template.push(xid, out, || keys.next().unwrap_or(i));
        Some(Asked { op: self.op, watched: None })
    }

    fn is_dry(&self) -> bool {
        self.next == self.end
    }
}

/// One request for each connection.
pub(super) struct Once {
    template: Template,
    left: BTreeSet<usize>,
}

impl Once {
    /// A sync by each of these.
    pub(super) fn sync(root: &str, connections: impl Iterator<Item = usize>) -> Once {
        Once { template: Template::sync(root), left: connections.collect() }
    }
}

impl Source for Once {
    fn push(&mut self, connection: usize, xid: i32, out: &mut Vec<u8>) -> Option<Asked> {
        if !self.left.remove(&connection) {
            return None;
        }
        self.template.push(xid, out, || 0);
        Some(Asked { op: Op::Sync, watched: None })
    }

    fn is_dry(&self) -> bool {
        self.left.is_empty()
    }
}

/// What `Measured` created.
pub(super) fn created_path(root: &str) -> String {
    path_of(root, "c", CREATED_DIGITS)
}
