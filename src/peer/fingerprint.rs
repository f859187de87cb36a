//! Which servers are in the same state, whatever happened before.
//!
//! Left out is what decides nothing: the configuration, which does not change; counters and times
//! for an operator; the next number of a link or ticket. Links, connections and tickets are told
//! apart, but their numbers say only in which order they were met (base::fingerprint).
//!
//! Not here: the requests on their way between servers, and what lies on a disk. Election rounds
//! count as they are: whoever compares ensembles subtracts the least of them.

use super::core::Peer;
use crate::base::{Fingerprint, Now, Rules};

const RULES: Rules = Rules {
    left_out: &[
        ("ServerConfig", &[]),
        ("QuorumVerifier", &[]),
        ("ConfigNode", &[]),
        ("Reach", &[]),
        ("ServiceStats", &[]),
        ("ProposalSizes", &[]),
        ("Connection", &["received", "sent", "stats"]),
        ("Words", &[]),
        ("DigestLog", &[]),
        ("Course", &["since", "unavailable_since"]),
        ("LeaderDials", &["next_link"]),
        ("Links", &["next_link"]),
        ("Disk", &["last_ticket", "index", "log_end", "rolled", "is_measuring", "waiting"]),
        ("Leader", &["half_ticks"]),
        ("Outstanding", &["proposed", "durable"]),
        ("Handler", &["sent_bytes", "next_telling"]),
        ("QuotaCheck", &["warned"]),
    ],
    renamed: &["LinkId", "ConnId", "Ticket"],
};

impl Peer {
    /// `now`: times up to it are past.
    pub fn fingerprint(&self, now: Now) -> Fingerprint {
        Fingerprint::of(self, now, &RULES)
    }
}
