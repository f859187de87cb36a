//! The tasks of a process.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use quorate::base::Broken;
use quorate::runtime::Halt;

use super::handle::World;
use super::process::Process;

/// A task of a process: a panic in it is the process's, not the simulator's.
pub(crate) struct Guarded<F> {
    world: World,
    process: Rc<Process>,
    task: Pin<Box<F>>,
    is_main: bool,
}

impl<F: Future<Output = ()>> Guarded<F> {
    pub(crate) fn new(world: World, process: Rc<Process>, task: F, is_main: bool) -> Guarded<F> {
        Guarded { world, process, task: Box::pin(task), is_main }
    }
}

impl<F: Future<Output = ()>> Future for Guarded<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match catch_unwind(AssertUnwindSafe(|| this.task.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                if this.is_main {
                    this.world.halt(&this.process, Halt::new(0, "its main future returned"));
                }
                Poll::Ready(())
            }
            Err(panic) => {
                this.world.panicked(&this.process, &Broken::caught(panic));
                Poll::Ready(())
            }
        }
    }
}
