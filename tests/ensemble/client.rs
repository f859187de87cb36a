//! A small client of the ZooKeeper protocol: one connection, no threads, no retries of its own.
//!
//! Watch events that arrive before a reply are kept in [`Client::events`]: what stands there when
//! a call returns was sent before that call's reply.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use quorate::base::{SessionId, Zxid};
use quorate::jute::client::{
    ConnectRequest, ConnectResponse, Create2Response, CreateRequest, CreateResponse, DeleteRequest,
    GetChildren2Response, GetChildrenResponse, GetDataResponse, PathRequest, PathWatchRequest,
    ReplyHeader, RequestHeader, SetDataRequest, SetWatches, StatResponse, WatcherEvent, code, op,
    xid,
};
use quorate::jute::data::{Acl, Stat};
use quorate::jute::{Jute, Reader};

use super::wait_for;

/// How long a reply may take: what only a hung server reaches.
const REPLY_MAX: Duration = Duration::from_secs(30);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Why a call did not succeed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// The connection ended, or never was. Whether a write happened is not known.
    Lost(io::ErrorKind),
    /// The server's answer (`jute::client::code`).
    Code(i32),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Lost(error.kind())
    }
}

/// What a client keeps when its connection is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) password: Bytes,
    pub(crate) timeout_ms: i32,
    /// The newest transaction it has seen.
    pub(crate) last_zxid: Zxid,
    /// Of the last request. It goes on over connections: a reply is found by session and xid, and
    /// a request of the last connection may still be on its way.
    xid: i32,
    /// How long a reply may take before the connection is given up.
    patience: Duration,
    /// A server without a leader will do.
    reads_only: bool,
}

impl Session {
    /// A session yet to be opened, with this timeout in milliseconds.
    pub(crate) fn new(timeout_ms: i32) -> Session {
        let password = Bytes::from_static(&[0; 16]);
        let (id, last_zxid) = (SessionId(0), Zxid::ZERO);
        let patience = REPLY_MAX;
        Session { id, password, timeout_ms, last_zxid, xid: 0, patience, reads_only: false }
    }

    /// A server without a leader will do: this client wants to read.
    pub(crate) fn for_reading(self) -> Session {
        Session { reads_only: true, ..self }
    }

    /// Gives a connection up when a reply takes longer than this.
    pub(crate) fn with_patience(self, patience: Duration) -> Session {
        Session { patience, ..self }
    }
}

pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) session: Session,
    /// The server has no leader and takes no writes.
    pub(crate) is_read_only: bool,
    /// Watch events, in the order of their arrival.
    pub(crate) events: Vec<WatcherEvent>,
}

impl Client {
    /// Opens a session, or goes on with one. A server that does not know it (any more) is
    /// `Code(SESSION_EXPIRED)`.
    pub(crate) fn connect(address: SocketAddr, session: &Session) -> Result<Client, Failure> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(session.patience))?;
        let session_now = session.clone();
        let mut client =
            Client { stream, session: session_now, is_read_only: false, events: Vec::new() };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: session.last_zxid,
            timeout_ms: session.timeout_ms,
            session: session.id,
            password: Some(session.password.clone()),
            read_only: Some(session.reads_only),
        };
        client.write_frame(&request.to_jute())?;
        let mut frame = Reader::new(client.read_frame()?);
        let response = ConnectResponse::decode(&mut frame).expect("a ConnectResponse");
        if response.session == SessionId(0) {
            return Err(Failure::Code(code::SESSION_EXPIRED));
        }
        client.session.id = response.session;
        client.session.password = response.password.unwrap_or_default();
        client.session.timeout_ms = response.timeout_ms;
        client.is_read_only = response.read_only == Some(true);
        Ok(client)
    }

    /// Tries these servers in turn until one takes the session.
    #[track_caller]
    pub(crate) fn reach(addresses: &[SocketAddr], session: &Session) -> Client {
        let answer = Client::ask(addresses, session);
        answer.unwrap_or_else(|code| panic!("session {:?}: {code}", session.id))
    }

    /// Tries these servers in turn until one answers: a server that does not serve, or has seen
    /// less than this client, gives no answer.
    #[track_caller]
    pub(crate) fn ask(addresses: &[SocketAddr], session: &Session) -> Result<Client, i32> {
        let mut at = 0;
        wait_for("a server that answers", || {
            let address = addresses[at % addresses.len()];
            at += 1;
            match Client::connect(address, session) {
                Ok(client) => Some(Ok(client)),
                Err(Failure::Code(code)) => Some(Err(code)),
                Err(Failure::Lost(_)) => None,
            }
        })
    }

    /// Sends a request and does not wait. The answer is the request's xid.
    pub(crate) fn send(&mut self, op: i32, record: &impl Jute) -> Result<i32, Failure> {
        self.session.xid += 1;
        let special = match op {
            op::PING => Some(xid::PING),
            op::SET_WATCHES => Some(xid::SET_WATCHES),
            _ => None,
        };
        let xid = special.unwrap_or(self.session.xid);
        let mut body = RequestHeader { xid, op }.to_jute();
        record.encode(&mut body);
        self.write_frame(&body)?;
        Ok(xid)
    }

    /// The next reply; events that come before it are kept.
    pub(crate) fn receive(&mut self) -> Result<(ReplyHeader, Reader), Failure> {
        loop {
            let mut frame = Reader::new(self.read_frame()?);
            let header = ReplyHeader::decode(&mut frame).expect("a ReplyHeader");
            if header.xid == xid::NOTIFICATION {
                let event = WatcherEvent::decode(&mut frame).expect("a WatcherEvent");
                self.events.push(event);
                continue;
            }
            self.session.last_zxid = self.session.last_zxid.max(header.zxid);
            return Ok((header, frame));
        }
    }

    /// Sends a request and waits for its reply, which must be the next one.
    pub(crate) fn call(&mut self, op: i32, record: &impl Jute) -> Result<Reader, Failure> {
        let sent = self.send(op, record)?;
        let (header, body) = self.receive()?;
        assert_eq!(header.xid, sent, "replies come in the order of the requests");
        if header.err == code::OK { Ok(body) } else { Err(Failure::Code(header.err)) }
    }

    fn call_for<T: Jute>(&mut self, op: i32, record: &impl Jute) -> Result<T, Failure> {
        let mut body = self.call(op, record)?;
        Ok(T::decode(&mut body).expect("the record of this operation"))
    }

    /// The path of the new node. `flags`: `jute::client::create_flags`.
    pub(crate) fn create(&mut self, path: &str, data: &str, flags: i32) -> Result<String, Failure> {
        let created: CreateResponse =
            self.call_for(op::CREATE, &create_request(path, data, flags))?;
        Ok(created.path)
    }

    pub(crate) fn create2(
        &mut self,
        path: &str,
        data: &str,
        flags: i32,
    ) -> Result<(String, Stat), Failure> {
        let created: Create2Response =
            self.call_for(op::CREATE2, &create_request(path, data, flags))?;
        Ok((created.path, created.stat))
    }

    pub(crate) fn set(&mut self, path: &str, data: &str) -> Result<Stat, Failure> {
        let changed: StatResponse = self.call_for(op::SET_DATA, &set_request(path, data))?;
        Ok(changed.stat)
    }

    pub(crate) fn delete(&mut self, path: &str) -> Result<(), Failure> {
        self.call(op::DELETE, &delete_request(path)).map(|_| ())
    }

    pub(crate) fn get(&mut self, path: &str, watch: bool) -> Result<(String, Stat), Failure> {
        let got: GetDataResponse = self.call_for(op::GET_DATA, &path_watch(path, watch))?;
        let text = String::from_utf8_lossy(&got.data.unwrap_or_default()).into_owned();
        Ok((text, got.stat))
    }

    pub(crate) fn exists(&mut self, path: &str, watch: bool) -> Result<Option<Stat>, Failure> {
        match self.call_for::<StatResponse>(op::EXISTS, &path_watch(path, watch)) {
            Ok(found) => Ok(Some(found.stat)),
            Err(Failure::Code(code::NO_NODE)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Names of the children, sorted.
    pub(crate) fn children(&mut self, path: &str, watch: bool) -> Result<Vec<String>, Failure> {
        let got: GetChildrenResponse = self.call_for(op::GET_CHILDREN, &path_watch(path, watch))?;
        let mut children = got.children;
        children.sort();
        Ok(children)
    }

    pub(crate) fn children2(&mut self, path: &str) -> Result<(Vec<String>, Stat), Failure> {
        let got: GetChildren2Response =
            self.call_for(op::GET_CHILDREN2, &path_watch(path, false))?;
        Ok((got.children, got.stat))
    }

    pub(crate) fn sync(&mut self, path: &str) -> Result<(), Failure> {
        self.call(op::SYNC, &PathRequest { path: path.into() }).map(|_| ())
    }

    pub(crate) fn ping(&mut self) -> Result<(), Failure> {
        self.call(op::PING, &NoBody).map(|_| ())
    }

    /// Ends the session, not just the connection.
    pub(crate) fn close_session(mut self) -> Result<(), Failure> {
        self.call(op::CLOSE_SESSION, &NoBody).map(|_| ())
    }

    /// Registers watches again, as a client does after it has connected anew. `watches.0` are
    /// data watches, then exists watches, then child watches.
    pub(crate) fn set_watches(&mut self, seen: Zxid, watches: [&[&str]; 3]) -> Result<(), Failure> {
        let [data_watches, exist_watches, child_watches] =
            watches.map(|paths| paths.iter().map(ToString::to_string).collect());
        let record = SetWatches { relative_zxid: seen, data_watches, exist_watches, child_watches };
        self.call(op::SET_WATCHES, &record).map(|_| ())
    }

    /// Kind and path of the events so far; they are forgotten.
    pub(crate) fn take_events(&mut self) -> Vec<(i32, String)> {
        self.events.drain(..).map(|event| (event.kind, event.path)).collect()
    }

    /// Ends the connection without a word; the session goes on. Returns what is needed for that.
    pub(crate) fn drop_connection(self) -> Session {
        self.session
    }

    fn write_frame(&mut self, body: &[u8]) -> Result<(), Failure> {
        let length = i32::try_from(body.len()).expect("a small frame");
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        Ok(self.stream.write_all(&frame)?)
    }

    fn read_frame(&mut self) -> Result<Bytes, Failure> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a length");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body.into())
    }
}

/// ping and closeSession have a header only.
struct NoBody;

impl Jute for NoBody {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut Reader) -> Result<NoBody, quorate::jute::DecodeError> {
        Ok(NoBody)
    }
}

pub(crate) fn create_request(path: &str, data: &str, flags: i32) -> CreateRequest {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    CreateRequest { path: path.into(), data, acl: Some(Acl::open()), flags }
}

/// Whatever the version is.
pub(crate) fn set_request(path: &str, data: &str) -> SetDataRequest {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    SetDataRequest { path: path.into(), data, version: -1 }
}

pub(crate) fn delete_request(path: &str) -> DeleteRequest {
    DeleteRequest { path: path.into(), version: -1 }
}

pub(crate) fn path_watch(path: &str, watch: bool) -> PathWatchRequest {
    PathWatchRequest { path: path.into(), watch }
}
