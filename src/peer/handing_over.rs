//! A leader gives its leadership to a follower that has everything.
//!
//!     asked --> requests that would be proposed wait (leading.rs)
//!           --> all that was proposed is committed, applied and answered; a voter has all of it
//!           --> the role ends: in the election that follows this server votes for that voter
//!     no voter has everything within a tick --> what waits is proposed, and the leadership goes on
//!
//! Nothing of it is told to the others but a vote, as any server may give it: they may be Apache's.
//! What waits when the role ends was never proposed, and goes with the connections of its clients.
//! Zab does not rest on who wins an election (decision 0018).
//!
//! Not here: which voter (zab/leader/succession.rs), for how long it is voted for (election/core.rs).

use super::core::Peer;
use super::leaving::{Asker, HandingOver};
use super::role::Role;
use crate::admin::HandOver;
use crate::base::{GaveUp, Mono, Now};
use crate::zab::leader::Input;

impl Peer {
    /// Begins, unless this server is no leader that could be followed by another.
    pub(super) fn hand_over(&mut self, now: Now, asker: Option<Asker>) {
        let refused = match &mut self.role {
            Role::Leading(leading) if !leading.leader().is_established() => HandOver::NotLeading,
            Role::Leading(leading) if !leading.leader().has_other_voters() => HandOver::Alone,
            Role::Leading(leading) => {
                let until = now.mono + self.config.tick_time;
                let begun = HandingOver { until, askers: Vec::new() };
                self.handing_over.get_or_insert(begun).askers.extend(asker);
                leading.hold();
                return self.step_leader(now, Input::HandOver);
            }
            Role::Learning(learner) => HandOver::LedBy(learner.leader()),
            Role::Standalone(_) => HandOver::Alone,
            Role::Loading(_) | Role::Draining(_) | Role::Looking | Role::Halted => {
                HandOver::NotLeading
            }
        };
        self.answer_hand_over(asker, refused);
    }

    /// The last thing of a step: whatever this step has committed or applied counts.
    pub(super) fn try_to_hand_over(&mut self, now: Now) {
        let (Some(_), Role::Leading(leading)) = (&self.handing_over, &self.role) else { return };
        if self.db.next_to_apply().is_none()
            && let Some(to) = leading.leader().successor()
        {
            self.end_handing_over(HandOver::Done(to));
            self.become_draining(now, GaveUp::HandedOver { to });
        }
    }

    pub(super) fn handing_over_until(&self) -> Mono {
        self.handing_over.as_ref().map_or(Mono::FAR, |handing_over| handing_over.until)
    }

    /// Its time is over: everything goes on.
    pub(super) fn stop_handing_over(&mut self, now: Now) {
        if now.mono < self.handing_over_until() {
            return;
        }
        tracing::warn!("the leadership goes on: no other voter has everything within a tick");
        self.end_handing_over(HandOver::NobodyLevel);
        self.step_leader(now, Input::KeepLeading);
        if let Role::Leading(leading) = &mut self.role {
            for request in leading.release() {
                leading.propose(now, &request, &mut self.db, &mut self.queue);
            }
        }
    }

    /// Tells everybody who asked for it.
    pub(super) fn end_handing_over(&mut self, how: HandOver) {
        let Some(handing_over) = self.handing_over.take() else { return };
        for asker in handing_over.askers {
            self.answer_hand_over(Some(asker), how);
        }
    }

    fn answer_hand_over(&mut self, asker: Option<Asker>, how: HandOver) {
        match asker {
            Some(Asker::Word(conn)) => self.write_answer(conn, format!("{how}\n")),
            Some(Asker::Command(number)) => self.answer_command(number, how.to_answer()),
            None => {}
        }
    }
}

#[cfg(test)]
#[path = "handing_over_test.rs"]
mod tests;
