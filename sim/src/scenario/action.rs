//! What a timeline can say, as values. Each prints as a text that reads back as the same.

use std::fmt;
use std::time::Duration;

use quorate::base::{Epoch, RoleName, ServerId, SyncMode, Zxid};
use quorate::runtime::LabelKind;

use super::disk_deeds::DiskDeed;
use super::lexer::show_duration;
use super::links::Links;

/// One line: when, and what then happens, in the order written.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub when: When,
    pub actions: Vec<Action>,
    /// Line and column in the scenario file; zero for lines the laboratory made itself.
    pub place: (usize, usize),
    /// The number of the drawn fault this line belongs to.
    pub fault: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At this time after the start of the world.
    At(Duration),
    /// The first time this happens, from this time on.
    On(Duration, Trigger),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// A frame of this kind is about to leave `from`.
    Sends { from: ServerId, kind: LabelKind, to: Option<ServerId>, zxid: Option<Zxid> },
    /// Everything up to this zxid is durable in the server's log.
    Durable { server: ServerId, zxid: Zxid },
    /// The server takes this role.
    Role { server: ServerId, role: RoleName },
    /// The server is an established leader: a quorum acked its NEWLEADER.
    Established { server: ServerId },
    /// The server's own election ended.
    Elected { server: ServerId },
    /// The `count`-th sync of this server that made something durable: of a file whose name begins
    /// so, or of a directory in which such a name changed. Not after `before`.
    Effect { server: ServerId, file: Option<String>, count: u32, before: Option<Duration> },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Start(Vec<ServerId>),
    /// The process ends; what it wrote stays in the page cache.
    Stop(Vec<ServerId>),
    /// Power loss: what was not synced is lost or torn.
    Crash(Vec<ServerId>),
    Pause(Vec<ServerId>),
    Resume(Vec<ServerId>),
    /// Removes every file of a server that does not run.
    Wipe(Vec<ServerId>),
    Disk {
        deed: DiskDeed,
        servers: Vec<ServerId>,
    },
    /// Resets every connection of the quorum port: the role ends, the process lives.
    Look(Vec<ServerId>),
    Cut(Links),
    /// Mends these links, or the whole network with every delay and hold.
    Heal(Option<Links>),
    Delay {
        links: Links,
        by: Duration,
    },
    /// Frames of this kind, and what follows them on their connection, wait.
    Hold {
        kind: LabelKind,
        links: Links,
    },
    Release {
        kind: Option<LabelKind>,
        links: Option<Links>,
    },
    HoldFsync(Vec<ServerId>),
    ReleaseFsync(Vec<ServerId>),
    /// Each fsync takes this much longer.
    SlowFsync {
        servers: Vec<ServerId>,
        by: Duration,
    },
    /// Each committed transaction reaches the tree up to this much later.
    SlowApply {
        servers: Vec<ServerId>,
        by: Duration,
    },
    ClockRate {
        servers: Vec<ServerId>,
        rate: f64,
    },
    ClockJump {
        servers: Vec<ServerId>,
        by_ms: i64,
    },
    Client {
        name: String,
        act: ClientAct,
    },
    Expect(Vec<Expectation>),
}

impl Line {
    /// A line of the laboratory's own, at a time.
    pub(super) fn at(at: Duration, action: Action) -> Line {
        Line { when: When::At(at), actions: vec![action], place: (0, 0), fault: None }
    }

    /// The same, on what happens first from a time on.
    pub(super) fn on(from: Duration, trigger: Trigger, action: Action) -> Line {
        Line { when: When::On(from, trigger), ..Line::at(from, action) }
    }
}

/// The servers an action is done to, to read or to change.
macro_rules! servers_of {
    ($action:expr) => {
        match $action {
            Action::Start(servers)
            | Action::Stop(servers)
            | Action::Crash(servers)
            | Action::Pause(servers)
            | Action::Resume(servers)
            | Action::Wipe(servers)
            | Action::Disk { servers, .. }
            | Action::Look(servers)
            | Action::HoldFsync(servers)
            | Action::ReleaseFsync(servers)
            | Action::SlowFsync { servers, .. }
            | Action::SlowApply { servers, .. }
            | Action::ClockRate { servers, .. }
            | Action::ClockJump { servers, .. } => Some(servers),
            _ => None,
        }
    };
}

/// The links an action names, to read or to change.
macro_rules! links_of {
    ($action:expr) => {
        match $action {
            Action::Cut(links)
            | Action::Heal(Some(links))
            | Action::Delay { links, .. }
            | Action::Hold { links, .. }
            | Action::Release { links: Some(links), .. } => Some(links),
            _ => None,
        }
    };
}

impl Action {
    /// The servers it is done to, as written; none if it is about links, a client or an
    /// expectation.
    pub fn servers(&self) -> &[ServerId] {
        servers_of!(self).map_or(&[], Vec::as_slice)
    }

    pub fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        servers_of!(self)
    }

    /// The links it is about, if it names some.
    pub fn links(&self) -> Option<&Links> {
        links_of!(self)
    }

    pub fn links_mut(&mut self) -> Option<&mut Links> {
        links_of!(self)
    }
}

/// What a scripted client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAct {
    /// Opens a session; tries these servers in turn.
    Connects(Vec<ServerId>),
    Create {
        path: String,
        data: String,
        ephemeral: bool,
        sequential: bool,
    },
    Set {
        path: String,
        data: String,
    },
    Get {
        path: String,
    },
    Exists {
        path: String,
    },
    List {
        path: String,
    },
    Delete {
        path: String,
    },
    Sync {
        path: String,
    },
    Closes,
}

/// One clause of an `expect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// One of these is the established leader of the highest epoch (and that epoch is this one).
    Leader {
        servers: Vec<ServerId>,
        epoch: Option<Epoch>,
    },
    /// No running server is an established leader.
    NoLeader,
    NotLeader(ServerId),
    /// Following and observing mean: synchronised and serving.
    InRole {
        servers: Vec<ServerId>,
        role: RoleName,
    },
    Down(Vec<ServerId>),
    /// The last zxid in the server's log.
    Last {
        server: ServerId,
        zxid: Zxid,
    },
    /// The server's log was cut at this zxid at some time before.
    Truncated {
        server: ServerId,
        to: Zxid,
    },
    /// The newest synchronisation of this learner went this way.
    Synced {
        server: ServerId,
        mode: SyncMode,
    },
    /// The named client's newest operation: answered without error, with one, or not at all.
    Client {
        name: String,
        state: ClientState,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    Ok,
    Fails,
    Waits,
}

fn list(f: &mut fmt::Formatter<'_>, servers: &[ServerId]) -> fmt::Result {
    for (i, server) in servers.iter().enumerate() {
        write!(f, "{}{server}", if i == 0 { "" } else { " " })?;
    }
    Ok(())
}

struct List<'a>(&'a [ServerId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::At(at) => write!(f, "{}", show_duration(*at))?,
            When::On(from, trigger) if from.is_zero() => write!(f, "on {trigger}")?,
            When::On(from, trigger) => write!(f, "{} on {trigger}", show_duration(*from))?,
        }
        for (i, action) in self.actions.iter().enumerate() {
            write!(f, "{}{action}", if i == 0 { "  " } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::Sends { from, kind, to, zxid } => {
                write!(f, "{from} sends {}", kind_word(*kind))?;
                if let Some(zxid) = zxid {
                    write!(f, " {zxid}")?;
                }
                if let Some(to) = to {
                    write!(f, " to {to}")?;
                }
                Ok(())
            }
            Trigger::Durable { server, zxid } => write!(f, "{server} durable {zxid}"),
            Trigger::Role { server, role } => write!(f, "{server} role {}", role_word(*role)),
            Trigger::Established { server } => write!(f, "{server} established"),
            Trigger::Elected { server } => write!(f, "{server} elected"),
            Trigger::Effect { server, file, count, before } => {
                write!(f, "{server} effect")?;
                if let Some(file) = file {
                    write!(f, " {file}")?;
                }
                if *count > 1 {
                    write!(f, " {count}")?;
                }
                match before {
                    Some(before) => write!(f, " before {}", show_duration(*before)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Start(s) => write!(f, "start {}", List(s)),
            Action::Stop(s) => write!(f, "stop {}", List(s)),
            Action::Crash(s) => write!(f, "crash {}", List(s)),
            Action::Pause(s) => write!(f, "pause {}", List(s)),
            Action::Resume(s) => write!(f, "resume {}", List(s)),
            Action::Wipe(s) => write!(f, "wipe {}", List(s)),
            Action::Disk { deed, servers } => deed.write(f, &List(servers).to_string()),
            Action::Look(s) => write!(f, "look {}", List(s)),
            Action::Cut(links) => write!(f, "cut {links}"),
            Action::Heal(None) => f.write_str("heal"),
            Action::Heal(Some(links)) => write!(f, "heal {links}"),
            Action::Delay { links, by } => write!(f, "delay {links} {}", show_duration(*by)),
            Action::Hold { kind, links } => write!(f, "hold {} {links}", kind_word(*kind)),
            Action::Release { kind, links } => {
                f.write_str("release")?;
                if let Some(kind) = kind {
                    write!(f, " {}", kind_word(*kind))?;
                }
                if let Some(links) = links {
                    write!(f, " {links}")?;
                }
                Ok(())
            }
            Action::HoldFsync(s) => write!(f, "hold-fsync {}", List(s)),
            Action::ReleaseFsync(s) => write!(f, "release-fsync {}", List(s)),
            Action::SlowFsync { servers, by } => {
                write!(f, "slow-fsync {} {}", List(servers), show_duration(*by))
            }
            Action::SlowApply { servers, by } => {
                write!(f, "slow-apply {} {}", List(servers), show_duration(*by))
            }
            Action::ClockRate { servers, rate } => {
                write!(f, "clock {} rate {rate}", List(servers))
            }
            Action::ClockJump { servers, by_ms } => {
                let size = Duration::from_millis(by_ms.unsigned_abs());
                let sign = if *by_ms < 0 { '-' } else { '+' };
                write!(f, "clock {} jump {sign}{}", List(servers), show_duration(size))
            }
            Action::Client { name, act } => write!(f, "client {name} {act}"),
            Action::Expect(clauses) => {
                f.write_str("expect ")?;
                for (i, clause) in clauses.iter().enumerate() {
                    write!(f, "{}{clause}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for ClientAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientAct::Connects(servers) => write!(f, "connects {}", List(servers)),
            ClientAct::Create { path, data, ephemeral, sequential } => {
                write!(f, "create ")?;
                if *ephemeral {
                    write!(f, "-e ")?;
                }
                if *sequential {
                    write!(f, "-s ")?;
                }
                with_data(f, path, data)
            }
            ClientAct::Set { path, data } => {
                f.write_str("set ")?;
                with_data(f, path, data)
            }
            ClientAct::Get { path } => write!(f, "get {path}"),
            ClientAct::Exists { path } => write!(f, "exists {path}"),
            ClientAct::List { path } => write!(f, "ls {path}"),
            ClientAct::Delete { path } => write!(f, "delete {path}"),
            ClientAct::Sync { path } => write!(f, "sync {path}"),
            ClientAct::Closes => write!(f, "closes"),
        }
    }
}

fn with_data(f: &mut fmt::Formatter<'_>, path: &str, data: &str) -> fmt::Result {
    f.write_str(path)?;
    if data.is_empty() { Ok(()) } else { write!(f, " {data}") }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Leader { servers, epoch: None } => write!(f, "leader {}", List(servers)),
            Expectation::Leader { servers, epoch: Some(e) } => {
                write!(f, "leader {} epoch {e}", List(servers))
            }
            Expectation::NoLeader => f.write_str("no leader"),
            Expectation::NotLeader(server) => write!(f, "not leader {server}"),
            Expectation::InRole { servers, role } => {
                write!(f, "{} {}", List(servers), role_word(*role))
            }
            Expectation::Down(servers) => write!(f, "{} down", List(servers)),
            Expectation::Last { server, zxid } => write!(f, "last {server} {zxid}"),
            Expectation::Truncated { server, to } => write!(f, "truncated {server} {to}"),
            Expectation::Synced { server, mode } => {
                write!(f, "synced {server} {}", mode_word(*mode))
            }
            Expectation::Client { name, state } => {
                let state = match state {
                    ClientState::Ok => "ok",
                    ClientState::Fails => "fails",
                    ClientState::Waits => "waits",
                };
                write!(f, "client {name} {state}")
            }
        }
    }
}

/// Words for the kinds of frames, as ZooKeeper writes them.
pub const KINDS: [(&str, LabelKind); 21] = [
    ("HANDSHAKE", LabelKind::Handshake),
    ("NOTIFICATION", LabelKind::Notification),
    ("REQUEST", LabelKind::Request),
    ("PROPOSAL", LabelKind::Proposal),
    ("ACK", LabelKind::Ack),
    ("COMMIT", LabelKind::Commit),
    ("PING", LabelKind::Ping),
    ("REVALIDATE", LabelKind::Revalidate),
    ("SYNC", LabelKind::Sync),
    ("INFORM", LabelKind::Inform),
    ("NEWLEADER", LabelKind::NewLeader),
    ("FOLLOWERINFO", LabelKind::FollowerInfo),
    ("UPTODATE", LabelKind::UpToDate),
    ("DIFF", LabelKind::Diff),
    ("TRUNC", LabelKind::Trunc),
    ("SNAP", LabelKind::Snap),
    ("SNAPSHOT", LabelKind::SnapshotStream),
    ("OBSERVERINFO", LabelKind::ObserverInfo),
    ("LEADERINFO", LabelKind::LeaderInfo),
    ("ACKEPOCH", LabelKind::AckEpoch),
    ("CLIENT", LabelKind::Client),
];

pub fn kind_word(kind: LabelKind) -> &'static str {
    KINDS.iter().find(|(_, k)| *k == kind).map_or("?", |(word, _)| word)
}

pub const ROLES: [(&str, RoleName); 4] = [
    ("looking", RoleName::Looking),
    ("following", RoleName::Following),
    ("leading", RoleName::Leading),
    ("observing", RoleName::Observing),
];

pub fn role_word(role: RoleName) -> &'static str {
    ROLES.iter().find(|(_, r)| *r == role).map_or("standalone", |(word, _)| word)
}

pub fn mode_word(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::Diff => "DIFF",
        SyncMode::Trunc => "TRUNC",
        SyncMode::Snap => "SNAP",
    }
}
