//! Where a fault of the network lies.

use std::fmt;

use quorate::base::ServerId;

/// Where a fault lies: directed pairs on these planes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    pub plane: Plane,
    pub pairs: Vec<(ServerId, ServerId)>,
    /// As written, to print it again.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Election and quorum ports: everything between servers.
    Servers,
    Election,
    Quorum,
    /// Between the clients and the server of each pair (its two ends are the same server).
    Client,
}

impl Links {
    /// Every pair of servers of two different groups, both ways.
    pub fn between(plane: Plane, groups: &[Vec<ServerId>]) -> Links {
        let mut pairs = Vec::new();
        for (i, a) in groups.iter().enumerate() {
            for b in &groups[i + 1..] {
                pairs.extend(directed(a, b));
                pairs.extend(directed(b, a));
            }
        }
        let text: Vec<String> = groups.iter().map(|group| show(group)).collect();
        Links { plane, pairs, text: text.join(" | ") }
    }

    /// From each of these to each of those, one way.
    pub fn one_way(plane: Plane, from: &[ServerId], to: &[ServerId]) -> Links {
        let text = format!("{} -> {}", show(from), show(to));
        Links { plane, pairs: directed(from, to), text }
    }
}

pub(super) fn directed(from: &[ServerId], to: &[ServerId]) -> Vec<(ServerId, ServerId)> {
    let mut pairs = Vec::new();
    for a in from {
        pairs.extend(to.iter().filter(|b| *b != a).map(|b| (*a, *b)));
    }
    pairs
}

pub(super) fn show(servers: &[ServerId]) -> String {
    let names: Vec<String> = servers.iter().map(ToString::to_string).collect();
    names.join(" ")
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.plane {
            Plane::Servers => {}
            Plane::Election => f.write_str("election ")?,
            Plane::Quorum => f.write_str("quorum ")?,
            Plane::Client => f.write_str("client ")?,
        }
        f.write_str(&self.text)
    }
}
