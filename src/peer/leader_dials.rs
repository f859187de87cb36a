//! How a learner dials its leader: the numbers of its links, which go on from role to role, and
//! whether a leader is reached.

use serde::{Deserialize, Serialize};

use super::io::Output;
use super::queue::Queue;
use super::reach::{Reach, wait_until};
use crate::base::{LinkId, Mono, Now, ServerId};
use crate::quorum::QuorumVerifier;
use crate::runtime::HostPort;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LeaderDials {
    next_link: u64,
    reach: Reach,
}

impl LeaderDials {
    pub(super) fn new() -> LeaderDials {
        LeaderDials { next_link: 2, reach: Reach::of("leader") }
    }

    /// The number of a new learner's first link. Even: accepted links are odd.
    pub(super) fn take_link(&mut self) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 2;
        link
    }

    /// The learner numbers its later dials itself.
    pub(super) fn dial(
        &mut self,
        link: LinkId,
        leader: ServerId,
        verifier: &QuorumVerifier,
        queue: &mut Queue,
    ) {
        self.next_link = self.next_link.max(link.0 + 2);
        let to = verifier.servers().get(&leader).map(|server| server.quorum.clone());
        let to = to.unwrap_or_else(|| HostPort::new("", 0));
        self.reach.dialling(link, leader, to.clone());
        queue.push(Output::QuorumDial { link, to });
    }

    pub(super) fn connected(&mut self, link: LinkId) {
        self.reach.connected(link);
    }

    pub(super) fn failed(&mut self, now: Now, link: LinkId, why: &str, next_dial: Mono) {
        self.reach.failed(link, why, wait_until(now, next_dial));
    }

    pub(super) fn close(&mut self, link: LinkId, queue: &mut Queue) {
        self.reach.given_up(link);
        queue.push(Output::QuorumClose { link });
    }
}
