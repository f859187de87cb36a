//! A client as its user has it: begins a session, asks, and hears what happens.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::core::Core;
use super::driver::{Command, Driver, Shared};
use super::event::WatchedEvent;
use super::failure::Failure;
use super::messages::{Plan, State};
use super::request::{Afterwards, Request, Ticket};
use super::settings::ClientSettings;
use crate::base::{Zxid, paths};
use crate::jute::client::{code, op};
use crate::jute::{Jute, Reader};
use crate::runtime::{Purpose, Runtime};

/// A session of which the user asks. Copies are the same session; it goes on (with its watches and
/// ephemeral nodes) over connections, until it is closed or expires.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    shared: Rc<Shared>,
    tickets: Rc<Cell<u64>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &self.state_name()).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a session: dials from now on. `events`: hears of the connection and of what is watched.
    pub fn begin<R: Runtime>(
        rt: &R,
        settings: &ClientSettings,
        events: mpsc::UnboundedSender<WatchedEvent>,
    ) -> Client {
        let mut servers = settings.connect.servers.clone();
        // Clients spread over the servers.
        for n in (1..servers.len()).rev() {
            let draw = rt.random_u64(Purpose::ServerOrder, n as u64) % (n as u64 + 1);
            servers.swap(n, draw as usize);
        }
        let cnonce = || {
            let draws = [0, 1].map(|n| rt.random_u64(Purpose::SaslNonce, n));
            format!("{:016x}{:016x}", draws[0], draws[1])
        };
        let plan = Plan {
            servers,
            timeout: Duration::from_millis(u64::from(settings.session_timeout_ms.unsigned_abs())),
            read_only: settings.read_only,
            sasl: settings.sasl.clone().map(|credentials| (credentials, cnonce())),
        };
        let core = Core::new(plan, rt.now_at(rt.stamp()).mono);
        let (commands, told) = mpsc::unbounded_channel();
        let shared = Rc::new(Shared {
            state: Cell::new(core.state()),
            last_zxid: Cell::new(Zxid::ZERO),
            events: RefCell::new(vec![events]),
            chroot: settings.connect.chroot.clone(),
        });
        let driver = Driver {
            rt: rt.clone(),
            core,
            tls: settings.tls.clone(),
            commands: told,
            shared: Rc::clone(&shared),
            waiting: BTreeMap::new(),
        };
        rt.spawn("client", driver.run());
        Client { commands, shared, tickets: Rc::default() }
    }

    /// As Apache's shell shows it in its prompt. (ZooKeeper.States)
    pub fn state_name(&self) -> &'static str {
        match self.shared.state.get() {
            State::Connecting => "CONNECTING",
            State::Connected => "CONNECTED",
            State::ConnectedReadOnly => "CONNECTEDREADONLY",
            State::Closed => "CLOSED",
            State::AuthFailed => "AUTH_FAILED",
        }
    }

    /// Whether it may still serve: it was not closed, is not expired, and was not refused.
    pub fn is_alive(&self) -> bool {
        !matches!(self.shared.state.get(), State::Closed | State::AuthFailed)
    }

    /// The last transaction that a reply knew of: events of those before it have been told.
    pub fn last_zxid(&self) -> Zxid {
        self.shared.last_zxid.get()
    }

    /// What happens from now on, as the one hears it with whom the client began.
    pub fn listen(&self) -> mpsc::UnboundedReceiver<WatchedEvent> {
        let (events, heard) = mpsc::unbounded_channel();
        self.shared.events.borrow_mut().push(events);
        heard
    }

    /// Proves to be somebody, now and after every reconnect. Nobody waits for it: requests behind it are
    /// judged with it, and if it is refused the session ends with AuthFailed.
    pub fn add_auth(&self, scheme: &str, auth: Bytes) {
        let _ = self.commands.send(Command::AddAuth { scheme: scheme.to_owned(), auth });
    }

    /// Waits until there is a session; fails when every server was tried in vain.
    pub async fn reached(&self) -> Result<(), Failure> {
        self.ask(op::PING, Vec::new(), Afterwards::Reach).await.map(drop)
    }

    /// Ends the session and its ephemeral nodes.
    pub async fn close(&self) {
        // It ends here, whether or not a server hears of it.
        let _ = self.ask(op::CLOSE_SESSION, Vec::new(), Afterwards::Close).await;
    }

    /// Whether it is a node of ZooKeeper's own, or below one.
    pub fn is_reserved(&self, path: &str) -> bool {
        paths::namespace(&self.placed(path)) == paths::namespace(paths::ZOOKEEPER)
    }

    /// The path as the servers know it.
    pub(super) fn placed(&self, path: &str) -> String {
        match (&self.shared.chroot, path) {
            (None, path) => path.to_owned(),
            (Some(chroot), paths::ROOT) => chroot.clone(),
            (Some(chroot), path) => format!("{chroot}{path}"),
        }
    }

    /// The path as this client knows it.
    pub(super) fn seen(&self, path: &str) -> String {
        self.shared.seen(path).to_owned()
    }

    /// Asks, and reads the answer as this record.
    pub(super) async fn call<T: Jute>(
        &self,
        op: i32,
        record: &impl Jute,
        afterwards: Afterwards,
    ) -> Result<T, Failure> {
        let answer = self.ask(op, record.to_jute(), afterwards).await?;
        T::decode(&mut Reader::new(answer)).map_err(|error| Failure {
            why: Some(format!("the server's answer: {error}")),
            ..Failure::of(code::MARSHALLING_ERROR)
        })
    }

    pub(super) async fn ask(
        &self,
        op: i32,
        body: Vec<u8>,
        afterwards: Afterwards,
    ) -> Result<Bytes, Failure> {
        let ticket = Ticket(self.tickets.get());
        self.tickets.set(ticket.0 + 1);
        let (answered, answer) = oneshot::channel();
        let request = Request { ticket, op, body, afterwards };
        let gone = || Failure::connection_loss("the client has ended");
        self.commands.send(Command::Ask(request, answered)).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}
