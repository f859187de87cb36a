//! `cut`, `heal`: nothing passes between machines for a while.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::between::each_link;
use super::{AnyKind, Class, Drawing, Ended, Entry, Heal, Kind, Paint, Step, Word};
use crate::grammar::Links;
use crate::grammar::words::ends;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cut {
    Begin(Links),
    Heal(Links),
    /// Mends the whole network, with every delay and hold.
    HealAll,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word { text: "cut", read: |names, words| Ok(Cut::Begin(names.links(words)?).into()) },
        Word {
            text: "heal",
            read: |names, words| {
                let heal = if ends(words) { Cut::HealAll } else { Cut::Heal(names.links(words)?) };
                Ok(heal.into())
            },
        },
    ],
    classes: &[
        Class {
            name: "cut",
            draw: |drawing| drawing.other().map(|_| healed(drawing, two_groups(drawing))),
        },
        Class {
            name: "one_way_cut",
            draw: |drawing| drawing.other().map(|_| healed(drawing, one_way(drawing))),
        },
        Class {
            name: "partial_cut",
            draw: |drawing| {
                let pair = [vec![drawing.server()], vec![drawing.other()?]];
                Some(healed(drawing, Links::between(&pair)))
            },
        },
    ],
    heal: Heal::World(World::heal_network),
};

fn healed(drawing: &Drawing<'_>, links: Links) -> Vec<Step> {
    drawing.lasting(Cut::Begin(links.clone()), Cut::Heal(links))
}

/// Two groups, neither of them empty.
fn two_groups(drawing: &Drawing<'_>) -> Links {
    let mut sides: [Vec<ServerId>; 2] = [Vec::new(), Vec::new()];
    for (n, server) in drawing.servers.iter().enumerate() {
        sides[drawing.below("fault side", n as u64, 2)].push(*server);
    }
    for i in 0..2 {
        if sides[i].is_empty() {
            let moved = sides[1 - i].pop();
            sides[i].extend(moved);
        }
    }
    Links::between(&sides)
}

/// All that one server sends, or all that is sent to it.
fn one_way(drawing: &Drawing<'_>) -> Links {
    let (one, others) = ([drawing.server()], drawing.others());
    match drawing.below("fault direction", 0, 2) {
        0 => Links::one_way(&others, &one),
        _ => Links::one_way(&one, &others),
    }
}

impl Kind for Cut {
    fn apply(&self, world: &World) {
        match self {
            Cut::Begin(links) => each_link(world, links, |a, b, plane| world.cut(a, b, plane)),
            Cut::Heal(links) => each_link(world, links, |a, b, plane| world.heal(a, b, plane)),
            Cut::HealAll => world.heal_network(),
        }
    }

    fn links(&self) -> Option<&Links> {
        match self {
            Cut::Begin(links) | Cut::Heal(links) => Some(links),
            Cut::HealAll => None,
        }
    }

    fn links_mut(&mut self) -> Option<&mut Links> {
        match self {
            Cut::Begin(links) | Cut::Heal(links) => Some(links),
            Cut::HealAll => None,
        }
    }

    fn paint(&self) -> Paint {
        match self {
            Cut::Begin(_) => Paint::Parts,
            Cut::Heal(_) | Cut::HealAll => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        match later.as_kind() {
            Some(Cut::Heal(links)) => Ended::Links(links),
            Some(Cut::HealAll) => Ended::Everything,
            Some(Cut::Begin(_)) | None => Ended::Nothing,
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Begin(links) => write!(f, "cut {links}"),
            Cut::Heal(links) => write!(f, "heal {links}"),
            Cut::HealAll => f.write_str("heal"),
        }
    }
}
