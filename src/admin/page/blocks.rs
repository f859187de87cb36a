//! `What blocks me`: what is slow or missing, by rules on what a server knows, and what to do about it.
//!
//! Every rule names its numbers. The worst come first.

use std::time::Duration;

use serde_json::{Value, json};

use super::glance::{Glance, State};
use crate::base::RoleName;

/// Syncs of the log that were too slow are told of for so long.
const FSYNC_TOLD_FOR: Duration = Duration::from_secs(300);
/// Changes of role within this time are counted.
const CHANGES_TOLD_FOR: Duration = Duration::from_secs(600);
/// So many of them are no calm ensemble.
const CHANGES_MANY: usize = 3;
/// The fsync time that a calm disk is below, at the 99th percentile.
const FSYNC_CALM: Duration = Duration::from_millis(100);
/// A follower's oldest missing ack is slow behind this.
const ACK_SLOW: Duration = Duration::from_millis(500);
/// Bytes that wait for the log.
const LOG_WAITING_BYTES: u64 = 1 << 20;
/// In a hundred: descriptors in use, and requests in process.
const NEARLY_ALL: u64 = 80;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Clients wait, or are not served.
    Alarm,
    /// They will, if it goes on.
    Warning,
    /// Good to know.
    Hint,
}

/// One thing that is in the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) level: Level,
    /// The rule.
    pub(super) id: &'static str,
    /// What, with numbers.
    pub(super) what: String,
    /// What to do.
    pub(super) do_this: String,
}

impl Block {
    pub(super) fn to_json(&self) -> Value {
        let level = match self.level {
            Level::Alarm => "alarm",
            Level::Warning => "warning",
            Level::Hint => "hint",
        };
        json!({ "level": level, "id": self.id, "what": self.what, "do": self.do_this })
    }
}

struct Found(Vec<Block>);

impl Found {
    fn add(
        &mut self,
        (level, id): (Level, &'static str),
        what: impl Into<String>,
        do_this: impl Into<String>,
    ) {
        self.0.push(Block { level, id, what: what.into(), do_this: do_this.into() });
    }
}

/// Everything that is in the way of this server and its clients, the worst first.
pub(super) fn find(glance: &Glance<'_>) -> Vec<Block> {
    let mut found = Found(Vec::new());
    for rule in [service, leader_silent, members, followers, log, clients, limits, calm] {
        rule(glance, &mut found);
    }
    found.0.sort_by_key(|block| block.level);
    found.0
}

/// Does it serve at all?
fn service(glance: &Glance<'_>, found: &mut Found) {
    if glance.serves {
        return;
    }
    let since = time(glance.unserved_ms.unwrap_or(glance.since_ms));
    match (glance.role, glance.leader) {
        (RoleName::Looking, _) => found.add(
            (Level::Alarm, "no_leader"),
            format!("this server has served no writes for {since}: it looks for a leader"),
            "start more servers until a majority of the voters runs, and let each reach the election port of the others",
        ),
        (_, Some(leader)) => found.add(
            (Level::Alarm, "not_level"),
            format!("this server has served nobody for {since}: it is not level with server {leader} yet"),
            "wait while it is sent what it lacks; if that begins again and again, see its log",
        ),
        (_, None) => found.add(
            (Level::Alarm, "not_ready"),
            format!("this server has served nobody for {since}"),
            "see its log: it may still read its disk",
        ),
    }
}

fn leader_silent(glance: &Glance<'_>, found: &mut Found) {
    let (Some(heard_ms), Some(leader)) = (glance.leader_heard_ms, glance.leader) else { return };
    if glance.serves && heard_ms > millis(glance.tick) {
        found.add(
            (Level::Warning, "leader_silent"),
            format!(
                "nothing was heard of the leader, server {leader}, for {}; behind {} it is given up",
                time(heard_ms),
                time(millis(glance.sync_timeout))
            ),
            format!("see whether server {leader} runs and can be reached; an election follows by itself"),
        );
    }
}

/// Who is missing, and what that means.
fn members(glance: &Glance<'_>, found: &mut Found) {
    for member in glance.servers.iter().filter(|member| matches!(member.state, State::Absent)) {
        let sid = member.sid;
        let start = format!("start server {sid}, or let it reach {}", quorum_of_me(glance));
        if !member.votes {
            let what = format!("observer {sid} is not connected to this leader");
            found.add((Level::Warning, "observer_absent"), what, start);
        } else if glance.can_lose_one {
            let what = format!(
                "server {sid} is not connected to this leader; a quorum stays without one more"
            );
            found.add((Level::Warning, "voter_absent"), what, start);
        } else {
            let what = format!(
                "server {sid} is not connected to this leader: one more loss, and nobody can write"
            );
            found.add((Level::Alarm, "voter_absent"), what, start);
        }
    }
}

fn quorum_of_me<'a>(glance: &'a Glance<'_>) -> &'a str {
    let me = glance.servers.iter().find(|member| member.sid == glance.me);
    me.map_or("this server", |me| &me.quorum)
}

/// The slowest of those we lead.
fn followers(glance: &Glance<'_>, found: &mut Found) {
    for (member, learner) in glance.learners() {
        if let Some((percent, bytes)) = learner.sync.filter(|_| !learner.serves) {
            found.add(
                (Level::Hint, "synchronising"),
                format!(
                    "server {} is being brought level: about {percent} %, {} sent",
                    member.sid,
                    size(bytes)
                ),
                "wait: it counts for the quorum again when it is level",
            );
        }
    }
    let lag = |unacked_ms: Option<u64>| unacked_ms.unwrap_or(0);
    let slowest = glance.learners().max_by_key(|(_, l)| (lag(l.unacked_ms), l.heard_ms));
    let Some((member, learner)) = slowest else { return };
    let (sid, limit) = (member.sid, time(millis(glance.sync_timeout)));
    if lag(learner.unacked_ms) > millis(ACK_SLOW) {
        found.add(
            (Level::Warning, "slow_follower"),
            format!(
                "server {sid} is the slowest: {} {} not acked, the oldest for {}; it was heard {} ago, and is dropped behind {limit}",
                count(learner.unacked),
                if learner.unacked == 1 { "proposal is" } else { "proposals are" },
                time(lag(learner.unacked_ms)),
                time(learner.heard_ms),
            ),
            format!("look at the fsync times on the page of server {sid}, and at the network between"),
        );
    } else if learner.heard_ms > millis(glance.tick) {
        found.add(
            (Level::Warning, "silent_follower"),
            format!(
                "nothing was heard of server {sid} for {}; behind {limit} it is dropped",
                time(learner.heard_ms)
            ),
            format!("see whether server {sid} runs and can be reached"),
        );
    }
}

/// The disk of the log.
fn log(glance: &Glance<'_>, found: &mut Found) {
    const OWN_DISK: &str =
        "give the log a device of its own (dataLogDir), and see what else writes to it";
    let spreads = || glance.history.newest(FSYNC_TOLD_FOR).filter_map(|interval| interval.fsync_us);
    let slowest_us = spreads().map(|spread| spread.max).max().unwrap_or(0);
    let last_us = spreads().next().map_or(0, |spread| spread.p99);
    if slowest_us >= micros(glance.fsync_warning) {
        found.add(
            (Level::Warning, "slow_fsync"),
            format!(
                "a sync of the log took {} in the last five minutes (fsync.warningthresholdms is {})",
                time(slowest_us / 1000),
                time(millis(glance.fsync_warning))
            ),
            OWN_DISK,
        );
    } else if last_us >= micros(FSYNC_CALM) {
        let what =
            format!("one sync of the log in a hundred takes {} or more", time(last_us / 1000));
        found.add((Level::Warning, "slow_fsync"), what, OWN_DISK);
    }
    let figures = &glance.figures;
    if figures.log_waiting_bytes >= LOG_WAITING_BYTES {
        found.add(
            (Level::Warning, "log_waits"),
            format!(
                "{} transactions with {} wait for the log",
                count(figures.log_waiting_txns),
                size(figures.log_waiting_bytes)
            ),
            "the disk is slower than the writes that come: see the fsync times, or let clients write less",
        );
    }
    let (wait, commit) = (&glance.quorum_wait_us, &glance.commit_us);
    if let (Some(wait), Some(commit)) = (wait.quantile(0.99), commit.quantile(0.99))
        && commit >= micros(FSYNC_CALM)
        && wait * 2 >= commit
    {
        found.add(
            (Level::Hint, "others_slow"),
            format!(
                "a commit takes {} (p99): {} of that is waiting for other servers, not for this disk",
                time(commit / 1000),
                time(wait / 1000)
            ),
            "look at the disks of the followers, and at the network between",
        );
    }
}

fn clients(glance: &Glance<'_>, found: &mut Found) {
    let clients = &glance.clients;
    let worst = clients.worst.first().map(|client| {
        let session = client.session.as_deref().unwrap_or("none");
        format!(
            "; the worst is {}, session {session} ({} unread, {} requests queued)",
            client.address,
            size(client.unread_bytes),
            count(client.queued)
        )
    });
    let worst = worst.unwrap_or_default();
    if clients.paused > 0 {
        found.add(
            (Level::Warning, "clients_paused"),
            format!(
                "{}: not read from, since more is asked than can be answered{worst}",
                connections(clients.paused)
            ),
            "let them wait for answers before they ask more, or spread them over more servers",
        );
    }
    if clients.unread > 0 {
        found.add(
            (Level::Warning, "clients_unread"),
            format!(
                "{}: answers wait, since nobody reads what was sent before{worst}",
                connections(clients.unread)
            ),
            "see what these clients do: they are hung, slow, or behind a slow network",
        );
    }
    let figures = &glance.figures;
    if figures.outstanding * 100 >= figures.outstanding_max * NEARLY_ALL {
        found.add(
            (Level::Warning, "many_outstanding"),
            format!(
                "{} requests are in process of {} (globalOutstandingLimit): busy clients are about to be held",
                count(figures.outstanding),
                count(figures.outstanding_max)
            ),
            "see the fsync times and the slowest follower: the requests wait for these",
        );
    }
}

fn limits(glance: &Glance<'_>, found: &mut Found) {
    let figures = &glance.figures;
    if figures.drop_chance > 0.0 {
        found.add(
            (Level::Warning, "sessions_dropped"),
            format!(
                "{:.0} % of new sessions are turned away (connection throttle)",
                figures.drop_chance * 100.0
            ),
            "find out who opens so many sessions, or raise connection_throttle_tokens",
        );
    }
    if let Some((open, allowed)) = figures.descriptors
        && open * 100 >= allowed * NEARLY_ALL
    {
        found.add(
            (Level::Warning, "descriptors"),
            format!("{} file descriptors are open of {}", count(open), count(allowed)),
            "raise the limit (ulimit -n, LimitNOFILE), or close connections",
        );
    }
}

fn calm(glance: &Glance<'_>, found: &mut Found) {
    let ended = glance.changes.ended_behind(glance.at_ms - millis(CHANGES_TOLD_FOR) as i64);
    if ended >= CHANGES_MANY {
        found.add(
            (Level::Warning, "no_calm"),
            format!("this server's role ended {ended} times in the last ten minutes"),
            "the reasons stand below: a slow disk, a paused process and a lossy network look like this",
        );
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn connections(n: u64) -> String {
    format!("{} {}", count(n), if n == 1 { "connection" } else { "connections" })
}

/// `12,345`
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1e3),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
#[path = "blocks_test.rs"]
mod tests;
