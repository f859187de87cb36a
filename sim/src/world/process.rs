//! One incarnation of one server (or one workload client): when it lives, when it is paused,
//! and what it may see.
//!
//! **Death in stamps.** A process killed at C has done everything that inputs up to C make it
//! do, and nothing else, however madsim ordered its tasks: from C on nothing new reaches it,
//! effects later than C are refused, and its tasks are dropped at C + SETTLE + LATE, when the
//! inputs up to C are certainly through.
//!
//! **Pause in stamps.** What happens to a paused process inside (P, R] it sees just after R, in
//! the same order: stamps in the pause map into [R, R + SPREAD]. `effective` is a pure function
//! of the pauses, so a clock asked for such a stamp shows the resume.

use std::cell::Cell;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::task::NodeId;
use quorate::base::Stamp;
use quorate::runtime::Order;

use super::disk::LaneCursor;
use super::machine::Machine;
use super::time::{LATE, SETTLE, SPREAD, WorldTime};
use crate::draw::nanos;

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashMode {
    /// The process dies, its machine lives: the kernel closes its sockets (FIN, or RST where
    /// data was unread) and keeps what it wrote.
    Kill,
    /// The machine goes dark: no packet leaves, unsynced writes are lost, kept or torn. It
    /// answers (with RST, to what it no longer knows) from the next start on.
    Power,
}

#[derive(Clone, Copy)]
struct Pause {
    from: Stamp,
    until: Option<Stamp>,
}

/// Takes an order, and when it was given.
pub(crate) type Taker = Rc<dyn Fn(Stamp, Order)>;

pub(crate) struct Process {
    pub(crate) time: Rc<WorldTime>,
    pub(crate) machine: Rc<Machine>,
    pub(crate) incarnation: u64,
    pub(crate) node: Cell<Option<NodeId>>,
    pub(crate) started: Stamp,
    pub(crate) lanes: [RefCell<LaneCursor>; 4],
    dead_at: Cell<Stamp>,
    mode: Cell<CrashMode>,
    halted: Cell<bool>,
    reaped: Cell<bool>,
    pauses: RefCell<Vec<Pause>>,
    deferred: RefCell<Vec<Waker>>,
    /// Who takes what it is told.
    pub(crate) taker: RefCell<Option<Taker>>,
    /// The stamp of the newest step its pump told of.
    step: Cell<Stamp>,
    /// The stamp of the event that resumed a task of it last.
    seen: Cell<Stamp>,
}

impl Process {
    pub(crate) fn new(
        time: Rc<WorldTime>,
        machine: Rc<Machine>,
        incarnation: u64,
        started: Stamp,
    ) -> Process {
        Process {
            time,
            machine,
            incarnation,
            node: Cell::new(None),
            started,
            lanes: Default::default(),
            dead_at: Cell::new(Stamp::FAR),
            mode: Cell::new(CrashMode::Kill),
            halted: Cell::new(false),
            reaped: Cell::new(false),
            pauses: RefCell::new(vec![]),
            deferred: RefCell::new(vec![]),
            taker: RefCell::default(),
            step: Cell::new(started),
            seen: Cell::new(started),
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead_at.get() != Stamp::FAR
    }

    pub(crate) fn dead_at(&self) -> Stamp {
        self.dead_at.get()
    }

    pub(crate) fn mode(&self) -> CrashMode {
        self.mode.get()
    }

    pub(crate) fn is_reaped(&self) -> bool {
        self.reaped.get()
    }

    pub(crate) fn set_reaped(&self) {
        self.reaped.set(true);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pauses.borrow().last().is_some_and(|pause| pause.until.is_none())
    }

    /// Whether the first of two deaths; a later power loss still makes a kill a power loss.
    pub(crate) fn die(&self, at: Stamp, mode: CrashMode) -> bool {
        if mode == CrashMode::Power && !self.is_reaped() {
            self.mode.set(mode);
        }
        if self.is_dead() {
            return false;
        }
        self.mode.set(mode);
        self.dead_at.set(at);
        true
    }

    /// The end by its own hand, at the step it is in. True the first time.
    pub(crate) fn set_halted(&self) -> bool {
        !self.halted.replace(true) && !self.is_dead()
    }

    /// Whether an effect caused at `at` is refused: the process is dead, or was when it did it.
    pub(crate) fn refuses(&self, at: Stamp) -> bool {
        let dead_at = self.dead_at.get();
        self.reaped.get() || at > dead_at || (self.halted.get() && at >= dead_at)
    }

    /// The moment of something that comes without a stamp: the step that its pump is in, or
    /// what a task saw last.
    pub(crate) fn moment(&self) -> Stamp {
        let step = self.step.get();
        if self.time.is_fresh(step) { step } else { self.seen.get().max(step) }
    }

    pub(crate) fn note_step(&self, at: Stamp) {
        if at > self.step.get() && at <= self.time.physical_now() {
            self.step.set(at);
        }
    }

    pub(crate) fn seen(&self) -> Stamp {
        self.seen.get()
    }

    /// Not the newest of all: the one that resumes the task that runs now.
    pub(crate) fn note_seen(&self, at: Stamp) {
        self.seen.set(at);
    }

    pub(crate) fn pause(&self, at: Stamp) {
        if !self.is_paused() && !self.is_dead() {
            self.pauses.borrow_mut().push(Pause { from: at, until: None });
        }
    }

    /// True if it was paused: then it catches up SPREAD later.
    pub(crate) fn resume(&self, at: Stamp) -> bool {
        let mut pauses = self.pauses.borrow_mut();
        match pauses.last_mut() {
            Some(pause) if pause.until.is_none() => {
                pause.until = Some(at);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn catch_up(&self) {
        let wakers = std::mem::take(&mut *self.deferred.borrow_mut());
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The moment this process takes `at` for; None while a pause hides it.
    fn seen_as(&self, at: Stamp) -> Option<Stamp> {
        let pauses = self.pauses.borrow();
        for pause in pauses.iter().rev() {
            if at <= pause.from {
                continue;
            }
            let until = pause.until?;
            let end = until + SPREAD;
            if at > end {
                return Some(at);
            }
            let into = (at - pause.from).as_nanos() * SPREAD.as_nanos();
            let width = (end - pause.from).as_nanos().max(1);
            return Some(until + Duration::from_nanos((into / width) as u64));
        }
        Some(at)
    }

    /// The stamp of an effect or of a clock reading: as given outside pauses.
    pub(crate) fn effective(&self, at: Stamp) -> Stamp {
        if self.pauses.borrow().is_empty() { at } else { self.seen_as(at).unwrap_or(at) }
    }

    /// An input with this stamp is at hand: what stamp the process sees, or Pending if it must
    /// not see it (yet, or ever). `awaited`: a task was woken for it.
    pub(crate) fn poll_input(&self, at: Stamp, awaited: bool, cx: &Context<'_>) -> Poll<Stamp> {
        let now = self.time.physical_now();
        match self.seen_as(at) {
            Some(seen) if seen > self.dead_at.get() => Poll::Pending,
            Some(seen) if seen <= now => {
                if awaited {
                    self.time.note_late_read(now, seen);
                }
                self.note_seen(seen);
                Poll::Ready(seen)
            }
            _ => {
                self.deferred.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// When a timer set for `at` fires; None while a pause hides it. A pump sleeps SETTLE beyond
    /// the last input it waits for, so timers are let through for SETTLE after a pause or death
    /// begins, and after a resume they come SETTLE behind the inputs of their time.
    fn timer_as(&self, at: Stamp) -> Option<Stamp> {
        if self.pauses.borrow().is_empty() {
            return Some(at);
        }
        self.seen_as(Stamp(at.0.saturating_sub(nanos(SETTLE)))).map(|seen| seen + SETTLE)
    }

    /// `waited`: this timer resumes its task, it was not due when it was first asked.
    pub(crate) fn poll_timer(&self, at: Stamp, waited: bool, cx: &Context<'_>) -> Poll<()> {
        match self.timer_as(at) {
            Some(due) if due > self.dead_at.get() + SETTLE => Poll::Pending,
            Some(due) if due <= self.time.physical_now() => {
                self.note_seen(if waited { due } else { due.max(self.seen.get()) });
                Poll::Ready(())
            }
            _ => {
                self.deferred.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn wake_timer(&self, at: Stamp, waker: Waker) {
        match self.timer_as(at) {
            Some(due) if due > self.dead_at.get() + SETTLE => {}
            Some(due) if due <= self.time.physical_now() => waker.wake(),
            _ => self.deferred.borrow_mut().push(waker),
        }
    }

    /// Wakes a task that waits for an input with this stamp, now or after the pause.
    pub(crate) fn wake(&self, at: Stamp, waker: Waker) {
        if self.is_dead() && at > self.dead_at.get() {
            return;
        }
        match self.seen_as(at) {
            Some(seen) if seen <= self.time.physical_now() => waker.wake(),
            _ => self.deferred.borrow_mut().push(waker),
        }
    }

    /// When the tasks of a process dead at C are dropped.
    pub(crate) fn reap_at(&self) -> Stamp {
        self.dead_at.get() + SETTLE + LATE
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.machine.name, self.incarnation)
    }
}
