//! What the laboratory did, as spans: a cut lasts until it is healed, a held fsync until it is
//! released. What has no end of its own (a crash, a jump of the clock) is a moment.
//!
//! The actions' texts are read with the parser of scenarios; what it cannot read is a moment too.

use quorate::base::ServerId;
use serde::Serialize;

use crate::recording::{Event, Recording, What};
use crate::scenario::action::Action;
use crate::scenario::timeline::Names;
use crate::scenario::{DiskDeed, Links, Plane};

/// One thing done, from when to when.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Fault {
    /// cut, delay, hold, hold-fsync, slow-fsync, slow-apply, clock, pause, full-disk; `moment` for everything else.
    pub(super) class: &'static str,
    pub(super) text: String,
    /// The place of its event.
    pub(super) event: u32,
    pub(super) from: u64,
    /// Nanoseconds; the end of the run if nothing ended it.
    pub(super) to: u64,
    /// Between whom, one way each. Of cuts between servers, on either port.
    pub(super) pairs: Vec<(i64, i64)>,
    /// To whom.
    pub(super) servers: Vec<i64>,
}

/// What an open span waits for.
enum Open {
    Links { kind: Kind, links: Links },
    Servers { kind: Kind, servers: Vec<ServerId> },
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Cut,
    Delay,
    Hold,
    HoldFsync,
    SlowFsync,
    SlowApply,
    Clock,
    Pause,
    FullDisk,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Cut => "cut",
            Kind::Delay => "delay",
            Kind::Hold => "hold",
            Kind::HoldFsync => "hold-fsync",
            Kind::SlowFsync => "slow-fsync",
            Kind::SlowApply => "slow-apply",
            Kind::Clock => "clock",
            Kind::Pause => "pause",
            Kind::FullDisk => "full-disk",
        }
    }

    /// What `heal` ends.
    fn is_network(self) -> bool {
        matches!(self, Kind::Cut | Kind::Delay | Kind::Hold)
    }
}

/// Every action of a recording, in the order they were done.
pub(super) fn spans(recording: &Recording) -> Vec<Fault> {
    let servers = recording.servers.iter().map(|member| ServerId(member.id)).collect();
    let mut story = Story {
        names: Names { servers, variable: None },
        ended: recording.ended,
        faults: Vec::new(),
        open: Vec::new(),
    };
    for (n, event) in recording.events.iter().enumerate() {
        if let What::Action { text, .. } = &event.what {
            story.action(n as u32, event, text);
        }
    }
    story.faults
}

struct Story {
    names: Names,
    ended: u64,
    faults: Vec<Fault>,
    /// Places in `faults`, and what ends them.
    open: Vec<(usize, Open)>,
}

impl Story {
    fn action(&mut self, n: u32, event: &Event, text: &str) {
        let at = event.at;
        let line = self.names.line(&format!("0s  {text}"));
        let action = line.ok().and_then(|line| line.actions.into_iter().next());
        self.close(action.as_ref(), at);
        let mut fault = Fault {
            class: "moment",
            text: text.to_owned(),
            event: n,
            from: at,
            to: at,
            pairs: Vec::new(),
            servers: action.as_ref().map(servers).unwrap_or_default(),
        };
        if let Some(open) = action.and_then(opened) {
            fault.to = self.ended;
            let (Open::Links { kind, .. } | Open::Servers { kind, .. }) = &open;
            fault.class = kind.class();
            if let Open::Links { links, .. } = &open {
                fault.pairs = pairs(links);
            }
            self.open.push((self.faults.len(), open));
        }
        self.faults.push(fault);
    }

    /// Ends what this action ends. An action that cannot be read is the laboratory's own word that
    /// the story is over: everything ends.
    fn close(&mut self, action: Option<&Action>, at: u64) {
        let mut rest = Vec::new();
        for (place, open) in std::mem::take(&mut self.open) {
            match action.map_or(Left::Nothing, |action| left(action, &open)) {
                Left::All => self.open.push((place, open)),
                Left::Nothing => self.faults[place].to = at,
                Left::Some(open) => {
                    // The span goes on as another one, between fewer.
                    self.faults[place].to = at;
                    rest.push((place, open));
                }
            }
        }
        for (place, open) in rest {
            let before = &self.faults[place];
            let (pairs, servers) = match &open {
                Open::Links { links, .. } => (pairs(links), before.servers.clone()),
                Open::Servers { servers, .. } => (Vec::new(), ids(servers)),
            };
            let fault = Fault {
                class: before.class,
                text: before.text.clone(),
                event: before.event,
                from: at,
                to: self.ended,
                pairs,
                servers,
            };
            self.open.push((self.faults.len(), open));
            self.faults.push(fault);
        }
    }
}

/// What an action leaves of a span.
enum Left {
    All,
    Some(Open),
    Nothing,
}

fn left(action: &Action, open: &Open) -> Left {
    match (action, open) {
        (Action::Heal(None), Open::Links { kind, .. }) if kind.is_network() => Left::Nothing,
        (Action::Heal(Some(healed)), Open::Links { kind: Kind::Cut, links }) => {
            without_links(Kind::Cut, links, healed)
        }
        (Action::Delay { links: meant, .. }, Open::Links { kind: Kind::Delay, links }) => {
            without_links(Kind::Delay, links, meant)
        }
        (Action::Release { links: None, .. }, Open::Links { kind: Kind::Hold, .. }) => {
            Left::Nothing
        }
        (Action::Release { links: Some(meant), .. }, Open::Links { kind: Kind::Hold, links }) => {
            without_links(Kind::Hold, links, meant)
        }
        (action, Open::Servers { kind, servers }) => {
            let ended: &[ServerId] = match (action, kind) {
                (Action::ReleaseFsync(ended), Kind::HoldFsync)
                | (Action::SlowFsync { servers: ended, .. }, Kind::SlowFsync)
                | (Action::SlowApply { servers: ended, .. }, Kind::SlowApply)
                | (Action::ClockRate { servers: ended, .. }, Kind::Clock)
                | (
                    Action::Resume(ended)
                    | Action::Stop(ended)
                    | Action::Crash(ended)
                    | Action::Wipe(ended),
                    Kind::Pause,
                )
                | (
                    Action::Disk { deed: DiskDeed::Free | DiskDeed::Mend, servers: ended },
                    Kind::FullDisk,
                ) => ended,
                _ => &[],
            };
            without_servers(*kind, servers, ended)
        }
        _ => Left::All,
    }
}

fn without_links(kind: Kind, links: &Links, gone: &Links) -> Left {
    let other_plane = gone.plane != links.plane && gone.plane != Plane::Servers;
    if other_plane || !links.pairs.iter().any(|pair| gone.pairs.contains(pair)) {
        return Left::All;
    }
    let pairs: Vec<_> =
        links.pairs.iter().filter(|pair| !gone.pairs.contains(pair)).copied().collect();
    if pairs.is_empty() {
        return Left::Nothing;
    }
    Left::Some(Open::Links { kind, links: Links { pairs, ..links.clone() } })
}

fn without_servers(kind: Kind, servers: &[ServerId], gone: &[ServerId]) -> Left {
    let rest: Vec<ServerId> = servers.iter().filter(|s| !gone.contains(s)).copied().collect();
    if rest.len() == servers.len() {
        Left::All
    } else if rest.is_empty() {
        Left::Nothing
    } else {
        Left::Some(Open::Servers { kind, servers: rest })
    }
}

/// What this action opens.
fn opened(action: Action) -> Option<Open> {
    let links = |kind, links| Some(Open::Links { kind, links });
    let servers = |kind, servers| Some(Open::Servers { kind, servers });
    match action {
        Action::Cut(cut) => links(Kind::Cut, cut),
        Action::Delay { links: late, by } if !by.is_zero() => links(Kind::Delay, late),
        Action::Hold { links: held, .. } => links(Kind::Hold, held),
        Action::HoldFsync(held) => servers(Kind::HoldFsync, held),
        Action::SlowApply { servers: slow, by } if !by.is_zero() => servers(Kind::SlowApply, slow),
        Action::SlowFsync { servers: slow, by } if !by.is_zero() => servers(Kind::SlowFsync, slow),
        Action::ClockRate { servers: wrong, rate } if rate != 1.0 => servers(Kind::Clock, wrong),
        Action::Pause(paused) => servers(Kind::Pause, paused),
        Action::Disk { deed: DiskDeed::Fill, servers: full } => servers(Kind::FullDisk, full),
        _ => None,
    }
}

/// Whom an action names.
fn servers(action: &Action) -> Vec<i64> {
    match action.links() {
        Some(links) => {
            let mut named: Vec<i64> =
                links.pairs.iter().flat_map(|(from, to)| [from.0, to.0]).collect();
            named.sort_unstable();
            named.dedup();
            named
        }
        None => ids(action.servers()),
    }
}

fn ids(servers: &[ServerId]) -> Vec<i64> {
    servers.iter().map(|server| server.0).collect()
}

/// Links to clients have a server at both ends, and part no servers.
fn pairs(links: &Links) -> Vec<(i64, i64)> {
    if links.plane == Plane::Client {
        return Vec::new();
    }
    links.pairs.iter().map(|(from, to)| (from.0, to.0)).collect()
}
