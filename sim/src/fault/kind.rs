//! What every fault says of itself.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::Serialize;

use crate::grammar::Links;
use crate::world::World;

/// A fault as a value. It prints as a timeline writes it, and reads back as the same.
pub trait Kind: Any + fmt::Debug + fmt::Display {
    /// Does it, now.
    fn apply(&self, world: &World);

    /// The servers it is done to, as written.
    fn servers(&self) -> &[ServerId] {
        &[]
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        None
    }

    /// With fewer servers than these there is nothing left of it.
    fn least_servers(&self) -> usize {
        1
    }

    /// The links it is about, if it names some.
    fn links(&self) -> Option<&Links> {
        None
    }

    fn links_mut(&mut self) -> Option<&mut Links> {
        None
    }

    /// False for what only brings servers there.
    fn hinders(&self) -> bool {
        true
    }

    /// Makes its times rounder.
    fn round(&mut self, to: &dyn Fn(Duration) -> Duration) {
        let _ = to;
    }

    /// How the page of a recording shows it.
    fn paint(&self) -> Paint {
        Paint::Moment
    }

    /// What a later fault ends of this one, if this one lasts.
    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        let _ = later;
        Ended::Nothing
    }
}

/// A fault of any kind.
pub(super) type AnyKind = dyn Kind;

impl AnyKind {
    /// It as a fault of this kind, if it is one.
    pub fn as_kind<K: Kind>(&self) -> Option<&K> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

impl<K: Kind> From<K> for Box<AnyKind> {
    fn from(kind: K) -> Box<AnyKind> {
        Box::new(kind)
    }
}

/// What the page of a recording draws for a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Paint {
    /// It has no end of its own.
    Moment,
    /// It lasts until something ends it.
    Span,
    /// It lasts, and parts servers from each other.
    Parts,
    /// It lasts, and the disk or the tree of a server is slow meanwhile.
    Slow,
}

/// What is over of a fault that lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended<'a> {
    Nothing,
    Everything,
    /// What was done to these servers.
    Servers(&'a [ServerId]),
    /// What was done to these links.
    Links(&'a Links),
}
