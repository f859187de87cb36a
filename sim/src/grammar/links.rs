//! Where a fault of the network lies.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

/// Connections between servers, or between clients and servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Links {
    /// Both ways between any two of these groups.
    Groups { ports: Ports, groups: Vec<Vec<ServerId>> },
    /// From each of the first to each of the second.
    OneWay { ports: Ports, from: Vec<ServerId>, to: Vec<ServerId> },
    /// Both ways between all clients and these servers.
    Clients(Vec<ServerId>),
}

/// The ports between servers that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ports {
    Both,
    Election,
    Quorum,
}

impl Links {
    /// On both ports, both ways between any two groups.
    pub fn between(groups: &[Vec<ServerId>]) -> Links {
        Links::Groups { ports: Ports::Both, groups: groups.to_vec() }
    }

    /// On both ports, one way.
    pub fn one_way(from: &[ServerId], to: &[ServerId]) -> Links {
        Links::OneWay { ports: Ports::Both, from: from.to_vec(), to: to.to_vec() }
    }

    /// From which server to which; none between clients and servers.
    pub fn pairs(&self) -> Vec<(ServerId, ServerId)> {
        match self {
            Links::Groups { groups, .. } => {
                let mut pairs = Vec::new();
                for (i, a) in groups.iter().enumerate() {
                    for b in &groups[i + 1..] {
                        pairs.extend(directed(a, b));
                        pairs.extend(directed(b, a));
                    }
                }
                pairs
            }
            Links::OneWay { from, to, .. } => directed(from, to),
            Links::Clients(_) => Vec::new(),
        }
    }

    /// Every server that is named, in order, each once.
    pub fn servers(&self) -> Vec<ServerId> {
        let mut named = match self {
            Links::Groups { groups, .. } => groups.concat(),
            Links::OneWay { from, to, .. } => [from.as_slice(), to].concat(),
            Links::Clients(servers) => servers.clone(),
        };
        named.sort_unstable();
        named.dedup();
        named
    }

    /// The ports between servers; `None` between clients and servers.
    pub fn ports(&self) -> Option<Ports> {
        match self {
            Links::Groups { ports, .. } | Links::OneWay { ports, .. } => Some(*ports),
            Links::Clients(_) => None,
        }
    }

    /// The links without this server; `None` if none are left.
    pub fn without(&self, gone: ServerId) -> Option<Links> {
        let rest = |servers: &[ServerId]| -> Vec<ServerId> {
            servers.iter().copied().filter(|server| *server != gone).collect()
        };
        match self {
            Links::Groups { ports, groups } => {
                let groups: Vec<Vec<ServerId>> = groups.iter().map(|group| rest(group)).collect();
                let groups: Vec<_> = groups.into_iter().filter(|group| !group.is_empty()).collect();
                (groups.len() > 1).then_some(Links::Groups { ports: *ports, groups })
            }
            Links::OneWay { ports, from, to } => {
                let (from, to) = (rest(from), rest(to));
                let some = !from.is_empty() && !to.is_empty();
                some.then_some(Links::OneWay { ports: *ports, from, to })
            }
            Links::Clients(servers) => {
                let servers = rest(servers);
                (!servers.is_empty()).then_some(Links::Clients(servers))
            }
        }
    }
}

fn directed(from: &[ServerId], to: &[ServerId]) -> Vec<(ServerId, ServerId)> {
    let mut pairs = Vec::new();
    for a in from {
        pairs.extend(to.iter().filter(|b| *b != a).map(|b| (*a, *b)));
    }
    pairs
}

/// Servers as a line writes them.
#[derive(Debug)]
pub struct List<'a>(pub &'a [ServerId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, server) in self.0.iter().enumerate() {
            write!(f, "{}{server}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports() {
            Some(Ports::Both) => {}
            Some(Ports::Election) => f.write_str("election ")?,
            Some(Ports::Quorum) => f.write_str("quorum ")?,
            None => f.write_str("client ")?,
        }
        match self {
            Links::Groups { groups, .. } => {
                for (i, group) in groups.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { " | " }, List(group))?;
                }
                Ok(())
            }
            Links::OneWay { from, to, .. } => write!(f, "{} -> {}", List(from), List(to)),
            Links::Clients(servers) => write!(f, "{}", List(servers)),
        }
    }
}
