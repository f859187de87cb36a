//! `fill-backlog`, `free-backlog`: a server takes no new connections for a while.
//!
//! As with a listener whose backlog is full: whoever connects hears nothing until it gives up.
//! Connections that are there go on.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FullBacklog {
    Fill(Vec<ServerId>),
    Free(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word {
            text: "fill-backlog",
            read: |names, words| Ok(FullBacklog::Fill(names.servers(words)?).into()),
        },
        Word {
            text: "free-backlog",
            read: |names, words| Ok(FullBacklog::Free(names.servers(words)?).into()),
        },
    ],
    classes: &[Class {
        name: "full_backlog",
        draw: |drawing| {
            let servers = vec![drawing.server()];
            Some(drawing.lasting(FullBacklog::Fill(servers.clone()), FullBacklog::Free(servers)))
        },
    }],
    heal: Heal::Server(|world, server| world.set_backlog_full(server, false)),
};

impl Kind for FullBacklog {
    fn apply(&self, world: &World) {
        let is_full = matches!(self, FullBacklog::Fill(_));
        self.servers().iter().for_each(|server| world.set_backlog_full(*server, is_full));
    }

    fn servers(&self) -> &[ServerId] {
        let (FullBacklog::Fill(servers) | FullBacklog::Free(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (FullBacklog::Fill(servers) | FullBacklog::Free(servers)) = self;
        Some(servers)
    }

    fn paint(&self) -> Paint {
        match self {
            FullBacklog::Fill(_) => Paint::Span,
            FullBacklog::Free(_) => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        match later.as_kind() {
            Some(FullBacklog::Free(servers)) => Ended::Servers(servers),
            _ => Ended::Nothing,
        }
    }
}

impl fmt::Display for FullBacklog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FullBacklog::Fill(servers) => write!(f, "fill-backlog {}", List(servers)),
            FullBacklog::Free(servers) => write!(f, "free-backlog {}", List(servers)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use quorate::base::Stamp;
    use quorate::runtime::{HostPort, Listener, Runtime};

    use super::*;
    use crate::world::{NoObserver, ServerPorts, WorldOptions};

    const S1: ServerId = ServerId(1);

    #[test]
    fn nobody_connects_to_a_full_backlog_until_it_is_free() {
        let limit = Duration::from_secs(60);
        World::run(7, WorldOptions::default(), Rc::new(NoObserver), limit, |world| async move {
            world.add_server(S1, ServerPorts::default());
            let to = HostPort::new("s1", 2888);
            let own = to.clone();
            world.start(S1, |rt| async move {
                let mut listener = rt.listen(&own).await.expect("the port is free");
                loop {
                    drop(listener.accept().await);
                }
            });
            let rt = world.client_runtime("c1");
            let opens = async |at: Stamp| {
                rt.sleep_until(at).await;
                rt.connect(at, &to, Duration::from_secs(5)).await.1.is_ok()
            };
            assert!(opens(Stamp(10_000_000)).await);
            FullBacklog::Fill(vec![S1]).apply(&world);
            assert!(!opens(Stamp(1_000_000_000)).await);
            FullBacklog::Free(vec![S1]).apply(&world);
            assert!(opens(Stamp(7_000_000_000)).await);
        });
    }
}
