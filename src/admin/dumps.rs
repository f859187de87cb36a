//! What grows with the server: its sessions, ephemerals and watches, and the history of its digest.
//! (DumpCommand, WatchCommand, DigestCommand)
//!
//! Each text is as long as what it shows, and made in one go over it.

use std::fmt::Write as _;

use crate::base::{SessionId, Zxid, java_date};

/// What `dump` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dump<'a> {
    pub sessions: SessionsDump,
    /// Each session that owns nodes, and their paths.
    pub ephemerals: Vec<(SessionId, Vec<&'a str>)>,
    /// Connections by the time when they expire, by address and session (0 without one).
    pub connections: Vec<ExpiryBucket<(&'a str, SessionId)>>,
}

/// Those that expire at the same time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpiryBucket<T> {
    /// By the wall clock, in milliseconds since 1970.
    pub at_ms: i64,
    pub members: Vec<T>,
}

/// The sessions that a server knows of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionsDump {
    /// A leader, or a standalone server, tracks them. Closing ones are counted and in no bucket.
    Tracked { local: Option<(usize, Buckets)>, global: (usize, Buckets) },
    /// A learner knows their timeouts.
    Known { local: Option<(usize, Buckets)>, global: Vec<(SessionId, i32)> },
}

type Buckets = Vec<ExpiryBucket<SessionId>>;

/// What `wchs` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchSummary {
    pub connections: usize,
    pub paths: usize,
    /// Pairs of the two.
    pub watches: usize,
}

pub(super) fn dump(dump: &Dump<'_>) -> String {
    let mut text = String::from("SessionTracker dump:\n");
    write_sessions(&mut text, &dump.sessions);
    text.push_str("ephemeral nodes dump:\n");
    let _ = writeln!(text, "Sessions with Ephemerals ({}):", dump.ephemerals.len());
    for (session, paths) in &dump.ephemerals {
        let _ = writeln!(text, "{session}:");
        write_paths(&mut text, paths);
    }
    text.push_str("Connections dump:\nConnections ");
    let connections = dump.connections.iter().map(|bucket| bucket.members.len()).sum();
    write_buckets(&mut text, connections, &dump.connections, |text, (address, session)| {
        let _ = writeln!(text, "\tip: /{address} sessionId: {session}");
    });
    text
}

/// (SessionTrackerImpl, LeaderSessionTracker, LearnerSessionTracker: dumpSessions)
fn write_sessions(text: &mut String, sessions: &SessionsDump) {
    let write = |text: &mut String, (count, buckets): &(usize, Buckets)| {
        text.push_str("Session ");
        write_buckets(text, *count, buckets, |text, session| {
            let _ = writeln!(text, "\t{session}");
        });
    };
    let (SessionsDump::Tracked { local, .. } | SessionsDump::Known { local, .. }) = sessions;
    if let Some(local) = local {
        text.push_str("Local ");
        write(text, local);
    }
    match sessions {
        SessionsDump::Tracked { local, global } => {
            text.push_str(if local.is_some() { "Global " } else { "" });
            write(text, global);
        }
        SessionsDump::Known { global, .. } => {
            let _ = writeln!(text, "Global Sessions({}):", global.len());
            for (session, timeout_ms) in global {
                let _ = writeln!(text, "{session}\t{timeout_ms}ms");
            }
        }
    }
}

/// (ExpiryQueue.dump)
fn write_buckets<T>(
    text: &mut String,
    count: usize,
    buckets: &[ExpiryBucket<T>],
    write_member: impl Fn(&mut String, &T),
) {
    let _ = writeln!(text, "Sets ({})/({count}):", buckets.len());
    for bucket in buckets {
        let (members, date) = (bucket.members.len(), java_date(bucket.at_ms));
        let _ = writeln!(text, "{members} expire at {date}:");
        for member in &bucket.members {
            write_member(text, member);
        }
    }
}

fn write_paths(text: &mut String, paths: &[&str]) {
    for path in paths {
        let _ = writeln!(text, "\t{path}");
    }
}

pub(super) fn wchs(summary: WatchSummary) -> String {
    let WatchSummary { connections, paths, watches } = summary;
    format!("{connections} connections watching {paths} paths\nTotal watches:{watches}\n")
}

pub(super) fn wchc(watches: &[(SessionId, Vec<&str>)]) -> String {
    let mut text = String::new();
    for (session, paths) in watches {
        let _ = writeln!(text, "{session}");
        write_paths(&mut text, paths);
    }
    text.push('\n');
    text
}

pub(super) fn wchp(watches: &[(&str, Vec<SessionId>)]) -> String {
    let mut text = String::new();
    for (path, sessions) in watches {
        let _ = writeln!(text, "{path}");
        for session in sessions {
            let _ = writeln!(text, "\t{session}");
        }
    }
    text.push('\n');
    text
}

pub(super) fn hash(digests: &[(Zxid, i64)]) -> String {
    let line = |(zxid, digest): &(Zxid, i64)| format!("{:x}: {digest}\n", zxid.0);
    digests.iter().map(line).collect()
}
