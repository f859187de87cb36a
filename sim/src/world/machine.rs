//! A machine of the world: a server's or a workload client's. It outlives its processes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::ServerId;

use super::clock::SimClock;
use super::net::Plane;

/// Which ports of a server carry what. Any other port counts as [`Plane::Client`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerPorts {
    pub quorum: u16,
    pub election: u16,
    pub client: u16,
}

impl Default for ServerPorts {
    fn default() -> ServerPorts {
        ServerPorts { quorum: 2888, election: 3888, client: 2181 }
    }
}

pub(crate) struct Machine {
    pub(crate) id: usize,
    pub(crate) name: Rc<str>,
    pub(crate) ip: String,
    pub(crate) server: Option<ServerId>,
    pub(crate) planes: BTreeMap<u16, Plane>,
    pub(crate) clock: RefCell<SimClock>,
    /// Whether there is power: a kernel that answers.
    pub(crate) up: Cell<bool>,
    /// Whether the kernel takes no more connections.
    pub(crate) backlog_full: Cell<bool>,
    /// How much later than drawn a committed transaction is applied at most.
    pub(crate) apply_lag: Cell<Duration>,
    pub(crate) output_time: Cell<Duration>,
    pub(crate) incarnations: Cell<u64>,
    calls: Cell<u64>,
}

impl Machine {
    /// `mono_start` is what its monotonic clock shows when the world begins.
    pub(crate) fn new(
        id: usize,
        name: &str,
        server: Option<ServerId>,
        planes: BTreeMap<u16, Plane>,
        mono_start: u64,
    ) -> Machine {
        let ip = match server {
            Some(ServerId(id @ 1..=250)) => format!("10.0.0.{id}"),
            _ => format!("10.1.{}.{}", id / 250, id % 250 + 1),
        };
        Machine {
            id,
            name: name.into(),
            ip,
            server,
            planes,
            clock: RefCell::new(SimClock::new(mono_start)),
            up: Cell::new(true),
            backlog_full: Cell::new(false),
            apply_lag: Cell::new(Duration::ZERO),
            output_time: Cell::new(Duration::ZERO),
            incarnations: Cell::new(0),
            calls: Cell::new(0),
        }
    }

    /// The running number of the next call to the observer about this machine.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.replace(self.calls.get() + 1)
    }
}

/// The name of a server's machine.
pub fn server_name(id: ServerId) -> String {
    format!("s{}", id.0)
}
