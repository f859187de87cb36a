//! A stall: all frames of one kind from or to a server wait, and with them what follows.
//!
//! In half of them the server is stopped while they wait.

use quorate::runtime::LabelKind;

use super::hold::Hold;
use super::{Class, Drawing, Process, Step};
use crate::grammar::Links;

/// Frames worth holding, each as likely.
const KINDS: [LabelKind; 9] = [
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

pub(super) const CLASS: Class = Class { name: "stall", draw: |drawing| Some(drawn(drawing)) };

fn drawn(drawing: &Drawing<'_>) -> Vec<Step> {
    let kind = KINDS[drawing.below("stall kind", 0, KINDS.len())];
    let (me, others) = (vec![drawing.server()], drawing.others());
    if others.is_empty() {
        return Vec::new();
    }
    let links = match drawing.below("stall direction", 0, 3) {
        0 => Links::one_way(&others, &me),
        _ => Links::one_way(&me, &others),
    };
    let release = Hold::Release { kind, links: links.clone() };
    let mut steps = vec![Step::at(drawing.begins, Hold::Begin { kind, links })];
    if drawing.below("stall ends", 0, 2) == 0 {
        let stop = drawing.begins + drawing.length().mul_f64(0.7);
        steps.push(Step::at(stop, drawing.down(me.clone())));
        steps.push(Step::at(drawing.ends, release));
        steps.push(Step::at(drawing.ends, Process::Start(me)));
    } else {
        steps.push(Step::at(drawing.ends, release));
    }
    steps
}
