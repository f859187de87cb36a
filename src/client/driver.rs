//! Moves the bytes of one session: dials, writes, reads, waits, and asks the core what comes next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::ReadBuf;
use tokio::sync::{mpsc, oneshot};

use super::core::Core;
use super::event::WatchedEvent;
use super::failure::Failure;
use super::messages::{Input, Output, State};
use super::request::Ticket;
use crate::base::{Mono, Stamp, Zxid};
use crate::runtime::tls::ServerTrust;
use crate::runtime::{HostPort, Label, Runtime, Stream};

/// A longer reply ends the connection: it is none.
const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;

pub(super) type Answered = oneshot::Sender<Result<Bytes, Failure>>;

/// What the handle wants.
pub(super) enum Command {
    Ask(super::request::Request, Answered),
    AddAuth { scheme: String, auth: Bytes },
}

/// What both the handle and the driver know.
pub(super) struct Shared {
    pub(super) state: Cell<State>,
    pub(super) last_zxid: Cell<Zxid>,
    pub(super) events: RefCell<Vec<mpsc::UnboundedSender<WatchedEvent>>>,
    pub(super) chroot: Option<String>,
}

pub(super) struct Driver<R: Runtime> {
    pub(super) rt: R,
    pub(super) core: Core,
    pub(super) tls: Option<ServerTrust>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) shared: Rc<Shared>,
    pub(super) waiting: BTreeMap<Ticket, Answered>,
}

/// A connection, and what is on its way in either direction.
struct Wire<S> {
    stream: S,
    out: BytesMut,
    read: BytesMut,
    /// Where one read puts what has come.
    room: Vec<u8>,
}

enum Happened<S> {
    Told(Option<Command>),
    Dialled(io::Result<S>),
    Bytes(io::Result<()>),
    Time,
}

type Dialling<S> = Pin<Box<dyn Future<Output = io::Result<S>>>>;

impl<R: Runtime> Driver<R> {
    /// Until nobody asks any more.
    pub(super) async fn run(mut self) {
        let mut wire: Option<Wire<R::Stream>> = None;
        let mut dialling: Option<(HostPort, Dialling<R::Stream>)> = None;
        loop {
            let wake_at = self.core.wake_at();
            let happened = self.next(&mut wire, &mut dialling, wake_at).await;
            let mut inputs = Vec::new();
            match happened {
                Happened::Told(None) => return,
                Happened::Told(Some(Command::Ask(request, answered))) => {
                    self.waiting.insert(request.ticket, answered);
                    inputs.push(Input::Ask(request));
                }
                Happened::Told(Some(Command::AddAuth { scheme, auth })) => {
                    inputs.push(Input::AddAuth { scheme, auth });
                }
                Happened::Dialled(outcome) => {
                    let place = dialling.take().map(|(place, _)| place.to_string());
                    let place = place.unwrap_or_default();
                    inputs.push(Input::Dialled(match outcome {
                        Ok(stream) => {
                            let (out, read) = (BytesMut::new(), BytesMut::new());
                            let room = vec![0; READ_BYTES];
                            wire = Some(Wire { stream, out, read, room });
                            Ok(())
                        }
                        Err(error) => Err(format!("{place}: {error}")),
                    }));
                }
                Happened::Bytes(outcome) => frames(wire.as_mut(), outcome, &mut inputs),
                Happened::Time => inputs.push(Input::Timer),
            }
            for input in inputs {
                let outputs = self.core.step(self.now(), input);
                self.shared.state.set(self.core.state());
                self.shared.last_zxid.set(self.core.last_zxid());
                for output in outputs {
                    self.perform(output, &mut wire, &mut dialling);
                }
            }
        }
    }

    fn now(&self) -> Mono {
        self.rt.now_at(self.rt.stamp()).mono
    }

    async fn next(
        &mut self,
        wire: &mut Option<Wire<R::Stream>>,
        dialling: &mut Option<(HostPort, Dialling<R::Stream>)>,
        wake_at: Option<Mono>,
    ) -> Happened<R::Stream> {
        let rt = self.rt.clone();
        let wake = async move {
            match wake_at {
                Some(at) => rt.sleep_until(rt.stamp_of(at)).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            outcome = moved(wire.as_mut(), self.rt.stamp()) => Happened::Bytes(outcome),
            outcome = dialled(dialling.as_mut()) => Happened::Dialled(outcome),
            told = self.commands.recv() => Happened::Told(told),
            () = wake => Happened::Time,
        }
    }

    fn perform(
        &mut self,
        output: Output,
        wire: &mut Option<Wire<R::Stream>>,
        dialling: &mut Option<(HostPort, Dialling<R::Stream>)>,
    ) {
        match output {
            Output::Dial(server, timeout) => {
                *dialling = Some((server.clone(), self.dial(server, timeout)))
            }
            Output::Send(bytes) => {
                if let Some(wire) = wire {
                    wire.out.extend_from_slice(&bytes);
                }
            }
            Output::HangUp => (*wire, *dialling) = (None, None),
            Output::Answer(ticket, answer) => {
                if let Some(answered) = self.waiting.remove(&ticket) {
                    // Whoever asked may have gone.
                    let _ = answered.send(answer);
                }
            }
            Output::Event(event) => self.shared.tell(event),
        }
    }

    fn dial(&self, server: HostPort, timeout: Duration) -> Dialling<R::Stream> {
        let (rt, tls) = (self.rt.clone(), self.tls.clone());
        Box::pin(async move {
            let at = rt.stamp();
            match tls {
                None => rt.connect(at, &server, timeout).await.1,
                Some(tls) => rt.connect_tls(at, &server, timeout, &tls).await.1,
            }
        })
    }
}

impl Shared {
    /// Whoever watches knows nothing of the chroot.
    fn tell(&self, mut event: WatchedEvent) {
        event.path = event.path.map(|path| self.seen(&path).to_owned());
        self.events.borrow_mut().retain(|events| events.send(event.clone()).is_ok());
    }

    /// A path of the server as the client knows it.
    pub(super) fn seen<'a>(&self, path: &'a str) -> &'a str {
        match self.chroot.as_deref().and_then(|chroot| path.strip_prefix(chroot)) {
            Some("") => "/",
            Some(below) if below.starts_with('/') => below,
            _ => path,
        }
    }
}

async fn dialled<S>(dialling: Option<&mut (HostPort, Dialling<S>)>) -> io::Result<S> {
    match dialling {
        Some((_, dialling)) => dialling.await,
        None => future::pending().await,
    }
}

/// Ready when bytes have come, or the connection has ended.
async fn moved<S: Stream>(wire: Option<&mut Wire<S>>, at: Stamp) -> io::Result<()> {
    match wire {
        Some(wire) => future::poll_fn(|cx| wire.poll(cx, at)).await,
        None => future::pending().await,
    }
}

impl<S: Stream> Wire<S> {
    /// Writes what there is room for, and reads what there is: neither waits for the other.
    fn poll(&mut self, cx: &mut Context<'_>, at: Stamp) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            if self.stream.wants_labels() {
                self.stream.begin_write(at, Label::CLIENT);
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.out.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        let mut read = ReadBuf::new(&mut self.room);
        match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) if read.filled().is_empty() => {
                let why = "the server ended the connection";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)))
            }
            Poll::Ready(Ok(())) => {
                self.read.extend_from_slice(read.filled());
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// The whole frames of what has come; what comes behind them stays.
fn frames<S: Stream>(wire: Option<&mut Wire<S>>, outcome: io::Result<()>, inputs: &mut Vec<Input>) {
    let Some(wire) = wire else { return };
    if let Err(error) = outcome {
        inputs.push(Input::Lost(format!("{}: {error}", wire.stream.peer())));
        return;
    }
    while let Some(length) = wire.read.first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRAME_BYTES_MAX {
            let why = format!("{} sent no frame: a length of {length}", wire.stream.peer());
            inputs.push(Input::Lost(why));
            return;
        }
        if wire.read.len() < 4 + length {
            return;
        }
        wire.read.advance(4);
        inputs.push(Input::Frame(wire.read.split_to(length).freeze()));
    }
}
