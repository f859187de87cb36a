//! A listening socket as a task that can be stopped.
//!
//! After [`Listening::stop`] the socket is closed as soon as its task runs; [`Listening::ended`]
//! tells when, so that the same address can be bound again.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{self, Future};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tracing::warn;

use super::{Listener, Runtime};
use crate::base::Stamp;

/// How long accepting rests after an error, such as too many open files.
const REST: Duration = Duration::from_millis(100);

/// Something that happens once and can be waited for.
#[derive(Clone, Default)]
pub struct Once {
    inner: Rc<OnceInner>,
}

#[derive(Default)]
struct OnceInner {
    happened: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.inner.happened.get()).finish()
    }
}

impl Once {
    fn happen(&self) {
        self.inner.happened.set(true);
        for waker in self.inner.wakers.take() {
            waker.wake();
        }
    }

    fn has_happened(&self) -> bool {
        self.inner.happened.get()
    }

    pub async fn wait(&self) {
        let _ = self.or(future::pending::<()>()).await;
    }

    /// What `wanted` gives, `None` if this happens before.
    pub async fn or<T>(&self, wanted: impl Future<Output = T>) -> Option<T> {
        let mut wanted = pin!(wanted);
        future::poll_fn(|cx| {
            if self.has_happened() {
                return Poll::Ready(None);
            }
            let mut wakers = self.inner.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            drop(wakers);
            wanted.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

/// The pump's handle on one listening task.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    stop: Once,
    ended: Once,
}

impl Listening {
    /// No more connections are accepted; those that were stay.
    pub fn stop(&self) {
        self.stop.happen();
    }

    /// Waits until the socket is closed.
    pub async fn ended(&self) {
        self.ended.wait().await;
    }

    /// Waits, but not longer than until `stop`: `None` then.
    pub async fn unless_stopped<T>(&self, wanted: impl Future<Output = T>) -> Option<T> {
        self.stop.or(wanted).await
    }

    /// The task has closed its socket, or never had one.
    pub fn end(&self) {
        self.ended.happen();
    }

    /// Accepts until `stop`.
    pub async fn accept<R: Runtime>(
        &self,
        rt: &R,
        mut listener: R::Listener,
        mut accepted: impl FnMut(Stamp, R::Stream),
    ) {
        loop {
            match self.unless_stopped(listener.accept()).await {
                None => break,
                Some(Ok((at, stream))) => accepted(at, stream),
                Some(Err(error)) => {
                    warn!(%error, "cannot accept a connection");
                    let rested = rt.sleep_until(rt.stamp() + REST);
                    if self.unless_stopped(rested).await.is_none() {
                        break;
                    }
                }
            }
        }
    }
}
