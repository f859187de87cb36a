//! `slow-steps`: a server takes time for what it does. A time of 0 s ends it.
//!
//! Without it a step of the pump takes no time, however much it gives out: what a server does at once
//! and ought to do in portions would do no harm.

use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::List;
use crate::grammar::show_duration;
use crate::world::World;

/// A step takes so much time for each of its outputs, and the next one waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowSteps {
    pub servers: Vec<ServerId>,
    pub by: Duration,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "slow-steps",
        read: |names, words| {
            let servers = names.servers(words)?;
            Ok(SlowSteps { servers, by: names.time(words, "how long an output takes: `20us`")? }
                .into())
        },
    }],
    classes: &[],
    heal: Heal::Server(|world, server| world.set_output_time(server, Duration::ZERO)),
};

impl Kind for SlowSteps {
    fn apply(&self, world: &World) {
        self.servers.iter().for_each(|server| world.set_output_time(*server, self.by));
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }

    fn round(&mut self, to: &dyn Fn(Duration) -> Duration) {
        self.by = to(self.by);
    }

    fn paint(&self) -> Paint {
        if self.by.is_zero() { Paint::Moment } else { Paint::Slow }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        let other = later.as_kind::<SlowSteps>();
        other.map_or(Ended::Nothing, |other| Ended::Servers(&other.servers))
    }
}

impl fmt::Display for SlowSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow-steps {} {}", List(&self.servers), show_duration(self.by))
    }
}
