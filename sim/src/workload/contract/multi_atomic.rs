//! C-7  A multi is carried out as a whole or not at all.
//!
//! Checked: its results are all successes or all errors, the tree has all its effects or none, and
//! no answer shows a state between two of its parts. If a part fails, it gets its own error, the
//! parts before it get 0, and the parts behind it RUNTIMEINCONSISTENCY; the reply itself has no
//! error (facts 1.9).
//!
//! Not here: the trees of the servers, which S-16 compares at the ends of whole transactions.

use quorate::jute::client::code;
use quorate::jute::txn::{Proposal, Txn};

use super::answer::wrong_answer;
use super::{Judgement, has_failed, reply};
use crate::workload::history::Record;
use crate::workload::model::{Effects, Model};
use crate::workload::op::{Answer, Op};

/// The code each part must get. Each part sees what those before it did.
pub(super) fn expect(parts: &[Op], proposal: &Proposal, before: &Model) -> Vec<i32> {
    let logged: &[(i32, Txn)] = match &proposal.txn {
        Txn::Multi(logged) => logged,
        _ => &[],
    };
    let mut model = before.clone();
    let mut codes = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        if let Some(err) = model.failure(part) {
            codes.push(err);
            codes.resize(parts.len(), code::RUNTIME_INCONSISTENCY);
            return codes;
        }
        codes.push(code::OK);
        if let Some((_, txn)) = logged.get(n).filter(|(_, txn)| !txn.is_error()) {
            model.apply_part(&proposal.header, txn, &mut Effects::default());
        }
    }
    codes
}

/// Compares a multi's results with these codes, and with what its transaction did.
pub(super) fn compare(
    record: &Record,
    proposal: &Proposal,
    codes: &[i32],
    effects: &Effects,
    out: &mut Judgement,
) {
    out.count("C-7");
    let (Op::Multi(parts), Some(reply)) = (&record.op, reply(record)) else { return };
    let Some(Answer::Multi(results)) = reply.answer else {
        return out.add_about("C-1", record, &format!("answered {} alone", reply.err));
    };
    let succeeded = results.iter().filter(|result| result.is_ok()).count();
    if succeeded != 0 && succeeded != results.len() {
        let words = format!("{succeeded} of {} parts succeeded", results.len());
        return out.add_about("C-7", record, &words);
    }
    let fails = codes.iter().any(|err| *err != code::OK);
    if (succeeded == 0 && !results.is_empty()) != has_failed(&proposal.txn) {
        let words = format!("answered {results:?}, but committed was {:?}", proposal.txn);
        return out.add_about("C-7", record, &words);
    }
    let shown: Vec<i32> = results.iter().map(|r| *r.as_ref().err().unwrap_or(&code::OK)).collect();
    if shown != codes || fails != has_failed(&proposal.txn) {
        let words = format!("answered {shown:?}, the tree gives {codes:?}");
        return out.add_about("C-1", record, &words);
    }
    let Txn::Multi(logged) = &proposal.txn else { return };
    if fails {
        return;
    }
    for (n, (part, result)) in parts.iter().zip(results).enumerate() {
        let path = logged.get(n).and_then(|(_, txn)| path_of(txn)).unwrap_or("");
        let stat = effects.stats.get(n).cloned().flatten();
        if let Some(words) = wrong_answer(part, path, result.as_ref().ok(), stat) {
            out.add_about("C-1", record, &format!("part {n}: {words}"));
        }
    }
}

fn path_of(txn: &Txn) -> Option<&str> {
    match txn {
        Txn::Create(t) => Some(&t.path),
        Txn::SetData(t) => Some(&t.path),
        Txn::Delete(t) => Some(&t.path),
        Txn::CheckVersion(t) => Some(&t.path),
        _ => None,
    }
}

/// Whether something that fits no state fits one between two parts of this multi.
pub(super) fn fits_between(
    before: &Model,
    proposal: &Proposal,
    fits: impl Fn(&Model) -> bool,
) -> bool {
    let Txn::Multi(parts) = &proposal.txn else { return false };
    if has_failed(&proposal.txn) {
        return false;
    }
    let mut model = before.clone();
    let mut between = parts.iter().take(parts.len().saturating_sub(1));
    between.any(|(_, part)| {
        model.apply_part(&proposal.header, part, &mut Effects::default());
        fits(&model)
    })
}

#[cfg(test)]
mod tests {
    use quorate::jute::client::code;
    use quorate::jute::txn::{ErrorTxn, Txn, kind};

    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::op::{Answer, Op};

    /// A multi of these parts, logged with this error at its second part, if any.
    fn multi(parts: Vec<Op>, err: Option<i32>, results: Vec<Result<Answer, i32>>) -> ClientScript {
        let mut clients = ClientScript::new();
        let mut logged: Vec<(i32, Txn)> = parts.iter().map(|part| clients.txn(part)).collect();
        if let Some(err) = err {
            logged[1] = (kind::ERROR, Txn::Error(ErrorTxn { err }));
        }
        let n = clients.ask(Op::Multi(parts));
        clients.commit(S, 3, kind::MULTI, Txn::Multi(logged));
        clients.answer(n, clients.last(), code::OK, Some(Answer::Multi(results)));
        clients
    }

    fn set_twice(version: i32) -> Vec<Op> {
        vec![ClientScript::set("/a", -1), ClientScript::set("/a/b", version)]
    }

    fn answers() -> Vec<Result<Answer, i32>> {
        let clients = multi(set_twice(-1), None, vec![]);
        let stat = |path| Ok(Answer::Stat(clients.model.stat(path).expect("it was created")));
        vec![stat("/a"), stat("/a/b")]
    }

    #[test]
    fn all_parts_or_none() {
        multi(set_twice(-1), None, answers()).assert_holds();
        let failed = || vec![Err(code::OK), Err(code::BAD_VERSION)];
        multi(set_twice(9), Some(code::BAD_VERSION), failed()).assert_holds();
        let half = vec![answers().remove(0), Err(code::BAD_VERSION)];
        multi(set_twice(9), Some(code::BAD_VERSION), half).assert_violates("C-7");
    }

    #[test]
    fn an_answer_that_denies_what_was_done_is_caught() {
        let failed = || vec![Err(code::OK), Err(code::BAD_VERSION)];
        let found = multi(set_twice(-1), None, failed()).judge().found;
        assert!(found.iter().any(|violation| violation.id == "C-7"), "{found:?}");
        let found = multi(set_twice(9), Some(code::BAD_VERSION), answers()).judge().found;
        assert!(found.iter().any(|violation| violation.id == "C-7"), "{found:?}");
    }

    #[test]
    fn a_multi_whose_condition_was_not_met_is_caught() {
        multi(set_twice(9), None, answers()).assert_violates("C-1");
    }

    #[test]
    fn each_part_sees_those_before_it() {
        let mut stale = answers();
        stale.swap(0, 1);
        multi(set_twice(-1), None, stale).assert_violates("C-1");
        let parts = vec![ClientScript::create("/c", false), ClientScript::create("/c/d", false)];
        let created = |path: &str| Ok(Answer::Created(path.into(), None));
        multi(parts, None, vec![created("/c"), created("/c/d")]).assert_holds();
    }

    #[test]
    fn a_read_between_two_parts_is_caught() {
        let before = ClientScript::new();
        let between = before.model.data("/a/b").zip(before.model.stat("/a/b"));
        let mut clients = multi(set_twice(-1), None, answers());
        // The first part is there, the second is not.
        clients.get("/a", false);
        clients.assert_holds();
        let answer = between.map(|(data, stat)| Answer::Data(data, stat));
        clients.read(Op::Get { path: "/a/b".into(), watch: false }, code::OK, answer);
        clients.assert_violates("C-7");
    }
}
