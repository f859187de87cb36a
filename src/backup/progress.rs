//! One line on a terminal that says how far it is; elsewhere nothing.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// So often at most.
const EVERY: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    is_shown: bool,
    shown: Option<Instant>,
}

impl Progress {
    /// On standard error, if that is a terminal.
    pub(super) fn new() -> Progress {
        Progress { is_shown: io::stderr().is_terminal(), shown: None }
    }

    pub(super) fn show(&mut self, line: impl FnOnce() -> String) {
        if !self.is_shown || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        // To the begin of the line, and clear it.
        eprint!("\r\x1b[K{}", line());
        let _ = io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
