//! A stream that wants labels: every frame is announced once, by itself, with its own stamp.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use quorate::base::{LinkId, Mono, Note, Now, Stamp, Zxid};
use quorate::runtime::os::{Machine, MachineLane, MachineListener, MachineStream};
use quorate::runtime::{
    Halt, HostPort, Label, LabelKind, LaneId, Listener, Purpose, Runtime, Stream,
};
use quorate::zab::driver::{QuorumDriver, QuorumEvent};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Events, PATIENCE, listening, read_to_end, run};

/// What a stream was told: an announcement, then the bytes written under it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Told {
    at: Stamp,
    label: Label,
    bytes: Vec<u8>,
}

type Tape = Rc<RefCell<Vec<Told>>>;

struct TapedStream {
    inner: MachineStream,
    tape: Tape,
}

impl Stream for TapedStream {
    fn begin_write(&mut self, at: Stamp, label: Label) {
        self.tape.borrow_mut().push(Told { at, label, bytes: Vec::new() });
    }
    fn read_at(&self) -> Stamp {
        self.inner.read_at()
    }
    fn peer(&self) -> String {
        self.inner.peer()
    }
}

impl AsyncRead for TapedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for TapedStream {
    /// Three bytes at most, so that frames need several writes.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let piece = &buf[..buf.len().min(3)];
        let wrote = Pin::new(&mut self.inner).poll_write(cx, piece);
        if let Poll::Ready(Ok(n)) = wrote {
            let mut tape = self.tape.borrow_mut();
            tape.last_mut().expect("announced").bytes.extend(&piece[..n]);
        }
        wrote
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

struct TapedListener {
    inner: MachineListener,
    tape: Tape,
}

impl Listener for TapedListener {
    type Stream = TapedStream;
    async fn accept(&mut self) -> io::Result<(Stamp, TapedStream)> {
        let (at, inner) = self.inner.accept().await?;
        Ok((at, TapedStream { inner, tape: Rc::clone(&self.tape) }))
    }
}

/// The machine, with a tape of everything written.
#[derive(Clone)]
struct Taped {
    machine: Machine,
    tape: Tape,
}

impl Runtime for Taped {
    type Stream = TapedStream;
    type Listener = TapedListener;
    type Lane = MachineLane;

    fn stamp(&self) -> Stamp {
        self.machine.stamp()
    }
    fn now_at(&self, at: Stamp) -> Now {
        self.machine.now_at(at)
    }
    fn stamp_of(&self, mono: Mono) -> Stamp {
        self.machine.stamp_of(mono)
    }
    fn settle(&self) -> Duration {
        Duration::ZERO
    }
    fn apply_delay(&self, _: u64) -> Duration {
        Duration::ZERO
    }
    fn random_u64(&self, what: Purpose, n: u64) -> u64 {
        self.machine.random_u64(what, n)
    }
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.machine.spawn(name, task);
    }
    async fn sleep_until(&self, at: Stamp) {
        self.machine.sleep_until(at).await;
    }
    fn halt(&self, why: Halt) {
        self.machine.halt(why);
    }
    async fn connect(
        &self,
        at: Stamp,
        to: &HostPort,
        timeout: Duration,
    ) -> (Stamp, io::Result<TapedStream>) {
        let (at, connected) = self.machine.connect(at, to, timeout).await;
        let tape = Rc::clone(&self.tape);
        (at, connected.map(|inner| TapedStream { inner, tape }))
    }
    async fn listen(&self, on: &HostPort) -> io::Result<TapedListener> {
        let inner = self.machine.listen(on).await?;
        Ok(TapedListener { inner, tape: Rc::clone(&self.tape) })
    }
    fn disk(&self, lane: LaneId) -> MachineLane {
        self.machine.disk(lane)
    }
    fn observe(&self, at: Stamp, note: Note) {
        self.machine.observe(at, note);
    }
    fn trace(&self, at: Stamp, line: &dyn fmt::Display) {
        self.machine.trace(at, line);
    }
    fn traces(&self) -> bool {
        self.machine.traces()
    }
}

#[test]
fn each_frame_is_announced_once_before_its_first_byte() {
    run(async |machine| {
        let tape = Tape::default();
        let taped = Taped { machine: machine.clone(), tape: Rc::clone(&tape) };
        let (events, post) = Events::new();
        let driver = QuorumDriver::new(taped, post);
        let (listener, to) = listening().await;
        let link = LinkId(2);
        driver.dial(Stamp(1), link, to, PATIENCE);
        // Written before the connection is open: announced with the time at which it was.
        let label = |kind, zxid| Label { kind, zxid: Some(Zxid(zxid)) };
        driver.write(Stamp(1), link, Bytes::from_static(b"early"), label(LabelKind::Ack, 1));
        let (mut peer, _) = listener.accept().await.expect("a connection");
        assert_eq!(events.next().await, QuorumEvent::Connected { link });
        let later = machine.stamp();
        let second = later + Duration::from_nanos(1);
        driver.write(later, link, Bytes::from_static(b"proposal"), label(LabelKind::Proposal, 2));
        driver.write(second, link, Bytes::from_static(b"commit"), label(LabelKind::Commit, 2));
        driver.notify_drained(second, link);
        assert_eq!(events.next().await, QuorumEvent::Drained { link });
        driver.close(second, link);
        assert_eq!(read_to_end(&mut peer).await, b"earlyproposalcommit");

        let tape = tape.borrow();
        let told: Vec<_> = tape.iter().map(|told| (told.label, told.bytes.as_slice())).collect();
        let wanted = [
            (label(LabelKind::Ack, 1), b"early".as_slice()),
            (label(LabelKind::Proposal, 2), b"proposal"),
            (label(LabelKind::Commit, 2), b"commit"),
            // The end of the stream, which has no bytes.
            (Label::CLIENT, b""),
        ];
        assert_eq!(told, wanted);
        assert!(tape[0].at > Stamp(1));
        assert_eq!((tape[1].at, tape[2].at), (later, second));
        assert!(tape[3].at >= second, "it was closed then");
    });
}
