//! Which other servers our dials reach: one calm line in the log when that changes.
//!
//! An ensemble starts server by server, so a server that is not up yet is nothing to worry about,
//! and it is dialled again and again: repeats are told at level debug.
//!
//! Not here: when a server is dialled (election/links.rs, zab/learner).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{LinkId, Mono, Now, ServerId};
use crate::runtime::HostPort;

/// What is known of the other servers' election ports, or of the leader's quorum port.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reach {
    /// "server" or "leader".
    who: Cow<'static, str>,
    dials: BTreeMap<LinkId, (ServerId, HostPort)>,
    unreachable: BTreeSet<ServerId>,
}

impl Reach {
    /// `who` is dialled here: "server" or "leader".
    pub(super) fn of(who: &'static str) -> Reach {
        Reach { who: who.into(), dials: BTreeMap::new(), unreachable: BTreeSet::new() }
    }

    pub(super) fn dialling(&mut self, link: LinkId, sid: ServerId, to: HostPort) {
        self.dials.insert(link, (sid, to));
    }

    /// We gave the dial up ourselves: that says nothing of the other server.
    pub(super) fn given_up(&mut self, link: LinkId) {
        self.dials.remove(&link);
    }

    /// `next`: when it is tried again; `None` if that depends on what happens.
    pub(super) fn failed(&mut self, link: LinkId, why: &str, next: Option<Duration>) {
        let Some((sid, to)) = self.dials.remove(&link) else { return }; // Given up, see above.
        let first = self.unreachable.insert(sid);
        let (who, next) = (&self.who, Next(next));
        if first {
            tracing::info!("{who} {sid} at {to} is not reachable yet ({why}); {next}");
        } else {
            tracing::debug!("{who} {sid} at {to} is still not reachable ({why}); {next}");
        }
    }

    /// The dial succeeded.
    pub(super) fn connected(&mut self, link: LinkId) {
        if let Some((sid, _)) = self.dials.remove(&link) {
            self.heard_of(sid);
        }
    }

    /// The server reached us, or we it.
    pub(super) fn heard_of(&mut self, sid: ServerId) {
        if self.unreachable.remove(&sid) {
            tracing::info!("{} {sid} is reachable now", self.who);
        }
    }
}

/// How long it is until `at`; `None` if that is never.
pub(super) fn wait_until(now: Now, at: Mono) -> Option<Duration> {
    (at != Mono::FAR).then(|| at.since(now.mono))
}

/// When a server is dialled again.
struct Next(Option<Duration>);

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(wait) => write!(f, "next try in {} ms", wait.as_millis()),
            None => f.write_str("next try when there is something to tell it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_a_server_is_dialled_again() {
        let now = Now { mono: Mono(100), wall_ms: 0 };
        let line = |at| Next(wait_until(now, at)).to_string();
        assert_eq!(line(Mono(400_000_100)), "next try in 400 ms");
        assert_eq!(line(Mono::FAR), "next try when there is something to tell it");
    }

    #[test]
    fn a_dial_that_we_gave_up_makes_no_server_unreachable() {
        let mut reach = Reach::of("server");
        let to = HostPort::new("10.0.0.2", 3888);
        reach.dialling(LinkId(2), ServerId(2), to.clone());
        reach.given_up(LinkId(2));
        reach.failed(LinkId(2), "closed by this server", None);
        assert!(reach.unreachable.is_empty());
        reach.dialling(LinkId(4), ServerId(2), to);
        reach.failed(LinkId(4), "Connection refused", None);
        assert_eq!(reach.unreachable, BTreeSet::from([ServerId(2)]));
        reach.heard_of(ServerId(2));
        assert!(reach.unreachable.is_empty() && reach.dials.is_empty());
    }
}
