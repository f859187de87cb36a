//! Client connections as bytes, and what a server says on them in words that can be compared.
//!
//! A frame in words ([`words`]) holds every byte of it; only what differs from run to run is said
//! otherwise ([`names`]): zxids count from a base, sessions by their order of appearance, times by
//! the transaction they belong to.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unused_imports, reason = "each test binary uses its own part")]

mod names;
mod words;

pub(crate) use names::Names;
pub(crate) use words::{in_words, is_event, reply_err, reply_xid, reply_zxid};

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use quorate::jute::Jute;
use quorate::jute::client::{RequestHeader, op, xid};

const CONNECT_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 * 1024;

/// What came of waiting for a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    Frame(Bytes),
    Closed,
    /// Nothing within the patience of the line.
    Silence,
}

/// One connection. It knows frames and nothing of what is in them.
pub(crate) struct Line {
    stream: TcpStream,
    read: BytesMut,
    /// It ended; nothing more is sent or heard.
    closed: bool,
}

impl Line {
    /// `patience`: how long a frame is waited for.
    pub(crate) fn open(address: SocketAddr, patience: Duration) -> io::Result<Line> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Line { stream, read: BytesMut::new(), closed: false })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Sends bytes as they are. That the other end is gone shows when it is listened to.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a frame around `body`.
    pub(crate) fn send_frame(&mut self, body: &[u8]) {
        self.send(&framed(body));
    }

    /// Sends a ping: its answer comes behind everything that was said before.
    pub(crate) fn send_fence(&mut self) {
        self.send_frame(&RequestHeader { xid: xid::PING, op: op::PING }.to_jute());
    }

    /// Ends the connection, and waits until the server has noticed.
    pub(crate) fn end(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        while let Heard::Frame(_) = self.hear() {}
    }

    pub(crate) fn hear(&mut self) -> Heard {
        loop {
            if let Some(frame) = self.take_frame() {
                return Heard::Frame(frame);
            }
            if self.closed {
                return Heard::Closed;
            }
            let mut bytes = [0; READ_BYTES];
            match self.stream.read(&mut bytes) {
                Ok(0) => self.closed = true,
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Heard::Silence;
                }
                Err(_) => self.closed = true,
            }
        }
    }

    fn take_frame(&mut self) -> Option<Bytes> {
        let length = self.read.get(..4)?;
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        if self.read.len() < 4 + length {
            return None;
        }
        self.read.advance(4);
        Some(self.read.split_to(length).freeze())
    }
}

pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).expect("a small frame");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}
