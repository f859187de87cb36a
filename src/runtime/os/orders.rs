//! Signals of the process, as orders for the server.
//!
//!     SIGTERM, SIGINT    stop in good order; the second of them ends the process at once
//!
//! A thread of its own hears them, so that the second one works whatever the server's thread does. It
//! also ends a process that is told to stop and does not: the server's thread may hang.
//!
//! Not here: what the server does then (peer).

use std::cell::RefCell;
use std::fmt;
use std::future;
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::halt::end;
use crate::base::Stamp;
use crate::runtime::{Halt, Order};

use super::clock::Clock;

/// How much longer than it may take the thread of signals waits for the end of the process.
const GRACE: Duration = Duration::from_secs(2);

/// What this process was told. Nothing before [`Orders::begin`].
#[derive(Clone, Default)]
pub(super) struct Orders {
    told: Rc<RefCell<Option<UnboundedReceiver<Order>>>>,
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").finish_non_exhaustive()
    }
}

impl Orders {
    /// Hears signals from now on. The end in good order may take so long.
    pub(super) fn begin(&self, stop_timeout: Duration) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (send, told) = unbounded_channel();
        self.told.replace(Some(told));
        let heard = {
            let _inside = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let listening = listen(heard, send, stop_timeout);
        thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(listening))?;
        Ok(())
    }

    pub(super) async fn next(&self, clock: Clock) -> (Stamp, Order) {
        let order = future::poll_fn(|cx| match &mut *self.told.borrow_mut() {
            Some(told) => told.poll_recv(cx).map(|order| order.unwrap_or(Order::Stop)),
            None => std::task::Poll::Pending,
        });
        let order = order.await;
        (clock.stamp(), order)
    }
}

async fn listen(
    (mut terminate, mut interrupt): (Signal, Signal),
    send: UnboundedSender<Order>,
    stop_timeout: Duration,
) {
    let mut next = async || {
        tokio::select! {
            biased;
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    next().await;
    // Nobody takes it once the server's thread has ended, and the process ends with that.
    let _ = send.send(Order::Stop);
    match tokio::time::timeout(stop_timeout + GRACE, next()).await {
        Ok(again) => {
            let exit_code = 128 + again.as_raw_value();
            end(&Halt::new(exit_code, "it was told to a second time"))
        }
        Err(_) => end(&Halt::unexpected("it was told to, and did not end by itself")),
    }
}
