//! What probes and scripts ask before they send clients to a server, or stop it.
//!
//! The status says it all: 200 is yes, 503 is no. The body says why, for people.

use super::answer::Answer;
use crate::base::ServerId;

/// What a server knows of its own place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// It serves writes: alone, or as a member of a quorum that is up to date.
    pub serves: bool,
    /// It leads, and takes no clients (`leaderServes=no`).
    pub turns_away: bool,
    /// It serves reads to those who want no more (`readonlymode.enabled`).
    pub reads_only: bool,
    /// Whom it follows; itself, if it leads or stands alone.
    pub leader: Option<ServerId>,
    pub me: ServerId,
    pub is_alone: bool,
}

/// What a leader knows of the server that is to be stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopping {
    pub server: ServerId,
    pub is_voter: bool,
    /// Whether the voters that are heard are a quorum without it.
    pub quorum_stays: bool,
}

/// Whether the server answers at all.
pub fn live() -> Answer {
    Answer::text(200, "alive\n")
}

/// Whether clients may be sent here.
pub fn ready(health: &Health) -> Answer {
    match health {
        Health { serves: true, turns_away: true, .. } => {
            Answer::text(503, "leads, and takes no clients: leaderServes=no\n")
        }
        Health { serves: true, .. } => Answer::text(200, "serves\n"),
        Health { reads_only: true, .. } => {
            Answer::text(503, "serves reads alone: there is no quorum\n")
        }
        _ => Answer::text(503, "does not serve: it looks for a leader, or is not up to date yet\n"),
    }
}

/// Whether the ensemble goes on serving without that server. Who follows is known to the leader alone.
pub fn safe_to_stop(health: &Health, stopping: Stopping) -> Answer {
    let Stopping { server, is_voter, quorum_stays } = stopping;
    match health {
        Health { is_alone: true, .. } => {
            Answer::text(503, "not safe: it stands alone, and nobody serves without it\n")
        }
        _ if !is_voter => Answer::text(200, format!("safe: {server} is no voter\n")),
        Health { serves: true, leader: Some(leader), me, .. } if leader == me => match quorum_stays
        {
            true => Answer::text(200, format!("safe: a quorum stays without {server}\n")),
            false => Answer::text(503, format!("not safe: no quorum stays without {server}\n")),
        },
        Health { serves: true, leader: Some(leader), .. } => {
            let text =
                format!("not known: ask server {leader}, the leader, with ?server={server}\n");
            Answer::text(503, text)
        }
        _ => Answer::text(503, "not known: this server looks for a leader\n"),
    }
}
