//! `delay`: everything takes longer between machines. A delay of 0 s ends it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::between::each_link;
use super::cut::Cut;
use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::Links;
use crate::grammar::show_duration;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    links: Links,
    by: Duration,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "delay",
        read: |names, words| {
            let links = names.links(words)?;
            Ok(Delay { links, by: names.time(words, "how long: `300ms`")? }.into())
        },
    }],
    classes: &[Class {
        name: "delay",
        draw: |drawing| {
            let links = drawing.link()?;
            let by = drawing.between_ms("link delay", 5, 800);
            let undone = Delay { links: links.clone(), by: Duration::ZERO };
            Some(drawing.lasting(Delay { links, by }, undone))
        },
    }],
    heal: Heal::Nothing,
};

impl Kind for Delay {
    fn apply(&self, world: &World) {
        each_link(world, &self.links, |a, b, plane| world.delay(a, b, plane, self.by));
    }

    fn links(&self) -> Option<&Links> {
        Some(&self.links)
    }

    fn links_mut(&mut self) -> Option<&mut Links> {
        Some(&mut self.links)
    }

    fn round(&mut self, to: &dyn Fn(Duration) -> Duration) {
        self.by = to(self.by);
    }

    fn paint(&self) -> Paint {
        if self.by.is_zero() { Paint::Moment } else { Paint::Span }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        if let Some(other) = later.as_kind::<Delay>() {
            return Ended::Links(&other.links);
        }
        match later.as_kind() {
            Some(Cut::HealAll) => Ended::Everything,
            _ => Ended::Nothing,
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delay {} {}", self.links, show_duration(self.by))
    }
}
