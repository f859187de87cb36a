//! One simulated client.                                         (ClientCnxn.java, much reduced)
//!
//!     Disconnected --connect, ConnectRequest--> Connected --reply by reply, ping when idle-->
//!     Disconnected (connection lost, or silent for 2/3 of the timeout): another server, the same
//!     session and the last zxid seen; a refused session is over, and the next one is new
//!
//! What was watched is set again by the first request of a new connection. A client with a mix also
//! leaves of its own accord: to another server, into silence, or for good and begins anew.
//!
//! One task. Replies and timers are taken in the order of their stamps: a timer is looked at only
//! when everything that arrived before it certainly was (`link.rs`). All randomness is keyed.

mod handshake;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use quorate::base::{ServerId, Stamp, Zxid};
use quorate::jute::client::{ReplyHeader, RequestHeader, WatcherEvent, code, event, op, xid};
use quorate::jute::{Jute, Reader};
use quorate::runtime::{HostPort, Runtime};

use super::history::{Complaint, Frame, History, Outcome, Record, Silence, WatchEvent};
use super::link::{Link, Next};
use super::memory::Memory;
use super::mix::{self, Act};
use super::op::{Op, Session};
use super::plain;
use super::registered::Registered;
use super::source::{Script, Source};
use crate::draw::Draws;

/// A client before it runs.
#[derive(Clone, Debug)]
pub struct Client {
    pub name: String,
    /// The key of its draws.
    pub number: u64,
    /// Tried in turn: from the first one on if told what to do, else from a drawn one.
    pub servers: Vec<ServerId>,
    pub session_timeout: Duration,
    /// Whether a server that only reads will do.
    pub takes_read_only: bool,
    pub source: Source,
    pub draws: Draws,
    pub history: Rc<RefCell<History>>,
}

/// Requests on their way at most.
const PIPELINE: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));
/// Between leaving one server and going on at another.
const MOVE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
/// How long the answer to a ConnectRequest may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// The name and client port of a server's machine.
pub fn address(server: ServerId) -> HostPort {
    HostPort::new(format!("s{server}"), 2181)
}

struct Waiting {
    xid: i32,
    number: usize,
    op: Op,
}

struct Running<R: Runtime> {
    rt: R,
    spec: Client,
    session: Session,
    last_zxid: Zxid,
    memory: Memory,
    registered: Registered,
    /// The number of the connection in the history, and whether its server only reads.
    connection: usize,
    read_only: bool,
    /// Numbers of draws: operations begun, attempts to connect.
    ops: u64,
    attempts: u64,
    xid: i32,
    waiting: VecDeque<Waiting>,
    closed: bool,
}

enum Ended {
    /// The connection is over; when that was known.
    Lost(Stamp),
    /// The client closed its session.
    Closed(Stamp),
    /// The client left, to go on elsewhere.
    Left(Stamp),
    /// The client left, and lets its session lapse.
    Silent(Stamp),
}

/// What a client does when it is its turn.
enum Turn {
    Send(Vec<u8>),
    End(Ended),
}

impl Client {
    /// Runs until the script closes the session, or for ever. `at` is when it begins.
    pub async fn run<R: Runtime>(self, rt: R, mut at: Stamp) {
        let is_scripted = matches!(self.source, Source::Scripted(_));
        let mut running = Running {
            rt,
            spec: self,
            session: Session::default(),
            last_zxid: Zxid::ZERO,
            memory: Memory::default(),
            registered: Registered::default(),
            connection: 0,
            read_only: false,
            ops: 0,
            attempts: 0,
            xid: 0,
            waiting: VecDeque::new(),
            closed: false,
        };
        loop {
            let ended = running.connected_once(at).await;
            if is_scripted && matches!(ended, Ended::Closed(_)) {
                return;
            }
            at = running.lose(ended).await;
        }
    }
}

impl<R: Runtime> Running<R> {
    /// Everything that was asked and not answered is lost; then a pause.
    async fn lose(&mut self, ended: Ended) -> Stamp {
        let draws = self.spec.draws;
        let pause = |what, range| draws.between(what, self.spec.number, self.attempts, range);
        let timeout = Duration::from_millis(self.session.timeout_ms.max(0) as u64);
        let (at, next) = match ended {
            Ended::Lost(at) | Ended::Closed(at) => (at, at + pause("client pause", PAUSE)),
            Ended::Left(at) => (at, at + pause("client moves", MOVE)),
            Ended::Silent(at) => (at, at + timeout * 3 / 2 + pause("client pause", PAUSE)),
        };
        for waiting in self.waiting.drain(..) {
            self.spec.history.borrow_mut().complete(waiting.number, Outcome::Lost { at });
        }
        if std::mem::take(&mut self.closed) {
            self.forget_session();
        }
        self.rt.sleep_until(next).await;
        next
    }

    /// The next session is a new one, with nothing seen and nothing watched.
    fn forget_session(&mut self) {
        self.session = Session::default();
        self.last_zxid = Zxid::ZERO;
        self.registered = Registered::default();
    }

    fn server(&self) -> ServerId {
        let count = self.spec.servers.len() as u64;
        let first = match &self.spec.source {
            Source::Scripted(_) => 0,
            Source::Drawn { .. } | Source::Listed { .. } => {
                self.spec.draws.below("client server", self.spec.number, 0, count)
            }
        };
        self.spec.servers[((first + self.attempts) % count) as usize]
    }

    async fn connected_once(&mut self, at: Stamp) -> Ended {
        let server = self.server();
        self.attempts += 1;
        let (at, stream) = self.rt.connect(at, &address(server), CONNECT_TIMEOUT).await;
        let Ok(stream) = stream else { return Ended::Lost(at) };
        let mut link = Link::new(stream);
        match self.handshake(&mut link, server, at).await {
            Ok(at) => {
                let ended = self.serve(&mut link, server, at).await;
                if let Ended::Left(at) | Ended::Silent(at) = ended {
                    link.leave(at);
                }
                ended
            }
            Err(at) => Ended::Lost(at),
        }
    }

    async fn serve(
        &mut self,
        link: &mut Link<R::Stream>,
        server: ServerId,
        mut now: Stamp,
    ) -> Ended {
        let timeout = Duration::from_millis(self.session.timeout_ms.max(1) as u64);
        let (mut heard, mut sent) = (now, now);
        if let Some(again) = self.registered.again(self.last_zxid) {
            let frame = self.ask(again, now, server);
            if link.write(now, &frame).await.is_err() {
                return Ended::Lost(now);
            }
        }
        loop {
            // What is due first: an operation, a ping, or giving the connection up.
            let op_at = self.next_op_at(now);
            let dead_at = heard + timeout * 2 / 3;
            let due = op_at.unwrap_or(Stamp::FAR).min(sent + timeout / 3).min(dead_at);
            let told = self.idle_script();
            let next = tokio::select! {
                biased;
                next = link.next(&self.rt, due) => next,
                () = wait_for(told) => continue,
            };
            match next {
                Next::Frame(at, frame) => {
                    (now, heard) = (at, at);
                    if !self.on_frame(at, server, frame) {
                        return Ended::Lost(at);
                    }
                    if self.closed {
                        return Ended::Closed(at);
                    }
                }
                Next::Over(at) => return Ended::Lost(at),
                Next::Due if due == dead_at => {
                    let client = self.spec.name.clone();
                    let silence = Silence { client, server, heard, at: due };
                    self.spec.history.borrow_mut().silences.push(silence);
                    return Ended::Lost(due);
                }
                Next::Due => {
                    (now, sent) = (due, due);
                    let turn = match op_at == Some(due) {
                        true => self.next_turn(due, server),
                        false => {
                            Turn::Send(RequestHeader { xid: xid::PING, op: op::PING }.to_jute())
                        }
                    };
                    let frame = match turn {
                        Turn::Send(frame) => frame,
                        Turn::End(ended) => return ended,
                    };
                    if link.write(due, &frame).await.is_err() {
                        return Ended::Lost(due);
                    }
                }
            }
        }
    }

    /// The script to wait for, if it has nothing to do now.
    fn idle_script(&self) -> Option<Rc<Script>> {
        match &self.spec.source {
            Source::Scripted(script) if script.is_empty() => Some(script.clone()),
            _ => None,
        }
    }

    /// When the next operation is due; `None` if none is, or too many are on their way. What a drawn
    /// client has not come to until its time is over it does not ask any more.
    fn next_op_at(&self, now: Stamp) -> Option<Stamp> {
        if self.waiting.len() >= PIPELINE {
            return None;
        }
        match &self.spec.source {
            Source::Scripted(script) => script.next_at().map(|at| at.max(now)),
            Source::Drawn { from, until, every, .. } => {
                // Spread evenly, each with its own place inside its slot.
                let place = self.spec.draws.unit("op place", self.spec.number, self.ops);
                let slot = every.as_nanos() as f64 * (self.ops as f64 + place);
                let at = (*from + Duration::from_nanos(slot as u64)).max(now);
                (at < *until).then_some(at)
            }
            Source::Listed { from, until, ops } => {
                let at = now.max(*from);
                ((self.ops as usize) < ops.len() && at < until.get()).then_some(at)
            }
        }
    }

    fn next_turn(&mut self, at: Stamp, server: ServerId) -> Turn {
        let act = match &self.spec.source {
            Source::Scripted(script) => {
                let op = script.take().expect("it was due");
                Act::Ask(op)
            }
            Source::Drawn { nodes, sizes, mix: Some(mix), .. } => {
                let (number, n) = (self.spec.number, self.ops);
                mix::draw(&self.spec.draws, number, n, mix, *nodes, *sizes, &self.memory)
            }
            Source::Drawn { writes, nodes, sizes, .. } => {
                let (number, n) = (self.spec.number, self.ops);
                let draws = &self.spec.draws;
                Act::Ask(plain::draw(draws, number, n, *writes, *nodes, *sizes, &self.memory))
            }
            Source::Listed { ops, .. } => Act::Ask(ops[self.ops as usize].clone()),
        };
        self.ops += 1;
        match act {
            Act::Ask(op) => Turn::Send(self.ask(op, at, server)),
            Act::Reconnect => Turn::End(Ended::Left(at)),
            Act::Lapse => Turn::End(Ended::Silent(at)),
        }
    }

    /// Takes note of a request; its bytes.
    fn ask(&mut self, op: Op, at: Stamp, server: ServerId) -> Vec<u8> {
        let xid = op.fixed_xid().unwrap_or_else(|| {
            self.xid += 1;
            self.xid
        });
        let record = Record {
            client: self.spec.name.clone(),
            session: self.session.id,
            xid,
            server,
            read_only: self.read_only,
            op: op.clone(),
            invoked: at,
            outcome: None,
        };
        let bytes = op.encode(xid);
        let number = self.spec.history.borrow_mut().invoke(record);
        self.waiting.push_back(Waiting { xid, number, op });
        bytes
    }

    /// False if the connection cannot be used any more.
    fn on_frame(&mut self, at: Stamp, server: ServerId, frame: Bytes) -> bool {
        let mut reader = Reader::new(frame);
        let Ok(header) = ReplyHeader::decode(&mut reader) else {
            self.complain("C-2", at, server, "sent a reply without a header".into());
            return false;
        };
        match header.xid {
            xid::PING => {
                self.arrived(Frame::Ping { at, zxid: header.zxid });
                return true;
            }
            xid::NOTIFICATION => return self.on_event(at, server, header.zxid, &mut reader),
            _ => {}
        }
        let Some(waiting) = self.waiting.pop_front() else {
            self.complain("C-2", at, server, format!("answered {} unasked", header.xid));
            return false;
        };
        if waiting.xid != header.xid {
            let words = format!("answered request {} before {}", header.xid, waiting.xid);
            self.complain("C-2", at, server, words);
            return false;
        }
        let answer = match header.err {
            code::OK => match waiting.op.decode_answer(&mut reader) {
                Ok(answer) => Some(answer),
                Err(error) => {
                    let words = format!("answered {:?} with nonsense: {error}", waiting.op);
                    self.complain("C-2", at, server, words);
                    return false;
                }
            },
            _ => None,
        };
        self.last_zxid = self.last_zxid.max(header.zxid);
        self.memory.learn(&waiting.op, answer.as_ref());
        self.registered.answered(&waiting.op, header.err);
        self.closed = waiting.op == Op::Close;
        self.arrived(Frame::Reply(waiting.number));
        let outcome = Outcome::Reply { at, zxid: header.zxid, err: header.err, answer };
        self.spec.history.borrow_mut().complete(waiting.number, outcome);
        true
    }

    fn on_event(&mut self, at: Stamp, server: ServerId, zxid: Zxid, from: &mut Reader) -> bool {
        let Ok(event) = WatcherEvent::decode(from) else {
            self.complain("C-4", at, server, "sent an event that is none".into());
            return false;
        };
        if event.state != event::STATE_SYNC_CONNECTED {
            let words = format!("sent an event of state {}", event.state);
            self.complain("C-4", at, server, words);
        }
        let WatcherEvent { kind, path, .. } = event;
        self.registered.fired(kind, &path);
        self.arrived(Frame::Event(WatchEvent { at, zxid, kind, path }));
        true
    }

    fn arrived(&self, frame: Frame) {
        self.spec.history.borrow_mut().arrived(self.connection, frame);
    }

    fn complain(&self, id: &'static str, at: Stamp, server: ServerId, words: String) {
        let complaint = self.complaint(id, at, server, words);
        self.spec.history.borrow_mut().complaints.push(complaint);
    }

    fn complaint(&self, id: &'static str, at: Stamp, server: ServerId, words: String) -> Complaint {
        let words = format!("server {server} {words} (client {})", self.spec.name);
        Complaint { id, at, server, words }
    }
}

async fn wait_for(script: Option<Rc<Script>>) {
    match script {
        Some(script) => script.told_more().await,
        None => std::future::pending().await,
    }
}
