//! What a client remembers when it chooses its next operation.

use std::collections::{BTreeMap, VecDeque};

use super::op::{Answer, Op};

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Names outside of the shared nodes that it created itself and has not deleted.
    pub(super) created: Vec<String>,
    /// The newest version it saw of a shared node.
    pub(super) seen_version: i32,
    /// Sequential nodes it made and has not deleted, oldest first.
    pub(super) sequential: VecDeque<String>,
    /// The newest version it saw of each node.
    pub(super) versions: BTreeMap<String, i32>,
}

impl Memory {
    /// An operation was answered; `answer` is `None` if with an error.
    pub(super) fn learn(&mut self, op: &Op, answer: Option<&Answer>) {
        match (op, answer) {
            (Op::Multi(parts), Some(Answer::Multi(results))) => {
                for (part, result) in parts.iter().zip(results) {
                    self.learn(part, result.as_ref().ok());
                }
            }
            (Op::Create(create), Some(Answer::Created(path, _))) => {
                if create.sequential && path.starts_with("/k") {
                    self.sequential.push_back(path.clone());
                } else if !create.ephemeral && !path.starts_with("/k") {
                    self.created.push(path.clone());
                }
                self.versions.insert(path.clone(), 0);
            }
            (Op::Delete { path, .. }, _) => {
                self.created.retain(|known| known != path);
                self.sequential.retain(|known| known != path);
            }
            (
                Op::Set { path, .. } | Op::Get { path, .. } | Op::Exists { path, .. },
                Some(Answer::Data(_, stat) | Answer::Stat(stat)),
            ) => {
                self.seen_version = stat.version;
                self.versions.insert(path.clone(), stat.version);
            }
            _ => {}
        }
    }
}
