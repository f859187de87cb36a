//! All sessions on one thread: waits for sockets, reads, asks anew, writes.
//!
//! One read takes what came on a connection, its replies make room for as many requests, and these
//! leave with one write. The clock is read once for each of those turns.
//! The sockets are edge-triggered: who is told that a socket is readable must empty it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::clock::Clock;
use super::error::BenchError;
use super::frames;
use super::link::{Link, State};
use super::pace::{Phase, Schedule, Turns};
use super::tally::Tally;
use super::work::Source;

const TIMER: Token = Token(usize::MAX);
/// Sessions that are asked for at once: a server's queue of connections that it has not accepted is
/// short (Apache's holds 50).
const OPENING_MAX: usize = 32;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long replies may be missing before they are given up, in nanoseconds.
const SILENCE_MAX: u64 = 60_000_000_000;
const SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Client {
    poll: Poll,
    events: Events,
    /// Connections of which something was heard, and whether it was more than room to write.
    ready: Vec<(usize, bool)>,
    pub(super) links: Vec<Link>,
    buffer: Vec<u8>,
    pub(super) clock: Clock,
    in_flight: usize,
    /// Why connections were lost, and how many.
    pub(super) lost: BTreeMap<String, usize>,
    /// Requests whose replies will not come.
    pub(super) unanswered: u64,
    session_timeout: u64,
    /// Of an open loop.
    timer: Option<OwnedFd>,
}

impl Client {
    /// A session for each connection, over the servers in turn.
    pub(super) fn connect(
        servers: &[SocketAddr],
        connections: usize,
        timeout_ms: i32,
    ) -> Result<Client, BenchError> {
        raise_descriptors();
        let mut client = Client {
            poll: Poll::new().map_err(|error| BenchError::Machine { doing: "epoll", error })?,
            events: Events::with_capacity(1024),
            ready: Vec::new(),
            links: Vec::new(),
            buffer: Vec::new(),
            clock: Clock::start(),
            in_flight: 0,
            lost: BTreeMap::new(),
            unanswered: 0,
            session_timeout: u64::try_from(timeout_ms).unwrap_or(0) * 1_000_000,
            timer: None,
        };
        for (at, server) in servers.iter().cycle().take(connections).enumerate() {
            let refused = |error| BenchError::Connect { server: *server, error };
            client.open(*server, frames::connect(timeout_ms)).map_err(refused)?;
            if client.links.len().is_multiple_of(OPENING_MAX) || at + 1 == connections {
                client.wait_for_sessions()?;
            }
        }
        Ok(client)
    }

    fn open(&mut self, server: SocketAddr, hello: Vec<u8>) -> io::Result<()> {
        let stream = std::net::TcpStream::connect_timeout(&server, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let at = self.links.len();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(at), interest)?;
        self.links.push(Link::new(server, stream, hello));
        self.flush(at);
        Ok(())
    }

    fn wait_for_sessions(&mut self) -> Result<(), BenchError> {
        let mut tally = Tally::new(0);
        let given_up = self.clock.now() + SILENCE_MAX;
        loop {
            let not_open = self.links.iter().find(|link| link.state != State::Open);
            let Some(Link { server, state, .. }) = not_open else { return Ok(()) };
            let (server, in_vain) = (*server, self.clock.now() > given_up);
            if *state == State::Lost || in_vain {
                let kind =
                    if in_vain { io::ErrorKind::TimedOut } else { io::ErrorKind::ConnectionReset };
                return Err(BenchError::Connect { server, error: kind.into() });
            }
            self.wait(SECOND)?;
            for i in 0..self.ready.len() {
                let (at, readable) = self.ready[i];
                if readable {
                    self.read(at, &mut tally)?;
                }
                self.flush(at);
            }
        }
    }

    /// Asks until the source is dry or time is up, and until all is answered. Returns how many
    /// operations of an open loop were due and not asked.
    pub(super) fn run_phase(
        &mut self,
        source: &mut impl Source,
        phase: Phase,
        tally: &mut Tally,
        mut each_second: impl FnMut(&mut Tally, u64),
    ) -> Result<u64, BenchError> {
        self.timer = phase.schedule.map(|(schedule, _)| self.start_timer(&schedule)).transpose()?;
        let mut turns = Turns::new(phase, self.links.len());
        let mut now = self.clock.now();
        for at in 0..self.links.len() {
            self.ask(at, now, source, &mut turns);
        }
        let mut second = now + SECOND;
        let mut heard = now;
        loop {
            let until = phase.until.unwrap_or(u64::MAX);
            let waits = phase.idle || phase.schedule.is_some();
            let over = !waits || now >= until || source.is_dry() || self.live() == 0;
            if over && self.in_flight == 0 || now > heard.saturating_add(SILENCE_MAX) {
                break;
            }
            let next = if now < until { second.min(until) } else { second };
            self.wait(next.saturating_sub(now))?;
            now = self.clock.now();
            for i in 0..self.ready.len() {
                let (at, readable) = self.ready[i];
                if readable {
                    now = self.read(at, tally)?;
                    heard = now;
                }
                self.ask(at, now, source, &mut turns);
            }
            for at in turns.newly_due(now) {
                self.ask(at, now, source, &mut turns);
            }
            if now >= second {
                second = now + SECOND;
                self.keep_alive(now);
                if self.in_flight == 0 {
                    heard = now;
                }
            }
            if tally.second_is_over(now) {
                each_second(tally, now);
            }
        }
        self.unanswered += self.in_flight as u64;
        Ok(phase.until.map_or(0, |until| turns.late(until)))
    }

    /// Fills the window of a connection, and writes.
    fn ask(&mut self, at: usize, now: u64, source: &mut impl Source, turns: &mut Turns) {
        let link = &mut self.links[at];
        if link.state != State::Open {
            return;
        }
        while link.has_room(turns.window()) {
            let Some(start) = turns.start(at, now) else { break };
            let (xid, out) = link.next_request();
            let Some(asked) = source.push(at, xid, out) else { break };
            link.asked(asked, start);
            turns.taken(at);
            self.in_flight += 1;
        }
        self.flush_at(at, now);
    }

    /// Waits for sockets, and notes which have something.
    fn wait(&mut self, nanos: u64) -> Result<(), BenchError> {
        self.ready.clear();
        match self.poll.poll(&mut self.events, Some(Duration::from_nanos(nanos))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(BenchError::Machine { doing: "epoll", error }),
            Ok(()) => {}
        }
        for event in &self.events {
            if event.token() == TIMER {
                // A timer that is not read does not go on.
                let _ = self.timer.as_ref().map(|timer| rustix::io::read(timer, &mut [0; 8]));
                continue;
            }
            let readable = event.is_readable() || event.is_error() || event.is_read_closed();
            self.ready.push((event.token().0, readable));
        }
        Ok(())
    }

    /// Reads what came on a connection. Returns when that was.
    fn read(&mut self, at: usize, tally: &mut Tally) -> Result<u64, BenchError> {
        let link = &mut self.links[at];
        if link.state == State::Lost {
            return Ok(self.clock.now());
        }
        let before = link.in_flight();
        let read = link.read(&mut self.buffer, &self.clock, tally)?;
        self.in_flight -= before - link.in_flight();
        Ok(read.unwrap_or_else(|error| {
            self.lose(at, &error);
            self.clock.now()
        }))
    }

    fn flush(&mut self, at: usize) {
        self.flush_at(at, self.clock.now());
    }

    fn flush_at(&mut self, at: usize, now: u64) {
        if let Err(error) = self.links[at].flush(now) {
            self.lose(at, &error);
        }
    }

    /// How many sessions are left.
    fn live(&self) -> usize {
        self.links.len() - self.lost.values().sum::<usize>()
    }

    fn lose(&mut self, at: usize, error: &io::Error) {
        let link = &mut self.links[at];
        if link.state == State::Lost {
            return;
        }
        link.state = State::Lost;
        let unanswered = link.in_flight();
        self.in_flight -= unanswered;
        self.unanswered += unanswered as u64;
        *self.lost.entry(format!("{}: {error}", link.server)).or_default() += 1;
    }

    /// Pings where nothing was sent for a third of the session timeout.
    fn keep_alive(&mut self, now: u64) {
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            if link.state == State::Open && now > link.last_sent + self.session_timeout / 3 {
                link.ping();
                self.flush_at(at, now);
            }
        }
    }

    /// Ends the sessions; nobody waits for the answer.
    pub(super) fn close(mut self) {
        let now = self.clock.now();
        for link in self.links.iter_mut().filter(|link| link.state == State::Open) {
            link.close();
            // The server may be gone already.
            let _ = link.flush(now);
        }
    }

    /// Wakes the poll when operations fall due: its own timeout counts in milliseconds.
    fn start_timer(&self, schedule: &Schedule) -> Result<OwnedFd, BenchError> {
        let doing = |error: io::Error| BenchError::Machine { doing: "a timer", error };
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)
            .map_err(|error| doing(error.into()))?;
        let tick = Duration::from_nanos(schedule.tick_nanos());
        let tick = Timespec { tv_sec: tick.as_secs() as i64, tv_nsec: tick.subsec_nanos().into() };
        let each = Itimerspec { it_interval: tick, it_value: tick };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &each)
            .map_err(|error| doing(error.into()))?;
        let descriptor = timer.as_raw_fd();
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&descriptor), TIMER, Interest::READABLE).map_err(doing)?;
        Ok(timer)
    }
}

/// As many sockets as the hard limit allows.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With fewer, the connection that is one too many says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
