//! The pump: waits for the next input, steps the core, hands its outputs out.
//!
//! One thread owns a server's state. Nothing here awaits but the next input, and no branch looks
//! inside a packet. Inputs are taken in the order of the inbox; in the simulator an instant gets
//! time to settle first, so that whoever posts may run in any order.
//!
//! A turn of the pump ends after so many steps or so much time, however much waits: what they gave
//! out is then carried away, and more comes in, before the next turn. The executor gives the others
//! at most 61 turns in between (tokio's LocalSet).
//!
//! A pump that is behind takes turns: the timer, then what servers and disks sent, then whatever is
//! oldest. So pings and acks go on however many requests of clients wait, and clients are served
//! however much is forwarded. A step that lasts longer than a quarter of a tick delays them all the
//! same: it is logged and counted, and is a bug.
//!
//! Over 500 lines: the loop, and the hands that carry its outputs out.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::core::Peer;
use super::inbox::{Inbox, Source};
use super::io::{Input, Output};
use super::orders;
use crate::admin::page::Hosts;
use crate::admin::{AdminDriver, Site};
use crate::base::limits::STRANGER_LINK_TIMEOUT;
use crate::base::{Now, Stamp, Zxid};
use crate::config::{Reread, ServerConfig};
use crate::election::driver::{ElectionDriver, ElectionLimits};
use crate::runtime::link::Post;
use crate::runtime::{Label, LabelKind, Notice, Purpose, Runtime};
use crate::server::Seeds;
use crate::server::driver::ClientDriver;
use crate::storage::{self, HistoryRequest, LogRequest, SnapshotRequest, StorageOptions, Ticket};
use crate::zab::driver::QuorumDriver;

/// Classes of sources, in the order in which their inputs of one instant are taken.
mod class {
    pub(super) const DISK: u8 = 1;
    pub(super) const ELECTION: u8 = 2;
    pub(super) const QUORUM: u8 = 3;
    pub(super) const CLIENT: u8 = 4;
    pub(super) const ADMIN: u8 = 5;
}

/// Steps of one turn of the pump.
const TURN_STEPS_MAX: usize = 256;
/// And how long it goes on. The step that passes this is its last.
const TURN_TIME_MAX: Duration = Duration::from_millis(4);
/// On the machine the time of the timer is asked for after so many steps: each costs less then.
const TIMER_STEPS: u32 = 16;
/// The pump is behind if something has waited longer than this.
const BEHIND_AFTER: Duration = Duration::from_millis(10);

/// Hears of every step of a server. What the server does is a function of what is heard here.
pub trait StepObserver: 'static {
    /// The server starts; its first input is [`Input::Begin`].
    fn started(&mut self, now: Now, config: &ServerConfig, seeds: Seeds);
    /// A step begins; its outputs follow.
    fn input(&mut self, now: Now, input: &Input);
    fn outputs(&mut self, outputs: &[Output]);
}

/// Nobody listens.
impl StepObserver for () {
    fn started(&mut self, _: Now, _: &ServerConfig, _: Seeds) {}
    fn input(&mut self, _: Now, _: &Input) {}
    fn outputs(&mut self, _: &[Output]) {}
}

/// Runs one server until its process ends.
pub async fn run<R: Runtime>(rt: R, config: ServerConfig, reread: Reread) {
    run_observed(rt, config, (), Some(reread)).await;
}

/// The same, with somebody who hears of every step. Without `reread` no configuration is read again.
pub async fn run_observed<R: Runtime>(
    rt: R,
    config: ServerConfig,
    mut observer: impl StepObserver,
    reread: Option<Reread>,
) {
    let inbox = Inbox::new(rt.settle(), class::CLIENT);
    let hands = Hands::new(&rt, &config, &inbox);
    let now = rt.now_at(rt.stamp());
    let seeds = Seeds {
        connection_throttle: rt.random_u64(Purpose::ConnectionThrottle, 0),
        nonces: [0, 1].map(|n| rt.random_u64(Purpose::SaslNonce, n)),
    };
    let mut peer = Peer::new(now, config.clone(), seeds);
    peer.set_environment(rt.environment());
    observer.started(now, &config, seeds);
    observer.input(now, &Input::Begin);
    let mut outputs = peer.step(now, Input::Begin);
    observer.outputs(&outputs);
    let free_at = rt.step_time(outputs.len()).map(|takes| rt.stamp() + takes);
    hands.perform(&rt, rt.stamp(), &mut outputs);
    if !config.is_standalone() {
        let mut election = config.servers[&config.my_id].election.clone();
        if config.quorum_listen_on_all_ips {
            election.host = "0.0.0.0".into();
        }
        hands.election.listen(election);
    }
    hands.clients.listen_all(config.client.as_ref(), config.client_tls.as_ref());
    let (command_url, may_hand_over) =
        (config.admin.command_url.clone(), config.admin.may_hand_over);
    let page = config.admin.page_enabled.then(|| Hosts::of(&config));
    if page.is_some() && config.admin.listen.is_some() {
        hands.admin.tell_intervals();
    }
    for (on, site) in [
        (&config.admin.listen, Site::Admin { command_url, may_hand_over, page }),
        (&config.admin.metrics, Site::Metrics),
    ] {
        if let Some(on) = on {
            hands.admin.listen(on.clone(), site);
        }
    }
    orders::take(&rt, &inbox, reread);
    let pump = Pump {
        alive_at: rt.sign_of_life_every().map_or(Stamp::FAR, |_| Stamp(0)),
        alive_every: rt.sign_of_life_every().unwrap_or_default(),
        is_ready: false,
        rt,
        inbox,
        hands,
        peer,
        observer,
        last: Stamp(0),
        apply_at: None,
        applied: 0,
        planned: Stamp(0),
        timer: None,
        steps: 0,
        present: now,
        outputs,
        free_at,
        rotation: 0,
        slow_step: config.tick_time / 4,
    };
    pump.run().await;
}

struct Pump<R: Runtime, O> {
    rt: R,
    inbox: Inbox<Input>,
    hands: Hands<R>,
    peer: Peer,
    observer: O,
    /// The stamp of the last step: time does not go back.
    last: Stamp,
    /// When the next committed transaction may be applied.
    apply_at: Option<Stamp>,
    applied: u64,
    /// When the timer was due when we began to wait; zero since the last step.
    planned: Stamp,
    /// When the timer is due, as it was asked for a few steps ago.
    timer: Option<Stamp>,
    steps: u32,
    /// What the clocks showed at the moment of the last step.
    present: Now,
    /// Of one step. Its room is kept for the next.
    outputs: Vec<Output>,
    /// Where a step takes as long as the world says: when the last one was done.
    free_at: Option<Stamp>,
    /// Whose turn it is while the pump is behind.
    rotation: u8,
    /// A step that lasts longer is too slow.
    slow_step: Duration,
    /// When the service manager is to hear next that this loop goes on, and how often.
    alive_at: Stamp,
    alive_every: Duration,
    is_ready: bool,
}

/// What a step is about.
enum Next {
    Timer(Stamp),
    Apply(Stamp),
    /// The oldest input.
    First,
    /// The oldest input of a server or a disk.
    OfPeers,
}

impl<R: Runtime, O: StepObserver> Pump<R, O> {
    async fn run(mut self) {
        loop {
            if self.alive_at != Stamp::FAR {
                self.give_sign_of_life(self.rt.stamp());
            }
            if self.turn() {
                self.rt.give_way().await;
            } else {
                self.wait().await;
            }
        }
    }

    fn give_sign_of_life(&mut self, present: Stamp) {
        if present >= self.alive_at {
            self.rt.notify(Notice::Alive);
            self.alive_at = present + self.alive_every;
        }
    }

    /// Whether more is to be done than was.
    fn turn(&mut self) -> bool {
        let begin = self.rt.stamp();
        let mut present = begin;
        for _ in 0..TURN_STEPS_MAX {
            if present > begin + TURN_TIME_MAX {
                return true;
            }
            let Some(next) = self.next(present) else { return false };
            let doing = self.take(next);
            let began = std::mem::replace(&mut present, self.rt.stamp());
            let took = match self.free_at {
                Some(done) => done - self.last,
                None => present - began,
            };
            if took > self.slow_step {
                self.step(present, Input::SlowStep { doing, took });
            }
        }
        true
    }

    /// What to do at this moment, if the time of anything has come.
    fn next(&mut self, present: Stamp) -> Option<Next> {
        let (first, timer, apply) = self.next_times();
        let oldest = first.min(timer).min(apply);
        if oldest.max(self.free_at.unwrap_or(oldest)) + self.rt.settle() > present {
            return None;
        }
        let reached = self.free_at.unwrap_or(present);
        if oldest + BEHIND_AFTER < reached {
            self.rotation = (self.rotation + 1) % 3;
            let is_due = |at: Stamp| at <= reached;
            match self.rotation {
                1 if is_due(timer) => return Some(Next::Timer(timer)),
                2 if self.inbox.first_of_peers().is_some_and(is_due) => return Some(Next::OfPeers),
                _ => {}
            }
        }
        Some(match oldest {
            _ if oldest == first => Next::First,
            _ if oldest == timer => Next::Timer(timer),
            _ => Next::Apply(apply),
        })
    }

    async fn wait(&mut self) {
        self.timer = None;
        let (first, timer, apply) = self.next_times();
        self.planned = timer;
        let next = first.min(timer).min(apply);
        self.wait_until(next.max(self.free_at.unwrap_or(next)).min(self.alive_at)).await;
    }

    /// When the next input happened, when the timer is due, and when something may be applied.
    fn next_times(&mut self) -> (Stamp, Stamp, Stamp) {
        let due = self.timer_due();
        let apply = self.rt.noticed_at(self.apply_at.unwrap_or(Stamp::FAR));
        let first = self.inbox.first().unwrap_or(Stamp::FAR);
        // A clock that began to run faster makes a time due that was not yet: it is noticed by
        // whatever wakes us next.
        let timer = if due < self.planned { due.max(first.min(self.planned)) } else { due };
        (first, timer, apply)
    }

    fn timer_due(&mut self) -> Stamp {
        let due = self.timer.unwrap_or_else(|| self.rt.stamp_of(self.peer.wake_at()));
        self.timer = self.rt.settle().is_zero().then_some(due);
        self.rt.noticed_at(due)
    }

    /// Answers what it did, in a word.
    fn take(&mut self, next: Next) -> &'static str {
        let input = match next {
            Next::Timer(at) => return self.step(at, Input::Timer),
            Next::Apply(at) => {
                self.apply_at = None;
                return self.step(at, Input::Apply);
            }
            Next::First => self.inbox.pop(),
            Next::OfPeers => self.inbox.pop_of_peers(),
        };
        let (at, source, input) = input.expect("there was one when this was chosen");
        if input.is_last_of_its_source() {
            self.inbox.forget(source);
        }
        self.step(at, input)
    }

    async fn wait_until(&self, next: Stamp) {
        if next == Stamp::FAR {
            return self.inbox.posted().await;
        }
        tokio::select! {
            biased;
            () = self.inbox.posted() => {}
            () = self.rt.sleep_until(next + self.rt.settle()) => {}
        }
    }

    fn step(&mut self, at: Stamp, input: Input) -> &'static str {
        let doing = input.name();
        let at = at.max(self.last).max(self.free_at.unwrap_or(at));
        if at != self.last {
            self.present = self.rt.now_at(at);
        }
        self.last = at;
        self.planned = Stamp(0);
        self.steps += 1;
        if self.steps >= TIMER_STEPS {
            self.steps = 0;
            self.timer = None;
        }
        if self.rt.traces() {
            self.rt.trace(at, &format_args!("< {input:?}"));
        }
        let now = self.present;
        if input.asks_for_all() {
            self.peer.set_file_descriptors(self.rt.file_descriptors());
        }
        self.observer.input(now, &input);
        self.peer.step_into(now, input, &mut self.outputs);
        self.observer.outputs(&self.outputs);
        self.free_at = self.rt.step_time(self.outputs.len()).map(|takes| at + takes);
        self.hands.perform(&self.rt, at, &mut self.outputs);
        if !self.is_ready && self.peer.serves() {
            self.is_ready = true;
            self.rt.notify(Notice::Ready);
        }
        if self.apply_at.is_none() && self.peer.has_work_to_apply() {
            self.applied += 1;
            self.apply_at = Some(at + self.rt.apply_delay(self.applied));
        }
        doing
    }
}

/// Everything that carries outputs out.
struct Hands<R: Runtime> {
    election: ElectionDriver<R>,
    quorum: QuorumDriver<R>,
    clients: ClientDriver<R>,
    admin: AdminDriver<R>,
    log: UnboundedSender<(Stamp, Ticket, LogRequest)>,
    snapshots: UnboundedSender<(Stamp, Ticket, SnapshotRequest)>,
    history: UnboundedSender<(Stamp, Ticket, HistoryRequest)>,
    election_timeout: Duration,
    quorum_timeout: Duration,
}

impl<R: Runtime> Hands<R> {
    fn new(rt: &R, config: &ServerConfig, inbox: &Inbox<Input>) -> Hands<R> {
        let options = storage_options(config);
        let (log, log_requests) = unbounded_channel();
        let (snapshots, snapshot_requests) = unbounded_channel();
        let (history, history_requests) = unbounded_channel();
        let (floor, floors) = unbounded_channel();
        let done = stored(inbox, 1);
        rt.spawn("log", storage::run_log(rt.clone(), options.clone(), log_requests, floor, done));
        let failed = stored(inbox, 4);
        rt.spawn("floor", storage::run_floor(rt.clone(), options.clone(), floors, failed));
        let done = stored(inbox, 2);
        let writes = storage::run_snapshots(rt.clone(), options.clone(), snapshot_requests, done);
        rt.spawn("snapshots", writes);
        let done = stored(inbox, 3);
        rt.spawn("history", storage::run_history(rt.clone(), options, history_requests, done));
        let election_limits = ElectionLimits {
            handshake_timeout: config.sync_timeout(),
            stranger_timeout: STRANGER_LINK_TIMEOUT,
            members: config.servers.keys().copied().collect(),
            bind_tries: config.election_bind_tries,
        };
        let hands = Hands {
            election: ElectionDriver::new(
                rt.clone(),
                election_limits,
                post(inbox, class::ELECTION, Input::Election),
            ),
            quorum: QuorumDriver::new(rt.clone(), post(inbox, class::QUORUM, Input::Quorum)),
            clients: ClientDriver::new(rt.clone(), post(inbox, class::CLIENT, Input::Client)),
            admin: AdminDriver::new(
                rt.clone(),
                post(inbox, class::ADMIN, Input::Admin),
                config.admin.idle_timeout,
            ),
            log,
            snapshots,
            history,
            election_timeout: config.election_connect_timeout,
            quorum_timeout: config.sync_timeout(),
        };
        hands.quorum.set_field_bytes_max(config.limits.field_bytes_max());
        hands.quorum.set_sync_limits(&config.sync);
        hands.clients.set_frame_bytes_max(config.limits.jute_max_buffer);
        hands.clients.set_per_address_max(config.max_client_cnxns);
        hands.clients.set_takes_trace_mask(config.admits_word("stmk"));
        let room = inbox.clone();
        hands.clients.set_room(Rc::new(move |cx| room.has_room_for_clients(cx)));
        let room = inbox.clone();
        hands.quorum.set_room(Rc::new(move |cx| room.has_room_for_peers(cx)));
        hands
    }

    fn perform(&self, rt: &R, at: Stamp, outputs: &mut Vec<Output>) {
        for output in outputs.drain(..) {
            if let Output::Note(note) = output {
                rt.observe(at, note);
                continue;
            }
            if rt.traces() {
                rt.trace(at, &format_args!("> {output:?}"));
            }
            self.perform_one(rt, at, output);
        }
    }

    fn perform_one(&self, rt: &R, at: Stamp, output: Output) {
        match output {
            Output::ElectionDial { link, to, handshake } => {
                self.election.dial(at, link, to, handshake, self.election_timeout);
            }
            Output::ElectionWrite { link, body } => {
                let label = Label { kind: LabelKind::Notification, zxid: None::<Zxid> };
                self.election.write(at, link, body, label);
            }
            Output::ElectionClose { link } => self.election.close(at, link),
            Output::QuorumListen(on) => self.quorum.listen(on),
            Output::QuorumUnlisten => self.quorum.unlisten(),
            Output::QuorumDial { link, to } => {
                self.quorum.dial(at, link, to, self.quorum_timeout);
            }
            Output::QuorumWrite { link, bytes, label } => {
                self.quorum.write(at, link, bytes, label);
            }
            Output::QuorumNotifyDrained { link } => self.quorum.notify_drained(at, link),
            Output::QuorumClose { link } => self.quorum.close(at, link),
            Output::ClientWords { takes_trace_mask: takes } => {
                self.clients.set_takes_trace_mask(takes);
            }
            Output::ClientUnlisten => {
                rt.notify(Notice::Stopping);
                self.clients.unlisten();
            }
            Output::ClientWrite { conn, bytes } => self.clients.write(at, conn, bytes),
            Output::ClientClose { conn } => self.clients.close(at, conn),
            Output::ClientPause { conn } => self.clients.pause(conn),
            Output::ClientResume { conn } => self.clients.resume(conn),
            Output::ClientNotifyDrained { conn } => self.clients.notify_drained(at, conn),
            Output::AdminAnswer { number, answer } => self.admin.answer(number, answer),
            // The tasks at the other end live as long as the server: a closed queue is its end.
            Output::Log(ticket, request) => drop(self.log.send((at, ticket, request))),
            Output::Snapshot(ticket, request) => drop(self.snapshots.send((at, ticket, request))),
            Output::History(ticket, request) => drop(self.history.send((at, ticket, request))),
            Output::Halt(halt) => rt.halt(halt),
            Output::Note(note) => rt.observe(at, note),
        }
    }
}

/// What a server with this configuration asks of its storage.
pub fn storage_options(config: &ServerConfig) -> StorageOptions {
    StorageOptions {
        data_dir: config.data_dir.clone(),
        data_log_dir: config.data_log_dir.clone(),
        pre_alloc_bytes: config.pre_alloc_bytes,
        snap_retain_count: config.snap_retain_count,
        datadir_autocreate: config.datadir_autocreate,
        db_autocreate: config.db_autocreate,
        trust_empty: config.trust_empty_snapshot,
        ensemble: !config.is_standalone(),
        field_bytes_max: config.limits.field_bytes_max(),
        museum: config.museum,
    }
}

fn post<E: 'static>(inbox: &Inbox<Input>, class: u8, wrap: fn(E) -> Input) -> Post<E> {
    let inbox = inbox.clone();
    Rc::new(move |at, number, event| inbox.post(at, (class, number), wrap(event)))
}

fn stored(
    inbox: &Inbox<Input>,
    lane: u64,
) -> impl Fn(Stamp, Ticket, Result<storage::Outcome, storage::StorageError>) + 'static {
    let inbox = inbox.clone();
    move |at, ticket, result| {
        let source: Source = (class::DISK, lane);
        inbox.post(at, source, Input::Stored(ticket, result));
    }
}

#[cfg(test)]
#[path = "pump_test.rs"]
mod tests;
