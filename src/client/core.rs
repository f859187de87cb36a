//! The session of a client: what to dial, what to send, who is answered.      (ClientCnxn)
//!
//!     Waiting --time--> Dialling --connected--> Greeting --ConnectResponse--> [Proving] --> Open
//!        ^                  |                       |                             |           |
//!        '------------------+------- lost ----------+-----------------------------+-----------'
//!
//! Over is the end: closed, expired, or not believed. Proving is SASL, before any other request.
//!
//! Not here: sockets, clocks (driver), what an answer means to the one who asked (calls).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::event::{EventKind, KeeperState, WatchedEvent};
use super::failure::Failure;
use super::messages::{Input, Output, Plan, State};
use super::request::{Afterwards, Request, WatchedAs, frame, framed};
use super::sasl::{Exchange, Step};
use super::watches::Watches;
use crate::base::{Mono, SessionId, Zxid};
use crate::jute::client::{
    AuthPacket, ConnectRequest, ConnectResponse, ReplyHeader, SaslToken, WatcherEvent, code, op,
    xid,
};
use crate::jute::{Jute, Reader};

/// Between two rounds through the list of servers.
const ROUND_REST: Duration = Duration::from_secs(1);
/// A connection is never silent for longer. (ClientCnxn.MAX_SEND_PING_INTERVAL)
const PING_INTERVAL_MAX: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum Phase {
    Waiting { until: Mono },
    Dialling,
    Greeting,
    Proving { exchange: Exchange, xid: i32 },
    Open,
    Over,
}

#[derive(Debug)]
pub(super) struct Core {
    plan: Plan,
    phase: Phase,
    state: State,
    /// None that the ensemble knows, as long as only servers without a leader have answered.
    session: SessionId,
    password: Bytes,
    /// What the server made of the timeout.
    negotiated: Duration,
    last_zxid: Zxid,
    xid: i32,
    /// Attempts since there was a session or since requests failed for want of one.
    attempts: usize,
    /// The servers that were dialled so far.
    dialled: usize,
    unsent: VecDeque<Request>,
    sent: VecDeque<(i32, Request)>,
    auths: Vec<(String, Bytes)>,
    watches: Watches,
    told: KeeperState,
    opened_at: Mono,
    heard_at: Mono,
    sent_at: Mono,
    out: Vec<Output>,
}

impl Core {
    pub(super) fn new(plan: Plan, now: Mono) -> Core {
        let negotiated = plan.timeout;
        Core {
            plan,
            phase: Phase::Waiting { until: now },
            state: State::Connecting,
            session: SessionId(0),
            password: Bytes::from_static(&[0; 16]),
            negotiated,
            last_zxid: Zxid::ZERO,
            xid: 0,
            attempts: 0,
            dialled: 0,
            unsent: VecDeque::new(),
            sent: VecDeque::new(),
            auths: Vec::new(),
            watches: Watches::default(),
            told: KeeperState::Disconnected,
            opened_at: now,
            heard_at: now,
            sent_at: now,
            out: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The newest that a reply knew of.
    pub(super) fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// When the next Timer is due; `None`: when something else happens.
    pub(super) fn wake_at(&self) -> Option<Mono> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Dialling | Phase::Over => None,
            Phase::Greeting | Phase::Proving { .. } => Some(self.heard_at + self.read_timeout()),
            Phase::Open => {
                let ping_at = self.sent_at + self.ping_interval();
                Some(ping_at.min(self.heard_at + self.read_timeout()))
            }
        }
    }

    pub(super) fn step(&mut self, now: Mono, input: Input) -> Vec<Output> {
        match input {
            Input::Ask(request) => self.on_ask(now, request),
            Input::AddAuth { scheme, auth } => self.on_add_auth(now, scheme, auth),
            Input::Dialled(Ok(())) => self.on_connected(now),
            Input::Dialled(Err(why)) | Input::Lost(why) => self.on_lost(now, &why),
            Input::Frame(frame) => self.on_frame(now, frame),
            Input::Timer => self.on_timer(now),
        }
        std::mem::take(&mut self.out)
    }

    fn on_ask(&mut self, now: Mono, request: Request) {
        match self.phase {
            Phase::Over => self.fail(request, &Failure::of(self.code_of_the_end())),
            Phase::Open => self.send_request(now, request),
            // There is nothing to close at a server that never answered.
            _ if request.afterwards == Afterwards::Close => {
                self.answer(&request, Ok(Bytes::new()));
                self.end(State::Closed, KeeperState::Closed);
            }
            _ => self.unsent.push_back(request),
        }
    }

    fn on_add_auth(&mut self, now: Mono, scheme: String, auth: Bytes) {
        if matches!(self.phase, Phase::Open) {
            self.send_auth(now, &scheme, auth.clone());
        }
        self.auths.push((scheme, auth));
    }

    fn on_connected(&mut self, now: Mono) {
        (self.phase, self.heard_at) = (Phase::Greeting, now);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.plan.timeout.as_millis()).unwrap_or(i32::MAX),
            session: self.session,
            password: Some(self.password.clone()),
            read_only: Some(self.plan.read_only),
        };
        self.send(now, framed(&request.to_jute()));
    }

    /// Requests under way have no answer; those that wait have one more server to hope for, until all
    /// were tried.
    fn on_lost(&mut self, now: Mono, why: &str) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        if self.closes() {
            self.fail_all(&Failure::connection_loss(why));
            return self.end(State::Closed, KeeperState::Closed);
        }
        // One that ends as soon as it has begun is no better than none.
        let served = matches!(self.phase, Phase::Open) && now.since(self.opened_at) >= ROUND_REST;
        self.out.push(Output::HangUp);
        self.state = State::Connecting;
        self.tell(KeeperState::Disconnected);
        let failure = Failure::connection_loss(why);
        for (_, request) in std::mem::take(&mut self.sent) {
            self.fail(request, &Failure { was_sent: true, ..failure.clone() });
        }
        self.attempts = if served { 0 } else { self.attempts + 1 };
        let round_is_over = self.attempts >= self.plan.servers.len();
        if round_is_over {
            self.attempts = 0;
            for request in std::mem::take(&mut self.unsent) {
                self.fail(request, &failure);
            }
        }
        let rest = if round_is_over { ROUND_REST } else { Duration::ZERO };
        self.phase = Phase::Waiting { until: now + rest };
    }

    fn on_timer(&mut self, now: Mono) {
        match self.phase {
            Phase::Waiting { until } if until <= now => {
                let server = self.plan.servers[self.dialled % self.plan.servers.len()].clone();
                self.dialled += 1;
                self.phase = Phase::Dialling;
                let timeout =
                    self.plan.timeout / u32::try_from(self.plan.servers.len()).unwrap_or(1);
                self.out.push(Output::Dial(server, timeout));
            }
            Phase::Greeting | Phase::Proving { .. } | Phase::Open => {
                let silent = now.since(self.heard_at);
                if silent >= self.read_timeout() {
                    let why = format!("nothing was heard for {} ms", silent.as_millis());
                    return self.on_lost(now, &why);
                }
                if matches!(self.phase, Phase::Open)
                    && now.since(self.sent_at) >= self.ping_interval()
                {
                    self.send(now, frame(xid::PING, op::PING, &[]));
                }
            }
            _ => {}
        }
    }

    fn on_frame(&mut self, now: Mono, bytes: Bytes) {
        self.heard_at = now;
        let mut reader = Reader::new(bytes);
        if matches!(self.phase, Phase::Greeting) {
            return match ConnectResponse::decode(&mut reader) {
                Ok(response) => self.on_greeted(now, response),
                Err(error) => self.on_lost(now, &format!("the reply to a connect: {error}")),
            };
        }
        let header = match ReplyHeader::decode(&mut reader) {
            Ok(header) => header,
            Err(error) => return self.on_lost(now, &format!("a reply: {error}")),
        };
        match header.xid {
            xid::PING | xid::SET_WATCHES => {}
            xid::NOTIFICATION => return self.on_event(now, header.zxid, &mut reader),
            xid::AUTH => {
                if header.err != code::OK {
                    self.end(State::AuthFailed, KeeperState::AuthFailed);
                }
            }
            _ => self.on_reply(now, &header, &mut reader),
        }
        self.last_zxid = self.last_zxid.max(header.zxid);
    }

    fn on_greeted(&mut self, now: Mono, response: ConnectResponse) {
        if response.timeout_ms <= 0 {
            return self.end(State::Closed, KeeperState::Expired);
        }
        self.negotiated = Duration::from_millis(u64::from(response.timeout_ms.unsigned_abs()));
        let read_only = response.read_only == Some(true);
        if !read_only {
            self.session = response.session;
            self.password = response.password.unwrap_or_default();
        }
        let (state, told) = match read_only {
            true => (State::ConnectedReadOnly, KeeperState::ConnectedReadOnly),
            false => (State::Connected, KeeperState::SyncConnected),
        };
        self.state = state;
        self.tell(told);
        match self.plan.sasl.clone() {
            None => self.open(now),
            Some((_, cnonce)) => {
                let xid = self.next_xid();
                self.phase = Phase::Proving { exchange: Exchange::Begun { cnonce }, xid };
                self.send_token(now, xid, Vec::new());
            }
        }
    }

    /// CL-2: proofs first, then what is watched, then what waits.
    fn open(&mut self, now: Mono) {
        (self.phase, self.opened_at) = (Phase::Open, now);
        for (scheme, auth) in self.auths.clone() {
            self.send_auth(now, &scheme, auth);
        }
        for (op, body) in self.watches.requests(self.last_zxid) {
            self.send(now, frame(xid::SET_WATCHES, op, &body));
        }
        for request in std::mem::take(&mut self.unsent) {
            self.send_request(now, request);
        }
    }

    fn on_event(&mut self, now: Mono, zxid: Zxid, reader: &mut Reader) {
        let event = match WatcherEvent::decode(reader) {
            Ok(event) => event,
            Err(error) => return self.on_lost(now, &format!("a watch event: {error}")),
        };
        let Some(kind) = EventKind::of(event.kind) else { return };
        if self.watches.fire(kind, &event.path) {
            let path = Some(event.path);
            let state = KeeperState::SyncConnected;
            self.out.push(Output::Event(WatchedEvent { state, kind, path, zxid: zxid.0 }));
        }
    }

    fn on_reply(&mut self, now: Mono, header: &ReplyHeader, reader: &mut Reader) {
        if let Phase::Proving { exchange, xid } = &self.phase {
            let (exchange, is_ours) = (exchange.clone(), *xid == header.xid);
            return self.on_token(now, &exchange, is_ours, header.err, reader);
        }
        // CL-1
        let Some((xid, request)) = self.sent.pop_front() else {
            return self.on_lost(now, "the server answered what nobody asked");
        };
        if xid != header.xid {
            let why = format!("the server answered {}, and {xid} was the next one", header.xid);
            self.sent.push_front((xid, request));
            return self.on_lost(now, &why);
        }
        self.settle(&request, header.err);
        let answer = match header.err {
            code::OK => Ok(reader.rest()),
            err => Err(Failure::of(err)),
        };
        self.answer(&request, answer);
        if request.afterwards == Afterwards::Close {
            self.end(State::Closed, KeeperState::Closed);
        }
    }

    /// What an answer changes in the table of watches.
    fn settle(&mut self, request: &Request, err: i32) {
        match &request.afterwards {
            Afterwards::Watch { path, kind } if Afterwards::is_watched(*kind, err) => {
                // A node that is not there has no data to watch yet.
                let known = match (kind, err) {
                    (WatchedAs::Exists, code::OK) => WatchedAs::Data,
                    (kind, _) => *kind,
                };
                self.watches.add(known, path.clone());
            }
            Afterwards::Unwatch { path, kind, local } if err == code::OK || *local => {
                let removed = self.watches.remove(*kind, path);
                let mut told: Vec<EventKind> =
                    removed.into_iter().map(WatchedAs::removal).collect();
                told.dedup();
                for kind in told {
                    let path = Some(path.clone());
                    let state = KeeperState::SyncConnected;
                    self.out.push(Output::Event(WatchedEvent { state, kind, path, zxid: -1 }));
                }
            }
            _ => {}
        }
    }

    fn on_token(
        &mut self,
        now: Mono,
        exchange: &Exchange,
        is_ours: bool,
        err: i32,
        reader: &mut Reader,
    ) {
        let token = SaslToken::decode(reader).ok().and_then(|reply| reply.token);
        let (Some((credentials, _)), true, code::OK) = (&self.plan.sasl, is_ours, err) else {
            return self.end(State::AuthFailed, KeeperState::AuthFailed);
        };
        match exchange.step(&token.unwrap_or_default(), credentials) {
            Step::Send(exchange, token) => {
                let xid = self.next_xid();
                self.phase = Phase::Proving { exchange, xid };
                self.send_token(now, xid, token);
            }
            Step::Done => {
                self.tell(KeeperState::SaslAuthenticated);
                self.open(now);
            }
            Step::Failed(why) => {
                tracing::debug!(why, "SASL failed");
                self.end(State::AuthFailed, KeeperState::AuthFailed);
            }
        }
    }

    fn send_request(&mut self, now: Mono, request: Request) {
        if request.afterwards == Afterwards::Reach {
            return self.answer(&request, Ok(Bytes::new()));
        }
        let xid = self.next_xid();
        self.send(now, frame(xid, request.op, &request.body));
        self.sent.push_back((xid, request));
    }

    fn send_auth(&mut self, now: Mono, scheme: &str, auth: Bytes) {
        let packet = AuthPacket { kind: 0, scheme: scheme.to_owned(), auth: Some(auth) };
        self.send(now, frame(xid::AUTH, op::AUTH, &packet.to_jute()));
    }

    fn send_token(&mut self, now: Mono, xid: i32, token: Vec<u8>) {
        let body = SaslToken { token: Some(token.into()) }.to_jute();
        self.send(now, frame(xid, op::SASL, &body));
    }

    fn send(&mut self, now: Mono, bytes: Bytes) {
        self.sent_at = now;
        self.out.push(Output::Send(bytes));
    }

    fn next_xid(&mut self) -> i32 {
        self.xid = self.xid.checked_add(1).unwrap_or(1);
        self.xid
    }

    fn closes(&self) -> bool {
        self.sent.iter().any(|(_, request)| request.afterwards == Afterwards::Close)
    }

    fn answer(&mut self, request: &Request, answer: Result<Bytes, Failure>) {
        self.out.push(Output::Answer(request.ticket, answer));
    }

    /// Without an answer of a server.
    fn fail(&mut self, request: Request, failure: &Failure) {
        if let Afterwards::Unwatch { local: true, .. } = request.afterwards {
            self.settle(&request, failure.code);
            return self.answer(&request, Ok(Bytes::new()));
        }
        // A session that cannot be closed is closed here.
        let answer = match request.afterwards {
            Afterwards::Close => Ok(Bytes::new()),
            _ => Err(failure.clone()),
        };
        self.answer(&request, answer);
    }

    fn fail_all(&mut self, failure: &Failure) {
        let sent = std::mem::take(&mut self.sent).into_iter().map(|(_, request)| request);
        let unsent = std::mem::take(&mut self.unsent);
        for request in sent.chain(unsent).collect::<Vec<_>>() {
            self.fail(request, failure);
        }
    }

    fn end(&mut self, state: State, told: KeeperState) {
        let failure = match told {
            KeeperState::Expired => Failure::of(code::SESSION_EXPIRED),
            KeeperState::AuthFailed => Failure::of(code::AUTH_FAILED),
            _ => Failure::connection_loss("the session was closed"),
        };
        (self.phase, self.state) = (Phase::Over, state);
        self.out.push(Output::HangUp);
        self.fail_all(&failure);
        self.tell(told);
    }

    /// Whoever watches hears of a change alone.
    fn tell(&mut self, state: KeeperState) {
        if self.told != state {
            self.told = state;
            self.out.push(Output::Event(WatchedEvent::of_state(state)));
        }
    }

    fn code_of_the_end(&self) -> i32 {
        match self.told {
            KeeperState::Expired => code::SESSION_EXPIRED,
            KeeperState::AuthFailed => code::AUTH_FAILED,
            _ => code::CONNECTION_LOSS,
        }
    }

    fn read_timeout(&self) -> Duration {
        self.negotiated * 2 / 3
    }

    fn ping_interval(&self) -> Duration {
        (self.read_timeout() / 2).min(PING_INTERVAL_MAX)
    }
}

#[cfg(test)]
#[path = "core_test.rs"]
mod tests;
