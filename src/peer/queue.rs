//! What the outputs of the cores wait in until they are performed: first in, first out.
//!
//! A step of a core puts its outputs behind all that wait already. The dispatch loop (dispatch.rs)
//! takes one at a time and performs it: as an output of the server, or as an input of the next
//! core, whose outputs are put behind the rest again. So the outputs of each core are performed in
//! the order in which it gave them, and none is lost.
//!
//! - PE-3  between two steps of the server nothing waits here.

use std::collections::VecDeque;

use super::io::Output;
use crate::base::invariant::invariant;
use crate::base::{Note, routine};
use crate::election::core as election;
use crate::election::links;
use crate::server;
use crate::zab::leader;
use crate::zab::learner;

/// One output of a core.
#[derive(Debug)]
pub(super) enum Effect {
    Election(election::Output),
    Links(links::Output),
    Leader(leader::Output),
    Learner(learner::Output),
    Service(server::Output),
    /// What the server itself tells, behind what waits.
    Note(Note),
}

/// Where one step of a core puts its outputs. Its room is kept for the next step.
#[derive(Debug, Default)]
struct Sinks {
    election: Vec<election::Output>,
    links: Vec<links::Output>,
    leader: Vec<leader::Output>,
    learner: Vec<learner::Output>,
    service: Vec<server::Output>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Effect>,
    sinks: Sinks,
    /// Performed: for the drivers.
    done: Vec<Output>,
}

/// Nothing waits between two steps (PE-3), and only then is a server copied.
impl Clone for Queue {
    fn clone(&self) -> Queue {
        Queue::new()
    }
}

impl Queue {
    pub(super) fn new() -> Queue {
        Queue::default()
    }

    /// The next output to perform.
    pub(super) fn next(&mut self) -> Option<Effect> {
        self.waiting.pop_front()
    }

    /// An output of the server itself.
    pub(super) fn push(&mut self, output: Output) {
        self.done.push(output);
    }

    /// Told at once.
    pub(super) fn note(&mut self, note: Note) {
        self.done.push(Output::Note(note));
    }

    /// Told at once, where somebody watches.
    pub(super) fn note_routine(&mut self, note: impl FnOnce() -> Note) {
        self.done.extend(routine(note).map(Output::Note));
    }

    /// Told in its turn, between what was put here before and what comes behind it.
    pub(super) fn note_in_turn(&mut self, note: Note) {
        self.waiting.push_back(Effect::Note(note));
    }

    /// What one step of the server does goes into `out` from here on, or has gone there.
    pub(super) fn swap(&mut self, out: &mut Vec<Output>) {
        std::mem::swap(&mut self.done, out);
    }

    #[cfg(test)]
    pub(super) fn take(&mut self) -> Vec<Output> {
        self.end_step();
        std::mem::take(&mut self.done)
    }

    pub(super) fn end_step(&self) {
        invariant!(self.waiting.is_empty(), "PE-3", "{:?} is left over", self.waiting);
    }

    pub(super) fn of_election<T>(
        &mut self,
        step: impl FnOnce(&mut Vec<election::Output>) -> T,
    ) -> T {
        let result = step(&mut self.sinks.election);
        put(&mut self.waiting, &mut self.sinks.election, Effect::Election);
        result
    }

    pub(super) fn of_links<T>(&mut self, step: impl FnOnce(&mut Vec<links::Output>) -> T) -> T {
        let result = step(&mut self.sinks.links);
        put(&mut self.waiting, &mut self.sinks.links, Effect::Links);
        result
    }

    pub(super) fn of_leader<T>(&mut self, step: impl FnOnce(&mut Vec<leader::Output>) -> T) -> T {
        let result = step(&mut self.sinks.leader);
        put(&mut self.waiting, &mut self.sinks.leader, Effect::Leader);
        result
    }

    pub(super) fn of_learner<T>(&mut self, step: impl FnOnce(&mut Vec<learner::Output>) -> T) -> T {
        let result = step(&mut self.sinks.learner);
        put(&mut self.waiting, &mut self.sinks.learner, Effect::Learner);
        result
    }

    pub(super) fn of_service<T>(&mut self, step: impl FnOnce(&mut Vec<server::Output>) -> T) -> T {
        let result = step(&mut self.sinks.service);
        put(&mut self.waiting, &mut self.sinks.service, Effect::Service);
        result
    }
}

/// Behind what waits already.
fn put<T>(waiting: &mut VecDeque<Effect>, sink: &mut Vec<T>, effect: impl Fn(T) -> Effect) {
    for output in sink.drain(..) {
        waiting.push_back(effect(output));
    }
}
