//! A workload that works by itself becomes a few lines that say what is asked and when.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::ServerId;

use super::edit::tidy;
use super::{LINES_GOAL, Shrinker};
use crate::recording::{Party, Recording, Request, What};
use crate::scenario::draft::Draft;
use crate::scenario::{Action, ClientAct, Line};

/// More operations than this are not tried one by one.
const OPERATIONS_MAX: usize = 400;

impl Shrinker {
    /// Writes the operations that matter into the timeline, if they are few.
    pub(super) fn scripted_clients(&mut self) -> bool {
        if !self.draft.table.contains_key("workload") {
            return false;
        }
        let Some(recording) = self.trials.record(&self.draft) else { return false };
        let (connects, asked) = operations(&self.draft, &recording, self.hit.at);
        if asked.is_empty() {
            return false;
        }
        let saved = (self.draft.clone(), self.hit.clone());
        let mut base = self.draft.clone();
        base.table.remove("workload");
        let build = |base: &Draft, asked: &[Line]| scripted(base, &connects, asked);
        // The last ones first: what is near the failure is likely its cause.
        let mut sizes: Vec<usize> = (0..10).map(|n| 1 << n).filter(|n| *n < asked.len()).collect();
        sizes.push(asked.len());
        let latest = |size: usize| &asked[asked.len() - size..];
        let candidates = sizes.iter().map(|size| build(&base, latest(*size))).collect();
        let Some(n) = self.attempt_with_any_seed(candidates) else { return false };
        let kept = latest(sizes[n % sizes.len()]).to_vec();
        if kept.len() <= OPERATIONS_MAX {
            base.set_top("seed", self.draft.table["seed"].clone());
            let found = self.draft.clone();
            self.draft = base;
            let reduced = self.reduce(kept, build);
            if !reduced {
                self.draft = found;
            }
        }
        self.fewer_lines();
        if self.draft.lines.len() > LINES_GOAL {
            (self.draft, self.hit) = saved;
            return false;
        }
        true
    }
}

/// When which client connects, in the order of the servers it tries; and what is asked.
fn operations(
    draft: &Draft,
    recording: &Recording,
    upto: Duration,
) -> (BTreeMap<String, Line>, Vec<Line>) {
    let mut servers: Vec<ServerId> = draft.members("voters").into_iter().map(ServerId).collect();
    servers.extend(draft.members("observers").into_iter().map(ServerId));
    servers.sort();
    let begin = draft.time("workload", "from").unwrap_or_default();
    let (mut connects, mut asked) = (BTreeMap::new(), Vec::new());
    for event in &recording.events {
        let (Party::Client(client), What::Asked { server, request, .. }) = (event.by, &event.what)
        else {
            continue;
        };
        let name = recording.name(Party::Client(client));
        let at = Duration::from_micros(event.at / 1_000);
        if at > upto || !is_of_workload(draft, &name) {
            continue;
        }
        connects.entry(name.clone()).or_insert_with(|| {
            let first = servers.iter().position(|id| id.0 == *server).unwrap_or(0);
            let mut turn = servers.clone();
            turn.rotate_left(first);
            Line::at(begin, Action::Client { name: name.clone(), act: ClientAct::Connects(turn) })
        });
        // What a timeline cannot say is left out.
        if let Request::Act(act) = request {
            asked.push(Line::at(at, Action::Client { name, act: act.clone() }));
        }
    }
    (connects, asked)
}

fn is_of_workload(draft: &Draft, name: &str) -> bool {
    !draft
        .lines
        .iter()
        .flat_map(|line| &line.actions)
        .any(|action| matches!(action, Action::Client { name: other, .. } if other == name))
}

/// These operations, and of the clients those that ask for one.
fn scripted(base: &Draft, connects: &BTreeMap<String, Line>, asked: &[Line]) -> Draft {
    let asks = |name: &String| {
        asked
            .iter()
            .flat_map(|line| &line.actions)
            .any(|action| matches!(action, Action::Client { name: other, .. } if other == name))
    };
    let mut draft = base.clone();
    let needed = connects.iter().filter(|(name, _)| asks(name));
    draft.lines.extend(needed.map(|(_, line)| line.clone()));
    draft.lines.extend(asked.iter().cloned());
    draft.lines.sort_by_key(|line| line.when.since());
    tidy(draft)
}
