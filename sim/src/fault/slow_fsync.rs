//! `slow-fsync`: syncs of a disk take longer. A time of 0 s ends it.

use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::List;
use crate::grammar::show_duration;
use crate::world::World;

/// Each sync takes this much longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowFsync {
    pub servers: Vec<ServerId>,
    pub by: Duration,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "slow-fsync",
        read: |names, words| {
            let servers = names.servers(words)?;
            Ok(SlowFsync { servers, by: names.time(words, "how long: `50ms`")? }.into())
        },
    }],
    classes: &[Class {
        name: "slow_fsync",
        draw: |drawing| {
            let servers = vec![drawing.server()];
            let by = drawing.between_ms("fsync delay", 5, 400);
            let undone = SlowFsync { servers: servers.clone(), by: Duration::ZERO };
            Some(drawing.lasting(SlowFsync { servers, by }, undone))
        },
    }],
    heal: Heal::Server(|world, server| world.slow_fsync(server, Duration::ZERO)),
};

impl Kind for SlowFsync {
    fn apply(&self, world: &World) {
        self.servers.iter().for_each(|server| world.slow_fsync(*server, self.by));
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
        let other = later.as_kind::<SlowFsync>();
        other.map_or(Ended::Nothing, |other| Ended::Servers(&other.servers))
    }
}

impl fmt::Display for SlowFsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow-fsync {} {}", List(&self.servers), show_duration(self.by))
    }
}
