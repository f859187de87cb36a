//! Drawn faults of several servers, or of several steps, that belong together.
//!
//! - `blackout`  some servers, or all, go down at one moment and come back in any order
//! - `ambush`    a server comes back, and its way into the ensemble is disturbed where it is thin:
//!   at a step of the protocol, with a disk that hangs, or with a leader that goes
//! - `coup`      somebody comes into office, and he or those who made him leader are gone at a step of it
//! - `stall`     all frames of one kind from or to a server wait, and with them what follows
//!
//! They are what single faults at any time rarely come to. What waits for a step that never comes
//! ends without having begun.
//!
//! Not here: when and how many (`chaos.rs`).

use std::time::Duration;

use quorate::base::ServerId;
use quorate::runtime::LabelKind;

use super::Ensemble;
use super::action::{Action, Line, Trigger};
use super::chaos::Fault;
use super::links::{Links, Plane};
use crate::draw::Draws;

/// What a learner sends on its way into the ensemble, in this order.
const JOINS: [LabelKind; 4] =
    [LabelKind::FollowerInfo, LabelKind::AckEpoch, LabelKind::AckEpoch, LabelKind::Ack];

/// What a leader sends on his way into office, and from there.
const LEADS: [LabelKind; 7] = [
    LabelKind::LeaderInfo,
    LabelKind::NewLeader,
    LabelKind::Diff,
    LabelKind::Snap,
    LabelKind::UpToDate,
    LabelKind::Proposal,
    LabelKind::Commit,
];

/// Frames worth holding, each as likely.
const STALLS: [LabelKind; 9] = [
    LabelKind::Proposal,
    LabelKind::Proposal,
    LabelKind::Ack,
    LabelKind::Commit,
    LabelKind::NewLeader,
    LabelKind::UpToDate,
    LabelKind::FollowerInfo,
    LabelKind::LeaderInfo,
    LabelKind::AckEpoch,
];

/// The lines of a fault of these classes; `None` for the others.
pub(super) fn plot(draws: &Draws, ensemble: &Ensemble, fault: &Fault) -> Option<Vec<Line>> {
    let all: Vec<ServerId> = ensemble.servers().into_iter().collect();
    let one = all[draws.below("fault server", fault.key, 0, all.len() as u64) as usize];
    let others = all.iter().copied().filter(|server| *server != one).collect();
    let plot = Plot { draws, fault, all, one, others };
    match fault.class {
        "blackout" => Some(plot.blackout()),
        "ambush" => Some(plot.ambush()),
        "coup" => Some(plot.coup()),
        "stall" => Some(plot.stall()),
        _ => None,
    }
}

struct Plot<'a> {
    draws: &'a Draws,
    fault: &'a Fault,
    all: Vec<ServerId>,
    one: ServerId,
    others: Vec<ServerId>,
}

impl Plot<'_> {
    fn below(&self, what: &str, bound: usize) -> usize {
        self.draws.below(what, self.fault.key, 0, bound.max(1) as u64) as usize
    }

    /// A time up to this, short ones as likely as long ones.
    fn within(&self, what: &str, n: u64, most: Duration) -> Duration {
        let most = most.as_micros().max(2) as f64;
        Duration::from_micros(most.powf(self.draws.unit(what, self.fault.key, n)) as u64)
    }

    fn between_ms(&self, what: &str, low: u64, high: u64) -> Duration {
        let ms = Duration::from_millis;
        self.draws.between(what, self.fault.key, 0, (ms(low), ms(high)))
    }

    fn length(&self) -> Duration {
        self.fault.ends.saturating_sub(self.fault.begins)
    }

    /// Some of these, at least one.
    fn some_of(&self, what: &str, servers: &[ServerId]) -> Vec<ServerId> {
        let unit = |server: &ServerId| self.draws.unit(what, self.fault.key, server.0 as u64);
        let mut some: Vec<ServerId> = servers.iter().copied().filter(|s| unit(s) < 0.6).collect();
        if some.is_empty() {
            some.extend(servers.first());
        }
        some
    }

    /// Most times all at once lose power, else they are stopped.
    fn down(&self, servers: Vec<ServerId>) -> Action {
        match self.below("plot power", 3) {
            0 => Action::Stop(servers),
            _ => Action::Crash(servers),
        }
    }

    fn blackout(&self) -> Vec<Line> {
        let down = match self.below("blackout of", 3) {
            0 => self.all.clone(),
            1 => self.others.clone(),
            _ => self.some_of("blackout", &self.all),
        };
        let mut lines = Vec::new();
        if !down.is_empty() {
            lines.push(Line::at(self.fault.begins, self.down(down.clone())));
        }
        let pause = self.within("blackout length", 0, self.length());
        for server in down {
            let gap = self.within("blackout gap", server.0 as u64, self.length());
            lines.push(Line::at(self.fault.begins + pause + gap, Action::Start(vec![server])));
        }
        lines
    }

    /// A restart, a disk that is slow or hangs from some step of the way back, and then the end
    /// of the server, of its connections, or of some of the others.
    fn ambush(&self) -> Vec<Line> {
        let me = vec![self.one];
        let back = self.fault.begins + self.between_ms("ambush pause", 5, 400);
        let step = JOINS[self.below("ambush step", JOINS.len())];
        let trigger = Trigger::Sends { from: self.one, kind: step, to: None, zxid: None };
        let blow = back + self.between_ms("ambush blow", 20, 1200);
        let end = (blow + self.within("ambush length", 0, self.length())).max(self.fault.ends);
        let alone = Links::between(Plane::Servers, &[me.clone(), self.others.clone()]);
        let some = self.some_of("ambush others", &self.others);
        let (strike, mend) = match self.below("ambush strike", 6) {
            0 => (Action::Crash(me.clone()), Action::Start(me.clone())),
            1 => (Action::Stop(me.clone()), Action::Start(me.clone())),
            2 if !self.others.is_empty() => (Action::Cut(alone.clone()), Action::Heal(Some(alone))),
            3 => (Action::Crash(self.all.clone()), Action::Start(self.all.clone())),
            _ if !some.is_empty() => (self.down(some.clone()), Action::Start(some)),
            _ => (Action::Crash(me.clone()), Action::Start(me.clone())),
        };
        let mut lines = vec![
            Line::at(self.fault.begins, self.down(me.clone())),
            Line::at(back, Action::Start(me.clone())),
        ];
        match self.below("ambush disk", 3) {
            0 => lines.push(Line::on(back, trigger, strike)),
            disk => {
                let by = self.between_ms("ambush fsync", 20, 500);
                let (slow, mended) = match disk {
                    1 => (Action::HoldFsync(me.clone()), Action::ReleaseFsync(me)),
                    _ => (
                        Action::SlowFsync { servers: me.clone(), by },
                        Action::SlowFsync { servers: me, by: Duration::ZERO },
                    ),
                };
                lines.push(Line::on(back, trigger, slow));
                lines.push(Line::at(blow, strike));
                lines.push(Line::at(end, mended));
            }
        }
        lines.push(Line::at(end, mend));
        lines
    }

    /// On his first step as a leader, or a later one, he goes, or those who follow him do.
    fn coup(&self) -> Vec<Line> {
        let trigger = match self.below("coup step", LEADS.len() + 2) {
            0 => Trigger::Elected { server: self.one },
            1 => Trigger::Established { server: self.one },
            n => {
                let kind = LEADS[n - 2];
                Trigger::Sends { from: self.one, kind, to: None, zxid: None }
            }
        };
        let me = vec![self.one];
        let some = self.some_of("coup others", &self.others);
        let (strike, mend) = match self.below("coup strike", 5) {
            0 => (Action::Pause(me.clone()), Action::Resume(me)),
            1 if !some.is_empty() => (self.down(some.clone()), Action::Start(some)),
            2 if !some.is_empty() => {
                let links = Links::between(Plane::Servers, &[me, some]);
                (Action::Cut(links.clone()), Action::Heal(Some(links)))
            }
            3 => (Action::Crash(self.all.clone()), Action::Start(self.all.clone())),
            _ => (self.down(me.clone()), Action::Start(me)),
        };
        let end = self.fault.ends + Duration::from_millis(500);
        vec![Line::on(self.fault.begins, trigger, strike), Line::at(end, mend)]
    }

    /// In half of them the server is stopped while they wait.
    fn stall(&self) -> Vec<Line> {
        let kind = STALLS[self.below("stall kind", STALLS.len())];
        let me = vec![self.one];
        if self.others.is_empty() {
            return Vec::new();
        }
        let links = match self.below("stall direction", 3) {
            0 => Links::one_way(Plane::Servers, &self.others, &me),
            _ => Links::one_way(Plane::Servers, &me, &self.others),
        };
        let hold = Action::Hold { kind, links: links.clone() };
        let release = Action::Release { kind: Some(kind), links: Some(links) };
        let mut lines = vec![Line::at(self.fault.begins, hold)];
        if self.below("stall ends", 2) == 0 {
            let stop = self.fault.begins + self.length().mul_f64(0.7);
            lines.push(Line::at(stop, self.down(me.clone())));
            lines.push(Line::at(self.fault.ends, release));
            lines.push(Line::at(self.fault.ends, Action::Start(me)));
        } else {
            lines.push(Line::at(self.fault.ends, release));
        }
        lines
    }
}
