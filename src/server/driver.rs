//! Sockets of the client port: frames and four-letter words, no decisions.   (NIOServerCnxn)
//!
//! The first four bytes of a connection are a four-letter word if they spell a known one;
//! otherwise they are the length of the first frame, as all that follow:
//!
//! ```text
//! frame   length int (0 ..= jute.maxbuffer) | body
//! ```
//!
//! CD-1  one Lost after each Accepted
//! CD-2  a connection gives frames or one word, never both
//!
//! Not here: limits on connections and requests, sessions, what a word answers (server, admin).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::task::Context;

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;
use tracing::{info, warn};

use crate::base::limits::JUTE_MAXBUFFER_BYTES;
use crate::base::{ConnId, Stamp};
use crate::runtime::accept::Listening;
use crate::runtime::link::{FrameRow, Inbound, Link, LinkTable, Post, Reading, Room};
use crate::runtime::tls::{ClientTls, TlsPort};
use crate::runtime::{HostPort, Label, Runtime, Stream};

/// The words that begin a connection instead of a length, allowed ones or not.
const FOUR_LETTER_WORDS: [[u8; 4]; 19] = [
    *b"conf", *b"cons", *b"crst", *b"dirs", *b"dump", *b"envi", *b"gtmk", *b"hand", *b"hash",
    *b"isro", *b"mntr", *b"ruok", *b"srst", *b"srvr", *b"stat", *b"stmk", *b"wchc", *b"wchp",
    *b"wchs",
];

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientEvent {
    /// `peer` is `ip:port`; `subject` the distinguished name (RFC 2253) of the certificate the
    /// client has proven, on a TLS port.
    Accepted {
        conn: ConnId,
        peer: String,
        subject: Option<String>,
    },
    /// The connection asks a four-letter word; what it sends after that is forgotten. It stays
    /// open, whatever the client does, until it is closed here or a write fails. `mask` follows the
    /// word `stmk` where that is answered.
    Word {
        conn: ConnId,
        word: [u8; 4],
        mask: Option<i64>,
    },
    /// 0 to `jute.maxbuffer` bytes.
    Frame {
        conn: ConnId,
        body: Bytes,
    },
    Lost {
        conn: ConnId,
    },
    /// Everything written to this connection is with the kernel: one for all `notify_drained`
    /// before it.
    Drained {
        conn: ConnId,
    },
    /// `listen` failed; the source number of this event is 0.
    BindFailed {
        why: String,
    },
}

/// The pump's handle on the client port.
#[derive(Clone)]
pub struct ClientDriver<R: Runtime> {
    inner: Rc<Inner<R>>,
}

struct Inner<R> {
    rt: R,
    post: Post<ClientEvent>,
    conns: LinkTable,
    listening: RefCell<Vec<Listening>>,
    accepted: Cell<u64>,
    frame_bytes_max: Cell<usize>,
    per_address_max: Cell<u32>,
    takes_trace_mask: Cell<bool>,
    room: RefCell<Room>,
}

impl<R: Runtime> fmt::Debug for ClientDriver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientDriver").field("conns", &self.inner.conns).finish()
    }
}

impl<R: Runtime> ClientDriver<R> {
    pub fn new(rt: R, post: Post<ClientEvent>) -> ClientDriver<R> {
        ClientDriver {
            inner: Rc::new(Inner {
                rt,
                post,
                conns: LinkTable::default(),
                listening: RefCell::default(),
                accepted: Cell::new(0),
                frame_bytes_max: Cell::new(JUTE_MAXBUFFER_BYTES),
                per_address_max: Cell::new(0),
                takes_trace_mask: Cell::new(false),
                room: RefCell::new(Rc::new(|_| true)),
            }),
        }
    }

    /// Connections that begin from now on end at a longer request (`jute.maxbuffer`).
    pub fn set_frame_bytes_max(&self, max: usize) {
        self.inner.frame_bytes_max.set(max);
    }

    /// `stmk` is answered: a mask follows it.
    pub fn set_takes_trace_mask(&self, takes: bool) {
        self.inner.takes_trace_mask.set(takes);
    }

    /// Connections that begin from now on are read while there is room.
    pub fn set_room(&self, room: Room) {
        self.inner.room.replace(room);
    }

    /// TLS ports that are opened from now on begin no more handshakes than fit into this number of
    /// connections of one address (`maxClientCnxns`); 0 is no limit.
    pub fn set_per_address_max(&self, max: u32) {
        self.inner.per_address_max.set(max);
    }

    /// Opens the client port and the TLS port, whichever of them are wanted.
    pub fn listen_all(&self, client: Option<&HostPort>, tls: Option<&ClientTls>) {
        if let Some(on) = client {
            match tls.filter(|tls| tls.port_unification) {
                Some(tls) => self.listen_tls(on.clone(), tls.clone(), TlsPort::Unified),
                None => self.listen(on.clone()),
            }
        }
        if let Some(tls) = tls
            && let Some(on) = &tls.listen
        {
            self.listen_tls(on.clone(), tls.clone(), TlsPort::Secure);
        }
    }

    /// Accepts connections from now on, numbered 1, 2, 3 over all ports.
    pub fn listen(&self, on: HostPort) {
        let rt = self.inner.rt.clone();
        let listener = async move {
            let opened = rt.listen_clients(&on).await;
            opened.inspect(|_| info!(%on, "client port open"))
        };
        self.accept_from(listener);
    }

    /// Accepts connections whose TLS handshake is done.
    fn listen_tls(&self, on: HostPort, tls: ClientTls, port: TlsPort) {
        let rt = self.inner.rt.clone();
        let per_address_max = self.inner.per_address_max.get();
        let listener = async move {
            let opened = rt.listen_tls(&on, &tls, port, per_address_max).await;
            opened.inspect(|_| match port {
                TlsPort::Secure => info!(%on, "client port open, for TLS"),
                TlsPort::Unified => info!(%on, "client port open, for TLS and plain text"),
            })
        };
        self.accept_from(listener);
    }

    fn accept_from(&self, listener: impl Future<Output = io::Result<R::Listener>> + 'static) {
        let inner = Rc::clone(&self.inner);
        let listening = Listening::default();
        inner.listening.borrow_mut().push(listening.clone());
        self.inner.rt.spawn("client listen", async move {
            let rt = inner.rt.clone();
            match listener.await {
                Ok(listener) => {
                    listening.accept(&rt, listener, |at, stream| inner.on_accept(at, stream)).await;
                }
                Err(error) => {
                    let why = error.to_string();
                    (inner.post)(rt.stamp(), 0, ClientEvent::BindFailed { why });
                }
            }
        });
    }

    /// No more connections are accepted; those that were stay.
    pub fn unlisten(&self) {
        self.inner.listening.borrow().iter().for_each(Listening::stop);
    }

    /// Sends bytes as they are: a reply with its length, or the text of a word.
    pub fn write(&self, at: Stamp, conn: ConnId, bytes: Bytes) {
        self.inner.conns.write(at, conn.0, Label::CLIENT, bytes);
    }

    /// Ends the connection after what was written before; its `Lost` still comes.
    pub fn close(&self, at: Stamp, conn: ConnId) {
        self.inner.conns.close(at, conn.0);
    }

    /// Asks for a `Drained` when everything written is out, be it at once. Nothing comes if the
    /// connection has ended.
    pub fn notify_drained(&self, at: Stamp, conn: ConnId) {
        if let Some(writer) = self.inner.conns.get(conn.0) {
            writer.notify_drained(at);
        }
    }

    /// Reads no more from this connection. Frames already read still come.
    pub fn pause(&self, conn: ConnId) {
        self.set_paused(conn, true);
    }

    pub fn resume(&self, conn: ConnId) {
        self.set_paused(conn, false);
    }

    fn set_paused(&self, conn: ConnId, paused: bool) {
        if let Some(writer) = self.inner.conns.get(conn.0) {
            writer.pause(paused);
        }
    }
}

impl<R: Runtime> Inner<R> {
    fn on_accept(self: &Rc<Self>, at: Stamp, stream: R::Stream) {
        let conn = ConnId(self.accepted.get() + 1);
        self.accepted.set(conn.0);
        let writer = self.conns.open(conn.0);
        let peer = stream.peer();
        let subject = stream.subject();
        (self.post)(at, conn.0, ClientEvent::Accepted { conn, peer: peer.clone(), subject });

        let inbound = ClientInbound {
            driver: Rc::clone(self),
            conn,
            peer: peer.into(),
            frame_bytes_max: self.frame_bytes_max.get(),
            first: true,
        };
        let mut link = Link::new(at, stream, writer, inbound);
        let inner = Rc::clone(self);
        self.rt.spawn("client connection", async move {
            let ended = inner.conns.serve(&inner.rt, conn.0, &mut link).await;
            drop(link); // its place is free before anybody knows
            (inner.post)(ended.at, conn.0, ClientEvent::Lost { conn });
        });
    }
}

struct ClientInbound<R: Runtime> {
    driver: Rc<Inner<R>>,
    conn: ConnId,
    peer: Box<str>,
    frame_bytes_max: usize,
    /// Nothing has been taken yet: the next four bytes may be a word.
    first: bool,
}

impl<R: Runtime> Inbound for ClientInbound<R> {
    fn on_bytes(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<Reading, String> {
        let conn = self.conn;
        if self.first
            && let Some((word, rest)) = buf.split_first_chunk::<4>()
        {
            let takes_mask = word == b"stmk" && self.driver.takes_trace_mask.get();
            let mask = rest.first_chunk().map(|mask| i64::from_be_bytes(*mask));
            if takes_mask && mask.is_none() {
                return Ok(Reading::On);
            }
            self.first = false;
            if FOUR_LETTER_WORDS.contains(word) {
                let (word, mask) = (*word, mask.filter(|_| takes_mask));
                (self.driver.post)(at, conn.0, ClientEvent::Word { conn, word, mask });
                buf.clear();
                return Ok(Reading::Discard);
            }
        }
        loop {
            let mut row = FrameRow::default();
            let mut bodies: SmallVec<[usize; 64]> = SmallVec::new();
            let end = loop {
                match self.next_body(&buf[row.bytes()..]) {
                    Ok(Some(body)) if row.add(4 + body) => bodies.push(body),
                    Ok(_) => break Ok(Reading::On),
                    Err(length) => break Err(length),
                }
            };
            if bodies.is_empty() {
                return end.map_err(|length| self.refuse(length));
            }
            let mut frames = row.take(buf);
            for body in bodies {
                frames.advance(4);
                let body = frames.split_to(body);
                (self.driver.post)(at, conn.0, ClientEvent::Frame { conn, body });
            }
        }
    }

    fn on_drained(&mut self, at: Stamp) {
        (self.driver.post)(at, self.conn.0, ClientEvent::Drained { conn: self.conn });
    }

    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        (self.driver.room.borrow())(cx)
    }
}

impl<R: Runtime> ClientInbound<R> {
    /// Bytes of the body of the frame at the front, if it is whole. An error is a length that no
    /// request may have.
    fn next_body(&self, buf: &[u8]) -> Result<Option<usize>, i32> {
        let Some(prefix) = buf.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*prefix);
        let body = usize::try_from(length).ok().filter(|body| *body <= self.frame_bytes_max);
        let body = body.ok_or(length)?;
        Ok((buf.len() >= 4 + body).then_some(body))
    }

    fn refuse(&self, length: i32) -> String {
        warn!(
            peer = &*self.peer,
            length,
            jute.maxbuffer = self.frame_bytes_max,
            "closing a client: request length out of range"
        );
        format!("request length {length}")
    }
}
