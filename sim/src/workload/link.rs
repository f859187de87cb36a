//! A client's connection: frames in, in one order with the client's timers.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use quorate::base::Stamp;
use quorate::base::limits::JUTE_FIELD_BYTES_MAX;
use quorate::jute::Jute;
use quorate::runtime::{Label, Runtime, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What comes next on a connection.
pub(super) enum Next {
    Frame(Stamp, Bytes),
    /// The connection is closed or broken.
    Over(Stamp),
    /// Nothing with a stamp up to the deadline is left.
    Due,
}

pub(super) struct Link<S: Stream> {
    stream: S,
    buf: BytesMut,
    chunk: Box<[u8; 4096]>,
    /// Read already, and perhaps later than the timer that is due.
    ahead: VecDeque<Next>,
}

impl<S: Stream> Link<S> {
    pub(super) fn new(stream: S) -> Link<S> {
        Link { stream, buf: BytesMut::new(), chunk: Box::new([0; 4096]), ahead: VecDeque::new() }
    }

    /// Sends one frame; an error is the end of the connection.
    pub(super) async fn write(&mut self, at: Stamp, body: &[u8]) -> Result<(), ()> {
        let mut frame = Vec::with_capacity(body.len() + 4);
        (body.len() as i32).encode(&mut frame);
        frame.extend_from_slice(body);
        self.stream.begin_write(at, Label::CLIENT);
        self.stream.write_all(&frame).await.map_err(|_| ())
    }

    /// Closes the connection at this moment.
    pub(super) fn leave(mut self, at: Stamp) {
        self.stream.begin_write(at, Label::CLIENT);
    }

    /// The next frame, unless it arrives later than `due`.
    pub(super) async fn next<R: Runtime>(&mut self, rt: &R, due: Stamp) -> Next {
        loop {
            match self.ahead.front() {
                Some(Next::Frame(at, _) | Next::Over(at)) if *at > due => return Next::Due,
                Some(_) => return self.ahead.pop_front().expect("it has a front"),
                None => {}
            }
            let read = tokio::select! {
                biased;
                read = self.stream.read(&mut self.chunk[..]) => read,
                // By then whatever arrived up to `due` can be read.
                () = rt.sleep_until(due + rt.settle()) => return Next::Due,
            };
            let at = self.stream.read_at();
            match read {
                Ok(len) if len > 0 => {
                    self.buf.extend_from_slice(&self.chunk[..len]);
                    self.cut_frames(at);
                }
                _ => self.ahead.push_back(Next::Over(at)),
            }
        }
    }

    fn cut_frames(&mut self, at: Stamp) {
        while self.buf.len() >= 4 {
            let len = i32::from_be_bytes([self.buf[0], self.buf[1], self.buf[2], self.buf[3]]);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > JUTE_FIELD_BYTES_MAX {
                self.ahead.push_back(Next::Over(at));
                return;
            }
            if self.buf.len() < 4 + len {
                return;
            }
            let _ = self.buf.split_to(4);
            let frame = self.buf.split_to(len).freeze();
            self.ahead.push_back(Next::Frame(at, frame));
        }
    }
}
