//! `hand-over`, `terminate`: what whoever runs a server tells its process.

use std::fmt;

use quorate::base::ServerId;
use quorate::runtime;
use serde::{Deserialize, Serialize};

use super::{Class, Entry, Heal, Kind, Process, Step, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// A leader gives its leadership to a follower. Others pass it over.
    HandOver(Vec<ServerId>),
    /// As SIGTERM: the process ends in good order.
    Terminate(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word { text: "hand-over", read: |n, words| Ok(Order::HandOver(n.servers(words)?).into()) },
        Word { text: "terminate", read: |n, words| Ok(Order::Terminate(n.servers(words)?).into()) },
    ],
    classes: &[
        Class {
            name: "hand_over",
            draw: |drawing| {
                let servers = vec![drawing.server()];
                Some(vec![Step::at(drawing.begins, Order::HandOver(servers))])
            },
        },
        Class {
            name: "terminate",
            draw: |drawing| {
                let servers = vec![drawing.idle_server()?];
                Some(drawing.lasting(Order::Terminate(servers.clone()), Process::Start(servers)))
            },
        },
    ],
    heal: Heal::Nothing,
};

impl Kind for Order {
    fn apply(&self, world: &World) {
        let order = match self {
            Order::HandOver(_) => runtime::Order::HandOver,
            Order::Terminate(_) => runtime::Order::Stop,
        };
        self.servers().iter().for_each(|server| world.tell(*server, order));
    }

    fn servers(&self) -> &[ServerId] {
        let (Order::HandOver(servers) | Order::Terminate(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (Order::HandOver(servers) | Order::Terminate(servers)) = self;
        Some(servers)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::HandOver(servers) => write!(f, "hand-over {}", List(servers)),
            Order::Terminate(servers) => write!(f, "terminate {}", List(servers)),
        }
    }
}
