//! The file descriptors of this process, and who may have how many of them.
//!
//! A server without a free one could not begin its next log, nor open its quorum port, and either is
//! the end of it. So each kind of connection has a share, and strangers, who can open as many as
//! they like, never get at what files and the server's own connections need:
//!
//! ```text
//! files, own connections   a 16th of all, 32 to 1024
//! election port            an 8th, at least 8
//! quorum port              an 8th, at least 8
//! clients, all ports       the rest
//! ```
//!
//! Not here: the counting (`slots.rs`).

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// With less than this many, a server is soon full of clients.
const WANTED: usize = 4096;

/// Descriptors by what they are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shares {
    /// What the process has.
    pub(super) all: usize,
    pub(super) clients: usize,
    /// Of each port for peers.
    pub(super) peers: usize,
}

impl Shares {
    /// Raises the limit of this process as far as it may, and divides what it has then.
    pub(super) fn of_process() -> Shares {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        let has = match raised {
            Ok(()) => maximum,
            Err(error) => {
                warn!(%error, "cannot raise the number of open files: the soft limit stays");
                current
            }
        };
        let shares =
            Shares::of(has.and_then(|has| usize::try_from(has).ok()).unwrap_or(usize::MAX));
        if let Shares { all: all @ ..WANTED, clients, .. } = shares {
            warn!(
                "this process may have {all} open files, which is room for {clients} clients: {WANTED} \
                 or more are wanted (ulimit -n, or LimitNOFILE= of a unit of systemd)"
            );
        }
        shares
    }

    fn of(all: usize) -> Shares {
        let files = (all / 16).clamp(32, 1024);
        let peers = (all / 8).max(8);
        let clients = all.saturating_sub(files + 2 * peers).max(1);
        Shares { all, clients, peers }
    }
}

/// How many this process has open, and how many it may have. `None` where the kernel does not say.
pub(super) fn open_and_allowed() -> Option<(u64, u64)> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // The listing itself takes one.
    Some((listed.saturating_sub(1), allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_opened_counts() {
        let open = || open_and_allowed().map(|(open, _)| open);
        let Some(before) = open() else { return };
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null")).collect();
        // Tests beside this one open and close some too.
        assert!(open() >= Some(before + 30), "{before} and {} more", files.len());
    }

    #[test]
    fn every_share_is_there_however_few_descriptors_there_are() {
        let shares = |all| {
            let Shares { clients, peers, .. } = Shares::of(all);
            (clients, peers)
        };
        assert_eq!(shares(1024), (704, 128));
        assert_eq!(shares(100), (44, 12));
        assert_eq!(shares(64), (16, 8));
        assert_eq!(shares(20), (1, 8), "too few for anything, and it starts");
        assert_eq!(shares(1 << 20), ((1 << 20) - 1024 - (1 << 18), 1 << 17));
        assert!(shares(usize::MAX).0 > 1 << 40);
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let Shares { all, .. } = Shares::of_process();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(maximum.unwrap_or(u64::MAX), all as u64);
    }
}
