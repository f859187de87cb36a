//! A crash point: power fails right behind one of the next durable effects of a server.
//!
//! The server is started at the end. A point that was not reached until then is none any more.

use super::{Class, Process, Step};
use crate::grammar::Trigger;

/// After whose effects it may lie; the first means any.
const FILES: [&str; 6] = ["", "log", "currentEpoch", "acceptedEpoch", "snapshot", "quorate.guard"];

pub(super) const CLASS: Class = Class {
    name: "crash_point",
    draw: |drawing| {
        let server = drawing.server();
        let file = FILES[drawing.below("crash file", 0, FILES.len())];
        let file = (!file.is_empty()).then(|| file.to_owned());
        let count = 1 + drawing.below("crash effect", 0, 8) as u32;
        // Files other than the log change rarely.
        let count = if file.is_some() { count.div_ceil(3) } else { count };
        let trigger = Trigger::Effect { server, file, count, before: Some(drawing.ends) };
        Some(vec![
            Step::on(drawing.begins, trigger, Process::Crash(vec![server])),
            Step::at(drawing.ends, Process::Start(vec![server])),
        ])
    },
};
