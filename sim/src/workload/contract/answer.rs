//! Whether the answer to one write fits what the write did to its node.

use crate::workload::op::{Answer, Op};

/// What is wrong with an answer about this node, given the stat the write left.
pub(super) fn wrong_answer(
    op: &Op,
    path: &str,
    answer: Option<&Answer>,
    stat: Option<quorate::jute::data::Stat>,
) -> Option<String> {
    let fits = match (op, answer) {
        (Op::Create(create), Some(Answer::Created(created, shown))) => {
            let named = match create.sequential {
                true => path.starts_with(&create.path) && path.len() > create.path.len(),
                false => *path == *create.path,
            };
            named && created == path && *shown == stat.clone().filter(|_| create.with_stat)
        }
        (Op::Set { .. } | Op::SetAcl { .. }, Some(Answer::Stat(shown))) => {
            stat.as_ref() == Some(shown)
        }
        (Op::Delete { .. } | Op::Check { .. }, Some(Answer::Nothing)) => true,
        _ => false,
    };
    (!fits).then(|| format!("answered {answer:?}; it is about {path}, and left {stat:?}"))
}
