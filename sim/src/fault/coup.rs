//! A coup: a server becomes leader, and at a step of its way there it goes, or its followers do.

use std::time::Duration;

use quorate::runtime::LabelKind;

use super::cut::Cut;
use super::pause::Pause;
use super::{AnyKind, Class, Drawing, Process, Step};
use crate::grammar::Links;
use crate::grammar::Trigger;

/// What a leader sends until it is established, and from there.
const STEPS: [LabelKind; 7] = [
    LabelKind::LeaderInfo,
    LabelKind::NewLeader,
    LabelKind::Diff,
    LabelKind::Snap,
    LabelKind::UpToDate,
    LabelKind::Proposal,
    LabelKind::Commit,
];

pub(super) const CLASS: Class = Class { name: "coup", draw: |drawing| Some(drawn(drawing)) };

fn drawn(drawing: &Drawing<'_>) -> Vec<Step> {
    let server = drawing.server();
    let trigger = match drawing.below("coup step", 0, STEPS.len() + 2) {
        0 => Trigger::Elected { server },
        1 => Trigger::Established { server },
        n => Trigger::Sends { from: server, kind: STEPS[n - 2], to: None, zxid: None },
    };
    let (strike, mend) = strike(drawing);
    let end = drawing.ends + Duration::from_millis(500);
    vec![Step::on(drawing.begins, trigger, strike), Step::at(end, mend)]
}

/// What happens to the leader or the others, and what undoes it.
fn strike(drawing: &Drawing<'_>) -> (Box<AnyKind>, Box<AnyKind>) {
    let me = vec![drawing.server()];
    let all = drawing.servers.to_vec();
    let some = drawing.some_of("coup others", &drawing.others());
    let start = |servers| Process::Start(servers).into();
    match drawing.below("coup strike", 0, 5) {
        0 => (Pause::Begin(me.clone()).into(), Pause::End(me).into()),
        1 if !some.is_empty() => (drawing.down(some.clone()), start(some)),
        2 if !some.is_empty() => {
            let links = Links::between(&[me, some]);
            (Cut::Begin(links.clone()).into(), Cut::Heal(links).into())
        }
        3 => (Process::Crash(all.clone()).into(), start(all)),
        _ => (drawing.down(me.clone()), start(me)),
    }
}
