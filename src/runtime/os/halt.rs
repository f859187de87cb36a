//! The end of the process: a server asks for it, or one of its tasks has panicked.
//!
//! A panic is an assertion of ours. It is told as `Note::Broken` and ends the process with Apache's
//! exit code 1: a server that has lost one of its tasks must not go on as if it were whole.

use std::any::Any;
use std::future::{self, Future};
use std::panic::{self, AssertUnwindSafe};

use super::{log, notes};
use crate::base::Broken;
use crate::runtime::Halt;

/// A panic in this task is the end of the process.
pub(super) fn guarded<T>(
    name: &'static str,
    task: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let mut task = Box::pin(task);
    future::poll_fn(move |cx| {
        panic::catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx)))
            .unwrap_or_else(|panic| end_broken(name, panic))
    })
}

/// Nothing of the state behind a panic is used again. Where it happened stands on standard error.
pub(super) fn end_broken(task: &str, panic: Box<dyn Any + Send>) -> ! {
    let broken = Broken::caught(panic);
    let why = Halt::unexpected(format!("{} in task {task}", broken.id));
    notes::log(&broken.into_note());
    end(&why)
}

pub(super) fn end(why: &Halt) -> ! {
    match why.exit_code {
        0 => tracing::info!("the server ends: {}", why.why),
        exit_code => tracing::error!(exit_code, "the server ends: {}", why.why),
    }
    log::finish_log();
    std::process::exit(why.exit_code)
}
