//! An ambush: a server comes back, and is hindered on its way into the ensemble.
//!
//! It is restarted, and at a step of the protocol its disk becomes slow or hangs. Then it, its
//! connections or some of the other servers go. Single faults at any time rarely meet these steps.

use std::time::Duration;

use quorate::runtime::LabelKind;

use super::cut::Cut;
use super::hold_fsync::HoldFsync;
use super::slow_fsync::SlowFsync;
use super::{AnyKind, Class, Drawing, Process, Step};
use crate::grammar::Links;
use crate::grammar::Trigger;

/// What a learner sends on its way into the ensemble, in this order.
const STEPS: [LabelKind; 4] =
    [LabelKind::FollowerInfo, LabelKind::AckEpoch, LabelKind::AckEpoch, LabelKind::Ack];

pub(super) const CLASS: Class = Class { name: "ambush", draw: |drawing| Some(drawn(drawing)) };

fn drawn(drawing: &Drawing<'_>) -> Vec<Step> {
    let me = vec![drawing.server()];
    let back = drawing.begins + drawing.between_ms("ambush pause", 5, 400);
    let kind = STEPS[drawing.below("ambush step", 0, STEPS.len())];
    let trigger = Trigger::Sends { from: drawing.server(), kind, to: None, zxid: None };
    let blow = back + drawing.between_ms("ambush blow", 20, 1200);
    let end = (blow + drawing.within("ambush length", 0, drawing.length())).max(drawing.ends);
    let (strike, mend) = strike(drawing);
    let mut steps = vec![
        Step::at(drawing.begins, drawing.down(me.clone())),
        Step::at(back, Process::Start(me.clone())),
    ];
    match drawing.below("ambush disk", 0, 3) {
        0 => steps.push(Step::on(back, trigger, strike)),
        disk => {
            let by = drawing.between_ms("ambush fsync", 20, 500);
            let (slow, mended): (Box<AnyKind>, Box<AnyKind>) = match disk {
                1 => (HoldFsync::Hold(me.clone()).into(), HoldFsync::Release(me).into()),
                _ => (
                    SlowFsync { servers: me.clone(), by }.into(),
                    SlowFsync { servers: me, by: Duration::ZERO }.into(),
                ),
            };
            steps.push(Step::on(back, trigger, slow));
            steps.push(Step::at(blow, strike));
            steps.push(Step::at(end, mended));
        }
    }
    steps.push(Step::at(end, mend));
    steps
}

/// What happens to the server or the others, and what undoes it.
fn strike(drawing: &Drawing<'_>) -> (Box<AnyKind>, Box<AnyKind>) {
    let me = vec![drawing.server()];
    let (all, others) = (drawing.servers.to_vec(), drawing.others());
    let some = drawing.some_of("ambush others", &others);
    let start = |servers| Process::Start(servers).into();
    match drawing.below("ambush strike", 0, 6) {
        1 => (Process::Stop(me.clone()).into(), start(me)),
        2 if !others.is_empty() => {
            let alone = Links::between(&[me, others]);
            (Cut::Begin(alone.clone()).into(), Cut::Heal(alone).into())
        }
        3 => (Process::Crash(all.clone()).into(), start(all)),
        2 | 4 | 5 if !some.is_empty() => (drawing.down(some.clone()), start(some)),
        _ => (Process::Crash(me.clone()).into(), start(me)),
    }
}
