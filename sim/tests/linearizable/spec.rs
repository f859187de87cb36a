//! One znode as a register with versions, for the linearizability checker of todc-utils: what a
//! history says of the node, and what each operation may have told.
//!
//! What is claimed is what ZooKeeper promises, and no more: writes are linearizable; reads may be
//! old, but a session sees its own operations in their order and never the future.
//!
//! - A write takes effect between its request and its reply, once, with the result that was told.
//! - A write whose reply was lost may have taken effect, at any time from its request on, or never:
//!   it is open to the end, and whatever it finds is right.
//! - A read shows a state that was there before its reply. It may be older than its request, so it
//!   is open from the beginning; a session's turns keep it behind what the session did before.
//! - What failed before it reached the tree (a session that is over, a server that does not serve)
//!   says nothing.
//!
//! Zxids are not looked at: they are the witness of the other judge. Not here: anything about
//! several nodes (multi, children, syncs), ephemeral nodes, ACLs. The scenarios ask for none of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate::base::SessionId;
use quorate::jute::client::code;
use quorate_sim::workload::op::{Answer, is_tree_error};
use quorate_sim::workload::{History, Op, Outcome, Record};
use todc_utils::{Action, Specification, WGLChecker};

/// What stands in the node; `None` if there is none.
type Node = Option<(i32, Bytes)>;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct State {
    node: Node,
    /// How many operations of each session had their turn.
    turns: BTreeMap<SessionId, usize>,
}

/// What was answered: an error of the tree, or not.
type Reply = Result<Answer, i32>;

/// An operation and what was told of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    op: Op,
    /// Its session, and its place among the session's answered operations on this node; `None` if
    /// its reply was lost.
    turn: Option<(SessionId, usize)>,
    reply: Option<Reply>,
}

/// A node of the tree, by itself.
pub(crate) struct Znode;

impl Specification for Znode {
    type State = State;
    type Operation = Told;

    fn init() -> State {
        State::default()
    }

    fn apply(told: &Told, state: &State) -> (bool, State) {
        if let Some((session, turn)) = &told.turn
            && state.turns.get(session).copied().unwrap_or(0) != *turn
        {
            return (false, state.clone());
        }
        let (fits, node) = match &told.reply {
            None => (true, effect(&told.op, &state.node).unwrap_or_else(|| state.node.clone())),
            Some(Ok(answer)) => match effect(&told.op, &state.node) {
                Some(node) => (shows(answer, &node), node),
                None => (false, state.node.clone()),
            },
            Some(Err(err)) => (fails_with(&told.op, &state.node, *err), state.node.clone()),
        };
        if !fits {
            return (false, state.clone());
        }
        let mut turns = state.turns.clone();
        if let Some((session, turn)) = &told.turn {
            turns.insert(*session, turn + 1);
        }
        (true, State { node, turns })
    }
}

/// What the node is after a success; `None` if there can be none.
fn effect(op: &Op, node: &Node) -> Option<Node> {
    let is_due = |wanted: i32, version: i32| wanted == -1 || wanted == version;
    match (op, node) {
        (Op::Create(create), None) => Some(Some((0, create.data.clone()))),
        (Op::Set { data, version, .. }, Some((v, _))) if is_due(*version, *v) => {
            Some(Some((v + 1, data.clone())))
        }
        (Op::Delete { version, .. }, Some((v, _))) if is_due(*version, *v) => Some(None),
        (Op::Get { .. } | Op::Exists { .. }, Some(_)) => Some(node.clone()),
        _ => None,
    }
}

/// Whether an answer shows the node that its operation left.
fn shows(answer: &Answer, node: &Node) -> bool {
    match (answer, node) {
        (Answer::Created(_, stat), Some((version, _))) => {
            stat.as_ref().is_none_or(|stat| stat.version == *version)
        }
        (Answer::Stat(stat), Some((version, data))) => {
            stat.version == *version && stat.data_length as usize == data.len()
        }
        (Answer::Data(shown, stat), Some((version, data))) => {
            stat.version == *version && shown.as_ref() == Some(data)
        }
        (Answer::Nothing, None) => true,
        _ => false,
    }
}

fn fails_with(op: &Op, node: &Node, err: i32) -> bool {
    match (err, node) {
        // Of a create, that its parent is missing: then it has no children.
        (code::NO_NODE, None) => true,
        (code::NODE_EXISTS, Some(_)) => matches!(op, Op::Create(_)),
        (code::NOT_EMPTY, Some(_)) => matches!(op, Op::Delete { .. }),
        (code::BAD_VERSION, Some(_)) => !op_reads(op) && effect(op, node).is_none(),
        _ => false,
    }
}

fn op_reads(op: &Op) -> bool {
    matches!(op, Op::Get { .. } | Op::Exists { .. })
}

/// The node an operation is about, if it is about one alone.
pub(crate) fn path(op: &Op) -> Option<&str> {
    match op {
        Op::Create(create) if !create.sequential && !create.ephemeral => Some(&create.path),
        Op::Set { path, .. }
        | Op::Delete { path, .. }
        | Op::Get { path, .. }
        | Op::Exists { path, .. } => Some(path),
        _ => None,
    }
}

/// The nodes a history is about.
pub(crate) fn paths(history: &History) -> BTreeSet<String> {
    history.records.iter().filter_map(|record| path(&record.op)).map(String::from).collect()
}

/// When an operation begins and ends, at the latest moment that is known; it says nothing: `None`.
fn span(record: &Record) -> Option<(u64, u64, Option<Reply>)> {
    match &record.outcome {
        Some(Outcome::Reply { at, err, answer, .. }) => {
            let reply = match (answer, *err) {
                (Some(answer), code::OK) => Ok(answer.clone()),
                (None, code::OK) => Ok(Answer::Nothing),
                (_, err) if is_tree_error(err) => Err(err),
                _ => return None,
            };
            let from = if op_reads(&record.op) { 0 } else { record.invoked.0 };
            Some((from, at.0, Some(reply)))
        }
        _ if op_reads(&record.op) => None,
        Some(Outcome::Lost { .. }) | None => Some((record.invoked.0, u64::MAX, None)),
    }
}

/// The operations on one node, as the checker takes them; and how many there are.
fn actions(history: &History, of: &str) -> Vec<(usize, Action<Told>)> {
    let mut turns: BTreeMap<SessionId, usize> = BTreeMap::new();
    // At one time, what is asked does not know yet what is answered.
    let mut events: Vec<(u64, bool, usize, Told)> = Vec::new();
    let on_it = history.records.iter().filter(|record| path(&record.op) == Some(of));
    for (n, record) in on_it.enumerate() {
        let Some((from, to, reply)) = span(record) else { continue };
        let turn = reply.as_ref().map(|_| {
            let next = turns.entry(record.session).or_default();
            *next += 1;
            (record.session, *next - 1)
        });
        let told = Told { op: record.op.clone(), turn, reply };
        events.push((from, false, n, told.clone()));
        events.push((to, true, n, told));
    }
    events.sort_by_key(|(at, is_reply, n, _)| (*at, *is_reply, *n));
    let action = |(_, is_reply, n, told)| match is_reply {
        false => (n, Action::Call(told)),
        true => (n, Action::Response(told)),
    };
    events.into_iter().map(action).collect()
}

/// The nodes whose history is none of a znode, and of how many operations was judged.
pub(crate) fn not_linearizable(history: &History) -> (Vec<String>, usize) {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for path in paths(history) {
        let actions = actions(history, &path);
        judged += actions.len() / 2;
        if !actions.is_empty()
            && !WGLChecker::<Znode>::is_linearizable(todc_utils::History::from_actions(actions))
        {
            wrong.push(path);
        }
    }
    (wrong, judged)
}
