//! Where a client's operations come from: drawn at a rate, or told by a timeline.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::Stamp;
use tokio::sync::Notify;

use super::op::Op;
use super::values::ValueSizes;
use crate::scenario::mix::Mix;

/// Where a client's operations come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Drawn at a rate, from one moment to another; `writes` counts where there is no mix.
    Drawn {
        from: Stamp,
        until: Stamp,
        every: Duration,
        writes: f64,
        nodes: u32,
        sizes: ValueSizes,
        mix: Option<Rc<Mix>>,
    },
    /// These, one after another, from one moment to another that is set while they run.
    Listed { from: Stamp, until: Rc<Cell<Stamp>>, ops: Rc<[Op]> },
    /// Told by a scenario's timeline.
    Scripted(Rc<Script>),
}

/// Operations a timeline tells a client to do, and when it told them.
#[derive(Debug, Default)]
pub struct Script {
    queue: RefCell<VecDeque<(Stamp, Op)>>,
    /// When each operation was told, sent or not.
    all: RefCell<Vec<Stamp>>,
    told: Notify,
}

impl Script {
    pub fn tell(&self, at: Stamp, op: Op) {
        self.queue.borrow_mut().push_back((at, op));
        self.all.borrow_mut().push(at);
        self.told.notify_one();
    }

    /// How many operations were told before a moment.
    pub fn told_before(&self, at: Stamp) -> usize {
        self.all.borrow().iter().filter(|told| **told < at).count()
    }

    /// When the next operation was told that is not taken yet.
    pub(super) fn next_at(&self) -> Option<Stamp> {
        self.queue.borrow().front().map(|(at, _)| *at)
    }

    pub(super) fn take(&self) -> Option<Op> {
        self.queue.borrow_mut().pop_front().map(|(_, op)| op)
    }

    /// Waits until there is something new.
    pub(super) async fn told_more(&self) {
        self.told.notified().await;
    }

    /// Whether everything told has been sent.
    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }
}
