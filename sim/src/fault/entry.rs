//! What a file says of its fault, besides the values.

use quorate::base::ServerId;

use super::drawn::Class;
use super::kind::AnyKind;
use crate::grammar::Mistake;
use crate::grammar::Names;
use crate::grammar::Words;
use crate::world::World;

/// A line of the list.
pub(super) struct Entry {
    /// The words that begin it in a timeline.
    pub words: &'static [Word],
    /// The classes of [chaos] that draw it.
    pub classes: &'static [Class],
    /// What undoes it when a scenario ends.
    pub heal: Heal,
}

/// A word of a timeline, and how to read what stands behind it.
pub(super) struct Word {
    pub text: &'static str,
    pub read: fn(&Names, &mut Words<'_>) -> Result<Box<AnyKind>, Mistake>,
}

/// What undoes a fault, whether it was done or not.
pub(super) enum Heal {
    /// There is nothing to undo, or something else undoes it.
    Nothing,
    World(fn(&World)),
    Server(fn(&World, ServerId)),
}
