//! Waking tasks of another thread, many at once.
//!
//! To wake a thread costs a system call of whoever does it, and a turn of its event loop. So the tasks
//! to be woken are collected: the first of them rings, and one task of the other thread, which listens,
//! wakes them all as it would its neighbours.
//!
//! BL-1  a waker that was handed in is woken, as long as somebody listens
//!
//! A worker rings at once: while the pump is busy, more of them gather. The pump rings once a turn, by a
//! task of its own that comes after all those that are ready by then (`Ringer`).

use std::cell::RefCell;
use std::fmt;
use std::future::{self, Future};
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Rings on one thread; clones are the same bell.
#[derive(Clone, Default)]
pub(super) struct Bell {
    rung: Arc<Mutex<Rung>>,
}

#[derive(Default)]
struct Rung {
    tasks: Vec<Waker>,
    /// Who wakes them, while it sleeps.
    listener: Option<Waker>,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

impl Bell {
    /// Wakes a task, be it a little later.
    pub(super) fn ring(&self, task: Waker) {
        self.ring_with(|tasks| tasks.push(task));
    }

    fn ring_with(&self, add: impl FnOnce(&mut Vec<Waker>)) {
        let mut rung = self.rung.lock().expect("nobody panics with it");
        add(&mut rung.tasks);
        let listener = rung.listener.take();
        drop(rung);
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// Wakes whom others ring for, on the thread that polls this.
    pub(super) fn listen(self) -> impl Future<Output = ()> + Send {
        let mut tasks = Vec::new();
        future::poll_fn(move |cx| {
            loop {
                {
                    let mut rung = self.rung.lock().expect("nobody panics with it");
                    mem::swap(&mut rung.tasks, &mut tasks);
                    if tasks.is_empty() {
                        rung.listener = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
                tasks.drain(..).for_each(Waker::wake);
            }
        })
    }
}

/// Rings a bell once a turn.
#[derive(Clone, Default)]
pub(super) struct Ringer {
    inner: Rc<RingerInner>,
}

#[derive(Default)]
struct RingerInner {
    bell: Bell,
    tasks: RefCell<Vec<Waker>>,
    /// Its own task, while there is nothing to ring for.
    waker: RefCell<Option<Waker>>,
}

impl fmt::Debug for Ringer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ringer").finish_non_exhaustive()
    }
}

impl Ringer {
    pub(super) fn bell(&self) -> Bell {
        self.inner.bell.clone()
    }

    /// Has a task of the other thread woken when this thread's turn is over.
    pub(super) fn ring(&self, task: Waker) {
        self.inner.tasks.borrow_mut().push(task);
        if let Some(waker) = self.inner.waker.take() {
            waker.wake();
        }
    }

    /// Its task, on the thread that rings.
    pub(super) async fn run(self) {
        future::poll_fn(|cx| {
            let tasks = &mut *self.inner.tasks.borrow_mut();
            if !tasks.is_empty() {
                self.inner.bell.ring_with(|rung| rung.append(tasks));
            }
            *self.inner.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
