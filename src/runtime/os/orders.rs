//! Signals of the process, as orders for the server.
//!
//!     SIGTERM, SIGINT    stop in good order; the second of them ends the process at once
//!     SIGHUP             read the configuration again, which is also done when its file has changed
//!
//! A thread of its own hears them, so that the second one works whatever the server's thread does. It
//! also ends a process that is told to stop and does not: the server's thread may hang.
//!
//! Not here: what the server does then (peer).

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::future;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::halt::end;
use crate::runtime::{Halt, Order};

/// How much longer than it may take the thread of signals waits for the end of the process.
const GRACE: Duration = Duration::from_secs(2);

/// How often the file of the configuration is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    pub(super) fn begin(&self, stop_timeout: Duration, watched: &Path) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (send, told) = unbounded_channel();
        self.told.replace(Some(told));
        let heard = {
            let _inside = runtime.enter();
            let hangup = signal(SignalKind::hangup())?;
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, hangup)
        };
        let listening = listen(heard, send, stop_timeout, watched.to_owned());
        thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(listening))?;
        Ok(())
    }

    /// `None` where nothing will come.
    pub(super) async fn next(&self) -> Option<Order> {
        let poll = |cx: &mut Context<'_>| match &mut *self.told.borrow_mut() {
            Some(told) => told.poll_recv(cx),
            None => Poll::Ready(None),
        };
        future::poll_fn(poll).await
    }
}

/// Until the terminal interrupts this process (SIGINT). From the first call on that ends it no more.
pub(super) async fn interrupted() {
    match signal(SignalKind::interrupt()) {
        Ok(mut interrupts) => {
            interrupts.recv().await;
        }
        // Then it ends the process, as it always did.
        Err(_) => future::pending().await,
    }
}

async fn listen(
    (mut terminate, mut interrupt, mut hangup): (Signal, Signal, Signal),
    send: UnboundedSender<Order>,
    stop_timeout: Duration,
    watched: PathBuf,
) {
    let mut watch = Watch::begin(watched);
    let mut next = async || {
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv() => return SignalKind::terminate(),
                _ = interrupt.recv() => return SignalKind::interrupt(),
                _ = hangup.recv() => {}
                () = watch.change() => {}
            }
            // Nobody takes it once the server's thread has ended, and the process ends with that.
            let _ = send.send(Order::Reread);
        }
    };
    next().await;
    let _ = send.send(Order::Stop);
    match tokio::time::timeout(stop_timeout + GRACE, next()).await {
        Ok(again) => {
            let exit_code = 128 + again.as_raw_value();
            end(&Halt::new(exit_code, "it was told to a second time"))
        }
        Err(_) => end(&Halt::unexpected("it was told to, and did not end by itself")),
    }
}

/// A file that is looked at now and then.
struct Watch {
    file: PathBuf,
    /// What it was when its change was told last, and what it was at the last look.
    told: Option<Face>,
    seen: Option<Face>,
}

/// What another content of a file hardly shares: its time, length and number.
type Face = (SystemTime, u64, u64);

impl Watch {
    fn begin(file: PathBuf) -> Watch {
        let face = face(&file);
        Watch { file, told: face, seen: face }
    }

    /// Returns when the file has changed, and has stayed as it is since the look before: whoever writes
    /// it has come to an end. A file that is gone is no change.
    async fn change(&mut self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let face = face(&self.file);
            let is_still = face == std::mem::replace(&mut self.seen, face);
            if is_still && face.is_some() && face != self.told {
                self.told = face;
                return;
            }
        }
    }
}

fn face(file: &Path) -> Option<Face> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}
