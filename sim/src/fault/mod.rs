//! What can be done to a simulated world: a file for each fault.
//!
//! A file holds everything about its fault: the words of a timeline for it, how it prints, what it
//! does to a world and what takes it back, what is undone when a scenario ends, what `shrink` may
//! make simpler, how long the page of a recording shows it, and how `[chaos]` draws it. A new fault
//! is a new file and a line in one of the two lists below.
//!
//! - `kind.rs`    what every fault says of itself
//! - `entry.rs`   its words, its classes of [chaos], and what heals it
//! - `drawn.rs`   what a file draws a fault from, and the steps that come of it
//! - `between.rs` which machines the links of a fault connect
//! - `process.rs` .. `unsynced.rs`   faults that a timeline can name
//! - `blackout.rs` .. `stall.rs`     classes of [chaos] that are made of several of those
//!
//! Not here: when lines are due and events come (`run`), how a world takes a fault (`world`).

mod ambush;
mod between;
mod blackout;
mod clock;
mod clone_disk;
mod coup;
mod crash_point;
mod cut;
mod delay;
mod disk_error;
mod drawn;
mod entry;
mod full_backlog;
mod full_disk;
mod hold;
mod hold_fsync;
mod impersonate;
mod kind;
mod lie_fsync;
mod mend_disk;
mod order;
mod pause;
mod process;
mod reset_quorum;
mod rot;
mod saved_disk;
mod slow_apply;
mod slow_fsync;
mod slow_steps;
mod stall;
mod unsynced;
mod wipe;

pub use drawn::{Class, Drawing, Step};
pub use kind::{Ended, Paint};
pub use saved_disk::SavedDisk;

use std::any::Any;
use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use crate::grammar::Links;
use crate::grammar::Mistake;
use crate::grammar::Names;
use crate::grammar::Words;
use crate::world::World;
use entry::{Entry, Heal, Word};
use kind::{AnyKind, Kind};
use process::Process;

/// Makes of the list of kinds the type of all faults, and the table of their entries.
macro_rules! faults {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        /// One fault, with all that it is done to.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Fault {
            $($kind($module::$kind),)*
        }

        const ENTRIES: &[&Entry] = &[$(&$module::ENTRY),*];

        impl Fault {
            fn kind(&self) -> &AnyKind {
                match self {
                    $(Fault::$kind(kind) => kind,)*
                }
            }

            fn kind_mut(&mut self) -> &mut AnyKind {
                match self {
                    $(Fault::$kind(kind) => kind,)*
                }
            }
        }

        impl From<Box<AnyKind>> for Fault {
            fn from(any: Box<AnyKind>) -> Fault {
                let any: Box<dyn Any> = any;
                $(let any = match any.downcast::<$module::$kind>() {
                    Ok(kind) => return Fault::$kind(*kind),
                    Err(other) => other,
                };)*
                unreachable!("{any:?} is of no kind in the list")
            }
        }
    };
}

// What is left of them when a scenario ends is undone in this order. Recordings store the place of
// a fault in this list: a new one comes last.
faults! {
    process::Process,
    cut::Cut,
    hold::Hold,
    delay::Delay,
    hold_fsync::HoldFsync,
    slow_fsync::SlowFsync,
    mend_disk::MendDisk,
    disk_error::DiskError,
    full_disk::FullDisk,
    lie_fsync::LieFsync,
    saved_disk::SavedDisk,
    clone_disk::CloneDisk,
    rot::Rot,
    unsynced::UnsyncedWrites,
    clock::Clock,
    slow_apply::SlowApply,
    pause::Pause,
    wipe::Wipe,
    reset_quorum::ResetQuorum,
    full_backlog::FullBacklog,
    slow_steps::SlowSteps,
    impersonate::Impersonate,
    order::Order,
}

/// Classes of [chaos] that have no word in a timeline.
const COMPOSITES: &[&Class] =
    &[&blackout::CLASS, &ambush::CLASS, &coup::CLASS, &stall::CLASS, &crash_point::CLASS];

/// Every word that begins a fault in a timeline.
pub fn words() -> Vec<&'static str> {
    ENTRIES.iter().flat_map(|entry| entry.words).map(|word| word.text).collect()
}

/// Every class of faults that [chaos] can draw.
pub fn classes() -> impl Iterator<Item = &'static Class> {
    let single = ENTRIES.iter().flat_map(|entry| entry.classes);
    single.chain(COMPOSITES.iter().copied())
}

/// Undoes everything that can be undone; servers that are down stay down.
pub fn heal_everything(world: &World) {
    for entry in ENTRIES {
        if let Heal::World(heal) = entry.heal {
            heal(world);
        }
    }
    for server in world.servers() {
        for entry in ENTRIES {
            if let Heal::Server(heal) = entry.heal {
                heal(world, server);
            }
        }
    }
}

impl Fault {
    /// The fault that begins with this word, which has been taken; `None` if none does.
    pub fn read(
        word: &str,
        names: &Names,
        words: &mut Words<'_>,
    ) -> Option<Result<Fault, Mistake>> {
        let known =
            ENTRIES.iter().flat_map(|entry| entry.words).find(|known| known.text == word)?;
        Some((known.read)(names, words).map(Fault::from))
    }

    pub fn start(servers: Vec<ServerId>) -> Fault {
        Fault::Process(Process::Start(servers))
    }

    pub fn apply(&self, world: &World) {
        self.kind().apply(world);
    }

    /// The servers it is done to, as written; none if it is about links.
    pub fn servers(&self) -> &[ServerId] {
        self.kind().servers()
    }

    /// The links it is about, if it names some.
    pub fn links(&self) -> Option<&Links> {
        self.kind().links()
    }

    /// Every server it names.
    pub fn named(&self) -> Vec<ServerId> {
        self.links().map_or_else(|| self.servers().to_vec(), Links::servers)
    }

    /// The fault without this server; `None` if nothing is left of it.
    pub fn without(&self, gone: ServerId) -> Option<Fault> {
        let mut fault = self.clone();
        let least = fault.kind().least_servers();
        if let Some(links) = fault.kind_mut().links_mut() {
            *links = links.without(gone)?;
            return Some(fault);
        }
        let Some(servers) = fault.kind_mut().servers_mut() else { return Some(fault) };
        servers.retain(|server| *server != gone);
        let enough = servers.len() >= least;
        enough.then_some(fault)
    }

    /// Whether it is in anybody's way.
    pub fn hinders(&self) -> bool {
        self.kind().hinders()
    }

    /// Makes its times rounder.
    pub fn round(&mut self, to: &dyn Fn(Duration) -> Duration) {
        self.kind_mut().round(to);
    }

    /// How the page of a recording shows it.
    pub fn paint(&self) -> Paint {
        self.kind().paint()
    }

    /// What a later fault ends of this one.
    pub fn ended_by<'a>(&self, later: &'a Fault) -> Ended<'a> {
        self.kind().ended_by(later.kind())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())
    }
}

#[cfg(test)]
#[path = "fault_test.rs"]
pub(crate) mod tests;
