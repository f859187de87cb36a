//! One file, several runs: every start order, or both sides of a boundary.

use std::time::Duration;

use quorate::base::ServerId;

use super::action::{Action, Expectation, Line};
use crate::grammar::{When, show_duration};

/// One run of a scenario.
#[derive(Clone, Debug)]
pub struct Case {
    /// Empty if the file has one case alone.
    pub name: String,
    /// Sorted by time; lines that wait for an event stand by the time they wait from.
    pub timeline: Vec<Line>,
    /// How long it lasts. Healing comes on top.
    pub duration: Duration,
}

impl Case {
    pub(super) fn new(name: String, mut timeline: Vec<Line>, duration: Option<Duration>) -> Case {
        timeline.sort_by_key(|line| line.when.since());
        let last = timeline.iter().map(|line| line.when.since()).max().unwrap_or_default();
        // The last line's expectations are looked at before the end.
        let duration = duration.unwrap_or(last).max(last);
        Case { name, timeline, duration }
    }
}

/// Starts these servers in every order, `gap` apart. The first quorum of each order decides: of
/// equal histories the highest id in it leads.
pub(super) fn start_orders(
    servers: &[ServerId],
    gap: Duration,
    best_of_first_quorum: impl Fn(&[ServerId]) -> ServerId,
    base: &[Line],
    place: (usize, usize),
) -> Vec<Case> {
    let mut orders = Vec::new();
    permute(&mut servers.to_vec(), 0, &mut orders);
    orders.sort();
    let cases = orders.iter().map(|order| {
        let mut timeline = base.to_vec();
        for (i, server) in order.iter().enumerate() {
            let when = When::At(gap * i as u32);
            timeline.push(line(when, Action::start(vec![*server]), place));
        }
        let leader = best_of_first_quorum(order);
        let others = servers.iter().copied().filter(|s| *s != leader).collect();
        let expect = Action::Expect(vec![
            Expectation::Leader { servers: vec![leader], epoch: None },
            Expectation::InRole { servers: others, role: quorate::base::RoleName::Following },
        ]);
        timeline.push(line(When::At(gap * (order.len() as u32 + 1)), expect, place));
        let name: Vec<String> = order.iter().map(ToString::to_string).collect();
        Case::new(format!("order {}", name.join(",")), timeline, None)
    });
    cases.collect()
}

fn line(when: When, action: Action, place: (usize, usize)) -> Line {
    Line { when, actions: vec![action], place, fault: None }
}

/// Heap's permutations.
fn permute(items: &mut Vec<ServerId>, from: usize, out: &mut Vec<Vec<ServerId>>) {
    if from == items.len() {
        out.push(items.clone());
        return;
    }
    for i in from..items.len() {
        items.swap(from, i);
        permute(items, from + 1, out);
        items.swap(from, i);
    }
}

/// The name of a case on one side of a boundary.
pub(super) fn boundary_name(vary: &str, value: Duration) -> String {
    format!("{vary} = {}", show_duration(value))
}
