//! Drawn faults that are more than an action and the one that takes it back.
//!
//! A server whose disk fails ends itself. So the disk is mended a little before the fault ends, and
//! at its end the server is started: that does nothing if it still runs. A crash point that was
//! not reached until then is none any more.
//!
//! Nothing here keeps away from servers that are down or paused for another fault: an error then
//! meets the server that reads its disk at a start.

use std::time::Duration;

use quorate::base::ServerId;
use quorate::runtime::LabelKind;

use super::Ensemble;
use super::action::{Action, Line, Trigger};
use super::chaos::Fault;
use super::disk_deeds::DiskDeed;
use super::links::{Links, Plane};
use crate::draw::Draws;

/// How long before its end a disk works again: what an error does to a server comes at once.
const MENDED_BEFORE: Duration = Duration::from_millis(100);

/// Frames worth holding, each as likely.
const HELD: [LabelKind; 16] = [
    LabelKind::Proposal,
    LabelKind::Ack,
    LabelKind::Commit,
    LabelKind::Inform,
    LabelKind::Ping,
    LabelKind::Request,
    LabelKind::NewLeader,
    LabelKind::UpToDate,
    LabelKind::Diff,
    LabelKind::Trunc,
    LabelKind::Snap,
    LabelKind::SnapshotStream,
    LabelKind::FollowerInfo,
    LabelKind::LeaderInfo,
    LabelKind::AckEpoch,
    LabelKind::Notification,
];

/// After whose effects a crash point may lie; the first means any.
const CRASH_FILES: [&str; 6] =
    ["", "log", "currentEpoch", "acceptedEpoch", "snapshot", "quorate.guard"];

/// The lines of a fault of these classes; `None` for the others.
pub(super) fn story(draws: &Draws, ensemble: &Ensemble, fault: &Fault) -> Option<Vec<Line>> {
    let all: Vec<ServerId> = ensemble.servers().into_iter().collect();
    let one = all[draws.below("fault server", fault.key, 0, all.len() as u64) as usize];
    let disk = |deed| Action::Disk { deed, servers: vec![one] };
    let start = Line::at(fault.ends, Action::Start(vec![one]));
    let failing = |begin, end| {
        let mended = fault.begins.max(fault.ends.saturating_sub(MENDED_BEFORE));
        vec![Line::at(fault.begins, disk(begin)), Line::at(mended, disk(end)), start.clone()]
    };
    Some(match fault.class {
        "fail_write" => failing(DiskDeed::FailWrite, DiskDeed::Mend),
        "fail_fsync" => failing(DiskDeed::FailFsync, DiskDeed::Mend),
        "fail_read" => failing(DiskDeed::FailRead, DiskDeed::Mend),
        "full_disk" => failing(DiskDeed::Fill, DiskDeed::Free),
        "crash_point" => vec![crash_point(draws, fault, one), start],
        "look" => vec![Line::at(fault.begins, Action::Look(vec![one]))],
        "delay" => {
            let links = link(draws, fault, &all, one)?;
            let range = (Duration::from_millis(5), Duration::from_millis(800));
            let by = draws.between("link delay", fault.key, 0, range);
            let back = Action::Delay { links: links.clone(), by: Duration::ZERO };
            vec![Line::at(fault.begins, Action::Delay { links, by }), Line::at(fault.ends, back)]
        }
        "hold" => {
            let links = link(draws, fault, &all, one)?;
            let kind = HELD[draws.below("held kind", fault.key, 0, HELD.len() as u64) as usize];
            let back = Action::Release { kind: Some(kind), links: Some(links.clone()) };
            vec![Line::at(fault.begins, Action::Hold { kind, links }), Line::at(fault.ends, back)]
        }
        _ => return None,
    })
}

/// Power fails right behind one of the next durable effects.
fn crash_point(draws: &Draws, fault: &Fault, server: ServerId) -> Line {
    let file =
        CRASH_FILES[draws.below("crash file", fault.key, 0, CRASH_FILES.len() as u64) as usize];
    let file = (!file.is_empty()).then(|| file.to_owned());
    let count = 1 + draws.below("crash effect", fault.key, 0, 8) as u32;
    // Files other than the log change rarely.
    let count = if file.is_some() { count.div_ceil(3) } else { count };
    let trigger = Trigger::Effect { server, file, count, before: Some(fault.ends) };
    Line::on(fault.begins, trigger, Action::Crash(vec![server]))
}

/// From one server to another, one way. `None` where there is no other.
fn link(draws: &Draws, fault: &Fault, all: &[ServerId], one: ServerId) -> Option<Links> {
    let others: Vec<ServerId> = all.iter().copied().filter(|server| *server != one).collect();
    let n = draws.below("fault other", fault.key, 0, others.len().max(1) as u64);
    let other = *others.get(n as usize)?;
    Some(Links::one_way(Plane::Servers, &[one], &[other]))
}
