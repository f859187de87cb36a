//! This server's part in elections, and its election connections: two cores and what is between.
//!
//! Not here: what the end of an election means (roles.rs).

use serde::{Deserialize, Serialize};

use super::io::Output;
use super::queue::Queue;
use super::reach::{Reach, wait_until};
use crate::base::{Mono, Now, ServerId};
use crate::config::ServerConfig;
use crate::election::core::Input;
use crate::election::driver::ElectionEvent;
use crate::election::links;
use crate::election::{Election, Links, Notification};
use crate::quorum::QuorumVerifier;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Elections {
    election: Election,
    links: Links,
    /// When the election wants `Timer`.
    wake_at: Mono,
    reach: Reach,
}

impl Elections {
    pub(super) fn new(config: &ServerConfig, verifier: QuorumVerifier) -> Elections {
        Elections {
            election: Election::new(config, verifier),
            links: Links::new(config),
            wake_at: Mono::FAR,
            reach: Reach::of("server"),
        }
    }

    pub(super) fn wake_at(&self) -> Mono {
        self.wake_at
    }

    pub(super) fn set_wake_at(&mut self, at: Mono) {
        self.wake_at = at;
    }

    pub(super) fn step(&mut self, now: Now, input: Input, queue: &mut Queue) {
        queue.of_election(|out| self.election.step(now, input, out));
    }

    pub(super) fn step_links(&mut self, input: links::Input, queue: &mut Queue) {
        queue.of_links(|out| self.links.step(input, out));
    }

    pub(super) fn on_timer(&mut self, now: Now, queue: &mut Queue) {
        if now.mono >= self.wake_at {
            self.wake_at = Mono::FAR;
            let delivered = self.links.all_delivered();
            self.step(now, Input::Timer { delivered }, queue);
        }
    }

    pub(super) fn on_event(&mut self, now: Now, event: ElectionEvent, queue: &mut Queue) {
        let input = match event {
            ElectionEvent::Accepted { link, sid, .. } => {
                self.reach.heard_of(ServerId(sid));
                links::Input::Accepted { link, sid }
            }
            ElectionEvent::Connected { link } => {
                self.reach.connected(link);
                links::Input::Connected { link }
            }
            ElectionEvent::DialFailed { link, why, refused } => {
                self.reach.failed(link, &why, wait_until(now, self.wake_at));
                links::Input::DialFailed { link, refused }
            }
            ElectionEvent::Frame { link, body } => links::Input::Frame { link, body },
            ElectionEvent::Lost { link, .. } => links::Input::Lost { link },
        };
        self.step_links(input, queue);
    }

    /// Performs one output of the links.
    pub(super) fn on_links(&mut self, now: Now, output: links::Output, queue: &mut Queue) {
        match output {
            links::Output::Dial { link, sid, to, handshake } => {
                self.reach.dialling(link, sid, to.clone());
                queue.push(Output::ElectionDial { link, to, handshake });
            }
            links::Output::Write { link, body } => {
                queue.push(Output::ElectionWrite { link, body });
            }
            links::Output::Close { link } => {
                self.reach.given_up(link);
                queue.push(Output::ElectionClose { link });
            }
            links::Output::Deliver { link, from, body } => match Notification::decode(body) {
                Ok(notification) => {
                    self.step(now, Input::Notification { from, notification }, queue);
                }
                Err(error) => {
                    tracing::warn!(%from, %error, "closing an election link: a notification does not decode");
                    self.step_links(links::Input::Misbehaved { link }, queue);
                }
            },
            links::Output::Gone { sid } => self.step(now, Input::Gone { sid }, queue),
            links::Output::Refused { sid } => self.step(now, Input::Refused { sid }, queue),
        }
    }
}
