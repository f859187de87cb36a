//! What snapshots that are asked for need from one step to another, and which was the last.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Mono, Now, Zxid};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Asker {
    /// Of the question.
    pub(super) number: u64,
    /// The answer is the snapshot itself.
    pub(super) streaming: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Snapshots {
    asker: Option<Asker>,
    /// When the last one was asked for that was not refused.
    asked: Option<Mono>,
    /// The last one that is in the directory, and the second since 1970 in which it was written.
    last: Option<(Zxid, Option<i64>)>,
}

impl Snapshots {
    /// A snapshot was read, or has its name now.
    pub(super) fn note(&mut self, zxid: Zxid, written: Option<Now>) {
        self.last = Some((zxid, written.map(|now| now.wall_ms.div_euclid(1000))));
    }

    /// The zxid of the last snapshot, and the second in which it was written, if that is known.
    pub(super) fn last(&self) -> Option<(Zxid, Option<i64>)> {
        self.last
    }

    pub(super) fn ask(&mut self, now: Now, asker: Asker) {
        self.asked = Some(now.mono);
        self.asker = Some(asker);
    }

    /// One that was asked for is not answered, or not longer ago than this.
    pub(super) fn is_too_soon(&self, now: Now, interval: Duration) -> bool {
        let is_soon = |asked: Mono| now.mono < asked + interval;
        self.asker.is_some() || self.asked.is_some_and(is_soon)
    }

    /// Somebody waits.
    pub(super) fn is_asked(&self) -> bool {
        self.asker.is_some()
    }

    pub(super) fn take_asker(&mut self) -> Option<Asker> {
        self.asker.take()
    }
}
