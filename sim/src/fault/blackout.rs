//! A blackout: some servers, or all, go down at one moment and come back in any order.

use super::{Class, Drawing, Process, Step};

pub(super) const CLASS: Class = Class { name: "blackout", draw: |drawing| Some(drawn(drawing)) };

fn drawn(drawing: &Drawing<'_>) -> Vec<Step> {
    let down = match drawing.below("blackout of", 0, 3) {
        0 => drawing.servers.to_vec(),
        1 => drawing.others(),
        _ => drawing.some_of("blackout", drawing.servers),
    };
    let mut steps = Vec::new();
    if !down.is_empty() {
        steps.push(Step::at(drawing.begins, drawing.down(down.clone())));
    }
    let pause = drawing.within("blackout length", 0, drawing.length());
    for server in down {
        let gap = drawing.within("blackout gap", server.0 as u64, drawing.length());
        steps.push(Step::at(drawing.begins + pause + gap, Process::Start(vec![server])));
    }
    steps
}
