//! `slow-apply`: transactions reach the tree late. A time of 0 s ends it.

use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::List;
use crate::grammar::show_duration;
use crate::world::World;

/// Each committed transaction reaches the tree up to this much later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowApply {
    pub servers: Vec<ServerId>,
    pub by: Duration,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "slow-apply",
        read: |names, words| {
            let servers = names.servers(words)?;
            Ok(SlowApply { servers, by: names.time(words, "how long: `50ms`")? }.into())
        },
    }],
    classes: &[Class {
        name: "slow_apply",
        draw: |drawing| {
            let servers = vec![drawing.server()];
            let by = drawing.between_ms("apply delay", 5, 300);
            let undone = SlowApply { servers: servers.clone(), by: Duration::ZERO };
            Some(drawing.lasting(SlowApply { servers, by }, undone))
        },
    }],
    heal: Heal::Server(|world, server| world.set_apply_lag(server, Duration::ZERO)),
};

impl Kind for SlowApply {
    fn apply(&self, world: &World) {
        self.servers.iter().for_each(|server| world.set_apply_lag(*server, self.by));
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
        let other = later.as_kind::<SlowApply>();
        other.map_or(Ended::Nothing, |other| Ended::Servers(&other.servers))
    }
}

impl fmt::Display for SlowApply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow-apply {} {}", List(&self.servers), show_duration(self.by))
    }
}
