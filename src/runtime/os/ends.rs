//! The signals that end a command, for one that has something to put in order before it ends.
//!
//! Not here: what a server does at its own (orders.rs).

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Calls `tell` at each SIGINT, SIGTERM and SIGHUP, on a thread of its own. None of them ends the
/// process from here on.
pub fn hear_ends(tell: impl Fn() + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _inside = runtime.enter();
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        (interrupt?, terminate?, hangup?)
    };
    let listening = async move {
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            tell();
        }
    };
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(listening))?;
    Ok(())
}
