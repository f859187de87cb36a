//! What was done to the world, as spans: a cut lasts until it is healed, a held fsync until it is
//! released. What has no end of its own (a crash, a jump of the clock) is a moment.
//!
//! How long a fault lasts and how it is drawn, it says itself (`fault`).

use quorate::base::ServerId;
use serde::Serialize;

use crate::fault::{Ended, Fault, Paint};
use crate::grammar::{Links, Ports};
use crate::recording::{OVER, Recording, What};
use crate::scenario::Action;

/// One thing done, from when to when.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Span {
    pub(super) paint: Paint,
    pub(super) text: String,
    /// The place of its event.
    pub(super) event: u32,
    pub(super) from: u64,
    /// Nanoseconds; the end of the run if nothing ended it.
    pub(super) to: u64,
    /// Between which servers, one way each, on either port.
    pub(super) pairs: Vec<(i64, i64)>,
    /// To whom.
    pub(super) servers: Vec<i64>,
}

/// A span that nothing has ended yet.
struct Open {
    /// Its place among the spans.
    place: usize,
    fault: Fault,
    /// What is left of it: servers, or ways of links.
    servers: Vec<ServerId>,
    ways: Vec<(ServerId, ServerId)>,
}

/// Every action of a recording, in the order they were done.
pub(super) fn spans(recording: &Recording) -> Vec<Span> {
    let mut spans = Spans { ended: recording.ended, all: Vec::new(), open: Vec::new() };
    for (n, event) in recording.events.iter().enumerate() {
        match &event.what {
            What::Action { action, .. } => spans.action(n as u32, event.at, action),
            What::Over => spans.over(n as u32, event.at),
            _ => {}
        }
    }
    spans.all
}

struct Spans {
    ended: u64,
    all: Vec<Span>,
    open: Vec<Open>,
}

impl Spans {
    fn action(&mut self, n: u32, at: u64, action: &Action) {
        let mut span = moment(n, at, action.to_string());
        if let Action::Fault(fault) = action {
            self.end(fault, at);
            span.servers = ids(&fault.named());
            span.paint = fault.paint();
            if span.paint != Paint::Moment {
                span.to = self.ended;
                span.pairs = fault.links().map(|links| pairs(&links.pairs())).unwrap_or_default();
                self.open.push(Open {
                    place: self.all.len(),
                    fault: fault.clone(),
                    servers: fault.servers().to_vec(),
                    ways: fault.links().map(ways).unwrap_or_default(),
                });
            }
        }
        self.all.push(span);
    }

    /// The scenario is over: everything ends.
    fn over(&mut self, n: u32, at: u64) {
        for open in std::mem::take(&mut self.open) {
            self.all[open.place].to = at;
        }
        self.all.push(moment(n, at, OVER.to_owned()));
    }

    /// Ends what this fault ends. Of what it ends in part, another span goes on with the rest.
    fn end(&mut self, later: &Fault, at: u64) {
        for open in std::mem::take(&mut self.open) {
            let (servers, ways) = match open.fault.ended_by(later) {
                Ended::Nothing => {
                    self.open.push(open);
                    continue;
                }
                Ended::Everything => (Vec::new(), Vec::new()),
                Ended::Servers(gone) => {
                    let is_left = |server: &&ServerId| !gone.contains(server);
                    (open.servers.iter().filter(is_left).copied().collect(), Vec::new())
                }
                Ended::Links(gone) => (Vec::new(), left(&open, gone)),
            };
            if (servers.len(), ways.len()) == (open.servers.len(), open.ways.len()) {
                self.open.push(open);
                continue;
            }
            self.all[open.place].to = at;
            if !servers.is_empty() || !ways.is_empty() {
                self.go_on(Open { servers, ways, ..open }, at);
            }
        }
    }

    fn go_on(&mut self, open: Open, at: u64) {
        let before = &self.all[open.place];
        // Links to clients part no servers.
        let no_pairs = before.pairs.is_empty();
        let span = Span {
            paint: before.paint,
            text: before.text.clone(),
            event: before.event,
            from: at,
            to: self.ended,
            pairs: if no_pairs { Vec::new() } else { pairs(&open.ways) },
            servers: if open.ways.is_empty() { ids(&open.servers) } else { before.servers.clone() },
        };
        self.open.push(Open { place: self.all.len(), ..open });
        self.all.push(span);
    }
}

fn moment(event: u32, at: u64, text: String) -> Span {
    let (pairs, servers) = (Vec::new(), Vec::new());
    Span { paint: Paint::Moment, text, event, from: at, to: at, pairs, servers }
}

/// What is left of the ways of a span when these links are free again.
fn left(open: &Open, gone: &Links) -> Vec<(ServerId, ServerId)> {
    let ports = (open.fault.links().and_then(Links::ports), gone.ports());
    if ports.0 != ports.1 && ports.1 != Some(Ports::Both) {
        return open.ways.clone();
    }
    let gone = ways(gone);
    open.ways.iter().filter(|way| !gone.contains(way)).copied().collect()
}

/// The pairs of links; of links to clients, each server with itself.
fn ways(links: &Links) -> Vec<(ServerId, ServerId)> {
    match links {
        Links::Clients(servers) => servers.iter().map(|server| (*server, *server)).collect(),
        links => links.pairs(),
    }
}

fn pairs(ways: &[(ServerId, ServerId)]) -> Vec<(i64, i64)> {
    ways.iter().map(|(from, to)| (from.0, to.0)).collect()
}

fn ids(servers: &[ServerId]) -> Vec<i64> {
    servers.iter().map(|server| server.0).collect()
}
