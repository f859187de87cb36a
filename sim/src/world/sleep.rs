//! What a task of the world sleeps with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use quorate::base::Stamp;

use super::handle::World;
use super::process::Process;
use super::queue::Timer;

/// Sleeps until the world has reached a stamp. For a paused server it ends after the resume.
pub struct Sleep {
    world: World,
    process: Option<Rc<Process>>,
    at: Stamp,
    timer: Option<u64>,
}

impl Sleep {
    pub(crate) fn new(world: World, process: Option<Rc<Process>>, at: Stamp) -> Sleep {
        Sleep { world, process, at, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        if world.time().physical_now() < self.at {
            let mut queue = world.0.queue.borrow_mut();
            let at = self.at;
            if let Some(timer) = self.timer.and_then(|n| queue.timer(at, n)) {
                timer.waker.clone_from(cx.waker());
            } else {
                let timer = Timer { process: self.process.clone(), waker: cx.waker().clone() };
                self.timer = Some(queue.add_timer(at, timer));
            }
            return Poll::Pending;
        }
        match &self.process {
            Some(process) => process.poll_timer(self.at, self.timer.is_some(), cx),
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(n) = self.timer
            && let Ok(mut queue) = self.world.0.queue.try_borrow_mut()
        {
            queue.remove_timer(self.at, n);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("at", &self.at).finish_non_exhaustive()
    }
}

impl World {
    pub fn sleep_until(&self, at: Stamp) -> Sleep {
        Sleep::new(self.clone(), None, at)
    }
}
