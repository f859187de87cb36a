//! C-8  Sequential nodes get the right number.
//!
//! Checked for each committed create of this kind: the name is what the client asked for and ten
//! digits. The number is how many children the parent has had so far, and it is above all earlier
//! ones there. If the parent is deleted and created again, its count begins again.

use std::collections::BTreeMap;

use quorate::base::{SessionId, Zxid};
use quorate::jute::txn::{Proposal, Txn};

use super::{Evidence, Judgement, about_nobody, has_failed};
use crate::workload::history::Record;
use crate::workload::model::{Model, parent_of};
use crate::workload::op::{Create, Op};

/// The creates that clients asked to be sequential, and the last number of each parent.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    asked: BTreeMap<(SessionId, i32), &'a Op>,
    /// By path and czxid of the parent.
    last: BTreeMap<(String, Zxid), i32>,
}

impl<'a> Names<'a> {
    pub(super) fn new(records: &'a [Record]) -> Names<'a> {
        let asks = |record: &&Record| matches!(record.op, Op::Create(_) | Op::Multi(_));
        let asked = records
            .iter()
            .filter(asks)
            .map(|record| ((record.session, record.xid), &record.op))
            .collect();
        Names { asked, last: BTreeMap::new() }
    }

    /// Checks one transaction; `before` is the tree without it.
    pub(super) fn check(
        &mut self,
        evidence: &Evidence<'_>,
        proposal: &Proposal,
        before: &Model,
        out: &mut Judgement,
    ) {
        let header = &proposal.header;
        let Some(op) = self.asked.get(&(header.client_id, header.cxid)).copied() else { return };
        let made: Vec<(&Op, &Txn)> = match (op, &proposal.txn) {
            (Op::Multi(parts), Txn::Multi(logged)) if !has_failed(&proposal.txn) => {
                parts.iter().zip(logged.iter().map(|(_, txn)| txn)).collect()
            }
            (op, txn) => vec![(op, txn)],
        };
        // Children of a parent that parts before this one made.
        let mut more: BTreeMap<String, i32> = BTreeMap::new();
        for (op, txn) in made {
            let (Op::Create(create), Txn::Create(t)) = (op, txn) else { continue };
            let parent = parent_of(&t.path).to_owned();
            let earlier = more.entry(parent.clone()).or_default();
            let (czxid, count) = before.creations(&parent).unwrap_or((proposal.zxid(), 0));
            let count = count.wrapping_add(*earlier);
            *earlier += 1;
            if create.sequential
                && let Some(words) = self.wrong_name(create, &t.path, (parent, czxid), count)
            {
                let (at, server) = about_nobody(evidence);
                out.add("C-8", at, server, format!("at {}: {words}", proposal.zxid()));
            }
            out.compared
                .entry("C-8")
                .and_modify(|n| *n += u64::from(create.sequential))
                .or_insert(u64::from(create.sequential));
        }
    }

    fn wrong_name(
        &mut self,
        create: &Create,
        made: &str,
        parent: (String, Zxid),
        count: i32,
    ) -> Option<String> {
        let digits = made.strip_prefix(create.path.as_str()).unwrap_or("");
        let number: Option<i32> = digits.parse().ok().filter(|_| digits.len() == 10);
        let Some(number) = number else {
            return Some(format!("{} became {made}", create.path));
        };
        let last = self.last.insert(parent, number);
        if last.is_some_and(|last| number <= last) {
            return Some(format!("{made} follows number {}", last.unwrap_or_default()));
        }
        (number != count).then(|| format!("{made} is child number {count} of its parent"))
    }
}

#[cfg(test)]
mod tests {
    use quorate::jute::txn::{CreateTxn, Txn, kind};

    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::op::{Create, Op};

    fn sequential() -> Op {
        Op::Create(Create { path: "/a/s-".into(), sequential: true, ..Create::default() })
    }

    /// A sequential create that was committed under this name.
    fn named(clients: &mut ClientScript, xid: i32, path: &str) {
        clients.ask(sequential());
        let (data, acl, parent_cversion) = (None, None, xid);
        let txn = CreateTxn { path: path.into(), data, acl, ephemeral: false, parent_cversion };
        clients.commit(S, xid, kind::CREATE, Txn::Create(txn));
    }

    #[test]
    fn a_name_is_the_count_of_children_in_ten_digits() {
        for (path, holds) in [
            ("/a/s-0000000001", true),
            ("/a/s-0000000002", false),
            ("/a/s-1", false),
            ("/a/t-0000000001", false),
        ] {
            let mut clients = ClientScript::new();
            named(&mut clients, 3, path);
            if holds { clients.assert_holds() } else { clients.assert_violates("C-8") }
        }
    }

    #[test]
    fn a_name_that_was_given_before_is_caught() {
        let mut clients = ClientScript::new();
        clients.write(sequential());
        let path = "/a/s-0000000001";
        clients.write(Op::Delete { path: path.into(), version: -1 });
        clients.assert_holds();
        named(&mut clients, 5, path);
        clients.assert_violates("C-8");
    }

    #[test]
    fn a_parent_that_came_anew_counts_anew() {
        let mut clients = ClientScript::new();
        clients.write(Op::Delete { path: "/a/b".into(), version: -1 });
        clients.write(Op::Delete { path: "/a".into(), version: -1 });
        clients.write(ClientScript::create("/a", false));
        clients.write(sequential());
        clients.assert_holds();
    }
}
