//! Notes as log lines: what an operator wants to read of an election, a role, a lost history.
//!
//! Not here: the notes that come with every transaction; they are for checkers and traces.

use tracing::{debug, error, info, warn};

use crate::base::{Note, RoleName, SyncMode};

pub(super) fn log(note: &Note) {
    match note {
        Note::Recovered { last_logged, last_applied, accepted, current, .. } => info!(
            %last_logged, %last_applied, accepted_epoch = %accepted, current_epoch = %current,
            "read the data directory"
        ),
        Note::Role { role, epoch } => info!(current_epoch = %epoch, "{}", role_words(*role)),
        Note::Vote { round, leader, zxid, epoch } => {
            debug!(round, %leader, %zxid, %epoch, "my vote");
        }
        Note::Elected { round, leader, voters } => {
            info!(round, %leader, ?voters, "the election is over");
        }
        Note::EpochOffered { epoch, voters } => debug!(%epoch, ?voters, "offering a new epoch"),
        Note::SyncChosen { learner, mode, peer, to } => {
            info!(%learner, from = %peer, %to, "synchronising a learner by {}", sync_words(*mode));
        }
        Note::SyncProgress { learner, sent_bytes, percent, took_ms } => {
            let megabytes = *sent_bytes as f64 / 1e6;
            let rate = megabytes * 1000.0 / (*took_ms).max(1) as f64;
            info!(%learner, percent, "synchronising: {megabytes:.0} MB sent, {rate:.1} MB/s");
        }
        Note::Established { epoch, voters, history_end } => {
            info!(%epoch, ?voters, %history_end, "a quorum follows: leading");
        }
        Note::Serving { epoch, zxid } => {
            info!(%epoch, %zxid, "up to date with the leader: serving")
        }
        Note::Truncated { to } => info!(%to, "cut the log back to the leader's history"),
        Note::SnapshotInstalled { zxid, .. } => info!(%zxid, "took over the leader's snapshot"),
        Note::SnapshotDurable { zxid } => debug!(%zxid, "snapshot written"),
        Note::SessionExpired { session, timeout_ms } => {
            info!(%session, timeout_ms, "session expired");
        }
        Note::GaveUp { why } => warn!(%why, "giving up this role"),
        Note::Broken { id, what } => error!(id, what, "a property does not hold"),
        _ => {}
    }
}

fn role_words(role: RoleName) -> &'static str {
    match role {
        RoleName::Looking => "looking for a leader",
        RoleName::Following => "following",
        RoleName::Leading => "elected: waiting for a quorum of followers",
        RoleName::Observing => "observing",
        RoleName::Standalone => "standalone",
    }
}

fn sync_words(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::Diff => "DIFF",
        SyncMode::Trunc => "TRUNC",
        SyncMode::Snap => "SNAP",
    }
}
