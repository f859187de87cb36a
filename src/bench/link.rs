//! One session with one server: its socket, what was asked, and what has not left yet.
//!
//! The server answers a session's requests in their order: the oldest request that waits must have the
//! xid of the next reply. Anything else ends the run, since nothing that was measured would be true.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::clock::Clock;
use super::error::BenchError;
use super::frames;
use super::op::Op;
use super::replies;
use super::tally::Tally;
use super::work::Asked;
use crate::jute::client::{code, xid};

/// A reply is not looked for in less room.
const READ_BYTES: usize = 256 << 10;
/// Not more waits to be written before the socket has taken some.
const UNSENT_BYTES_MAX: usize = 4 << 20;

#[derive(Clone, Copy, Debug)]
struct Pending {
    start: u64,
    op: Op,
}

/// Where a session stands. A lost connection is not made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Opening,
    Open,
    Lost,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) server: SocketAddr,
    pub(super) stream: TcpStream,
    pub(super) state: State,
    pending: VecDeque<Pending>,
    /// The xid of the next request, and of the next reply.
    next_xid: i32,
    due_xid: i32,
    out: Vec<u8>,
    sent: usize,
    /// The beginning of a reply whose rest has not come.
    rest: Vec<u8>,
    pub(super) last_sent: u64,
    /// When the set was due whose event each watched node waits for.
    event_starts: Vec<u64>,
}

fn after(xid: i32) -> i32 {
    if xid == i32::MAX { 1 } else { xid + 1 }
}

impl Link {
    pub(super) fn new(server: SocketAddr, stream: TcpStream, hello: Vec<u8>) -> Link {
        Link {
            server,
            stream,
            state: State::Opening,
            pending: VecDeque::new(),
            next_xid: 1,
            due_xid: 1,
            out: hello,
            sent: 0,
            rest: Vec::new(),
            last_sent: 0,
            event_starts: Vec::new(),
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn watch(&mut self, nodes: usize) {
        self.event_starts = vec![0; nodes];
    }

    /// Another request may be asked.
    pub(super) fn has_room(&self, window: usize) -> bool {
        self.pending.len() < window && self.out.len() - self.sent < UNSENT_BYTES_MAX
    }

    /// Where the next request goes, and its xid.
    pub(super) fn next_request(&mut self) -> (i32, &mut Vec<u8>) {
        (self.next_xid, &mut self.out)
    }

    /// That request was appended. Its latency counts from `start`.
    pub(super) fn asked(&mut self, asked: Asked, start: u64) {
        self.pending.push_back(Pending { start, op: asked.op });
        self.next_xid = after(self.next_xid);
        if let Some(slot) = asked.watched {
            self.event_starts[slot] = start;
        }
    }

    pub(super) fn ping(&mut self) {
        self.out.extend_from_slice(&frames::ping());
    }

    pub(super) fn close(&mut self) {
        self.out.extend_from_slice(&frames::close(self.next_xid));
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self, now: u64) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.sent > UNSENT_BYTES_MAX {
                        self.out.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.last_sent = now;
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads what came, through a buffer that all connections share. The error is the reason why the
    /// connection is lost; in the answer, when the last of it came.
    pub(super) fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        clock: &Clock,
        tally: &mut Tally,
    ) -> Result<io::Result<u64>, BenchError> {
        let mut now = clock.now();
        loop {
            let have = self.rest.len();
            let want = READ_BYTES.max(have + 1).max(replies::wanted(&self.rest));
            if buffer.len() < want {
                buffer.resize(want, 0);
            }
            buffer[..have].copy_from_slice(&self.rest);
            let count = match self.stream.read(&mut buffer[have..]) {
                Ok(0) => return Ok(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Ok(now)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error)),
            };
            now = clock.now();
            let end = have + count;
            let used = self.take_replies(&buffer[..end], now, tally)?;
            self.rest.clear();
            self.rest.extend_from_slice(&buffer[used..end]);
            // A read that leaves room has emptied the socket: what comes later is a new event.
            if end < buffer.len() {
                return Ok(Ok(now));
            }
        }
    }

    /// Takes the whole frames in front of `bytes`; how many bytes they were.
    fn take_replies(
        &mut self,
        bytes: &[u8],
        now: u64,
        tally: &mut Tally,
    ) -> Result<usize, BenchError> {
        let mut used = 0;
        // Replies to requests of one kind that left together are counted at once.
        let mut alike = Pending { start: 0, op: Op::Get };
        let mut count = 0;
        loop {
            let cut = replies::cut(&bytes[used..]).map_err(|bad| self.odd(format!("{bad:?}")))?;
            let Some((frame, end)) = cut else { break };
            used += end;
            if self.state == State::Opening {
                self.on_connected(frame)?;
                continue;
            }
            let Some(reply) = replies::reply(frame) else {
                return Err(self.odd(format!("a reply of {} bytes", frame.len())));
            };
            if reply.xid < 0 {
                self.on_unasked(reply, now, tally);
                continue;
            }
            let waits = self.pending.pop_front();
            let Some(pending) = waits.filter(|_| reply.xid == self.due_xid) else {
                let due = self.due_xid;
                return Err(self.odd(format!("xid {} where {due} was due", reply.xid)));
            };
            self.due_xid = after(self.due_xid);
            let mut err = reply.err;
            if pending.op == Op::Multi && err == code::OK {
                err = replies::multi_err(reply.body);
            }
            if err != code::OK {
                tally.error(pending.op, err, pending.start);
                continue;
            }
            if (pending.start, pending.op) != (alike.start, alike.op) {
                tally.count(alike.op, alike.start, now, count);
                (alike, count) = (pending, 0);
            }
            count += 1;
        }
        tally.count(alike.op, alike.start, now, count);
        Ok(used)
    }

    /// The answer to the first message: a session, or none.
    fn on_connected(&mut self, frame: &[u8]) -> Result<(), BenchError> {
        if replies::granted_timeout_ms(frame) <= 0 {
            return Err(self.odd("no session".into()));
        }
        self.state = State::Open;
        Ok(())
    }

    /// An event of a watch, or the answer to a ping.
    fn on_unasked(&mut self, reply: replies::Reply<'_>, now: u64, tally: &mut Tally) {
        if reply.xid != xid::NOTIFICATION || self.event_starts.is_empty() {
            return;
        }
        let Some(key) = replies::event_key(reply.body) else { return };
        let slot = key as usize % self.event_starts.len();
        tally.count(Op::Event, self.event_starts[slot], now, 1);
    }

    fn odd(&self, what: String) -> BenchError {
        BenchError::OddReply { server: self.server, what }
    }
}
