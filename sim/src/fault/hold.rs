//! `hold`, `release`: frames of one kind wait, and with each all that follows on its connection.

use std::fmt;

use quorate::runtime::LabelKind;
use serde::{Deserialize, Serialize};

use super::cut::Cut;
use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::Links;
use crate::grammar::words::{KINDS, ends, kind_word, named};
use crate::world::{Plane, World, server_name};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Hold {
    Begin {
        kind: LabelKind,
        links: Links,
    },
    Release {
        kind: LabelKind,
        links: Links,
    },
    /// Lets go of everything, or of every frame of this kind.
    ReleaseAll {
        kind: Option<LabelKind>,
    },
}

/// Frames worth holding, each as likely.
const DRAWN: [LabelKind; 16] = [
    LabelKind::Proposal,
    LabelKind::Ack,
    LabelKind::Commit,
    LabelKind::Inform,
    LabelKind::Ping,
    LabelKind::Request,
    LabelKind::NewLeader,
    LabelKind::UpToDate,
    LabelKind::Diff,
    LabelKind::Trunc,
    LabelKind::Snap,
    LabelKind::SnapshotStream,
    LabelKind::FollowerInfo,
    LabelKind::LeaderInfo,
    LabelKind::AckEpoch,
    LabelKind::Notification,
];

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word {
            text: "hold",
            read: |names, words| {
                let kind = named(words, "kind of message", &KINDS)?;
                Ok(Hold::Begin { kind, links: names.links(words)? }.into())
            },
        },
        Word {
            text: "release",
            read: |names, words| {
                if ends(words) {
                    return Ok(Hold::ReleaseAll { kind: None }.into());
                }
                let kind = named(words, "kind of message", &KINDS)?;
                if ends(words) {
                    return Ok(Hold::ReleaseAll { kind: Some(kind) }.into());
                }
                Ok(Hold::Release { kind, links: names.links(words)? }.into())
            },
        },
    ],
    classes: &[Class {
        name: "hold",
        draw: |drawing| {
            let links = drawing.link()?;
            let kind = DRAWN[drawing.below("held kind", 0, DRAWN.len())];
            let undone = Hold::Release { kind, links: links.clone() };
            Some(drawing.lasting(Hold::Begin { kind, links }, undone))
        },
    }],
    heal: Heal::Nothing,
};

impl Kind for Hold {
    fn apply(&self, world: &World) {
        match self {
            Hold::Begin { kind, links } => {
                each_pair(links, |a, b| world.hold(a, b, Plane::All, Some(*kind)));
            }
            Hold::Release { kind, links } => {
                each_pair(links, |a, b| world.release(Some((a, b)), Some(*kind)));
            }
            Hold::ReleaseAll { kind } => world.release(None, *kind),
        }
    }

    fn links(&self) -> Option<&Links> {
        match self {
            Hold::Begin { links, .. } | Hold::Release { links, .. } => Some(links),
            Hold::ReleaseAll { .. } => None,
        }
    }

    fn links_mut(&mut self) -> Option<&mut Links> {
        match self {
            Hold::Begin { links, .. } | Hold::Release { links, .. } => Some(links),
            Hold::ReleaseAll { .. } => None,
        }
    }

    fn paint(&self) -> Paint {
        match self {
            Hold::Begin { .. } => Paint::Span,
            Hold::Release { .. } | Hold::ReleaseAll { .. } => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        match later.as_kind() {
            Some(Hold::Release { links, .. }) => return Ended::Links(links),
            Some(Hold::ReleaseAll { .. }) => return Ended::Everything,
            Some(Hold::Begin { .. }) | None => {}
        }
        match later.as_kind() {
            Some(Cut::HealAll) => Ended::Everything,
            _ => Ended::Nothing,
        }
    }
}

fn each_pair(links: &Links, mut act: impl FnMut(&str, &str)) {
    links.pairs().iter().for_each(|(from, to)| act(&server_name(*from), &server_name(*to)));
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Begin { kind, links } => write!(f, "hold {} {links}", kind_word(*kind)),
            Hold::Release { kind, links } => write!(f, "release {} {links}", kind_word(*kind)),
            Hold::ReleaseAll { kind: Some(kind) } => write!(f, "release {}", kind_word(*kind)),
            Hold::ReleaseAll { kind: None } => f.write_str("release"),
        }
    }
}
