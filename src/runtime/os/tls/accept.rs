//! Handshakes: many at a time, each with a deadline, none of which the accepting waits for. They
//! take turns (pace.rs), on the workers if there are any.
//!
//! A client begins TLS with a handshake record, whose first byte is 0x16. As the first byte of a
//! frame that would be a length of 350 MB, and no four-letter word begins with it: one byte tells
//! plain text from TLS.      (DualModeSslHandler, CertificateVerifier of NettyServerCnxnFactory)
//!
//! A handshake under way is a connection: it counts in maxClientCnxns, together with those of its
//! address that are done, on whichever port. Apache counts a client once its handshake is done.
//!
//! A client's certificate "names its address" if one of its IP addresses is the peer's, or one of
//! its host names resolves to it. Apache asks for the name of the peer's address instead, which
//! whoever owns that address may answer as he likes.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::Tls;
use super::crowd::{Crowd, Entry, Place};
use super::names::{hosts_of, subject_of};
use super::pace::Pace;
use crate::runtime::os::clock::Clock;
use crate::runtime::os::halt::end_broken;
use crate::runtime::os::slots::{Slot, Slots};
use crate::runtime::os::socket::Socket;
use crate::runtime::os::stream::{MachineStream, plain};
use crate::runtime::os::workers::{Worker, Workers};
use crate::runtime::tls::TlsPort;

/// From the first packet to the last of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes under way at once, of all clients.
const HANDSHAKES_MAX: usize = 1024;
/// TLS's content type "handshake".
const HANDSHAKE_RECORD: u8 = 0x16;
/// Host names of one certificate that are looked up.
const NAMES_MAX: usize = 16;

/// The handshakes of one listening socket.
pub(in crate::runtime::os) struct Accepting {
    tls: Arc<Tls>,
    port: TlsPort,
    slots: Slots,
    /// `maxClientCnxns`; 0 is no limit.
    per_address_max: u32,
    under_way: JoinSet<(Place, Option<Shaken>)>,
    crowd: Crowd<Guest>,
    /// Of the handshakes on this thread.
    pace: Pace,
    workers: Option<Rc<Workers>>,
}

/// Whose handshake is under way.
struct Guest {
    peer: SocketAddr,
    slot: Slot,
    /// Who carries it out; this thread if it is nobody.
    worker: Option<Rc<Worker>>,
    /// The worker has the connection afterwards, too.
    stays: bool,
    handshake: AbortHandle,
}

/// A connection whose handshake is done.
struct Shaken {
    socket: Socket,
    subject: Option<String>,
}

impl fmt::Debug for Accepting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let under_way = self.under_way.len();
        f.debug_struct("Accepting")
            .field("port", &self.port)
            .field("under_way", &under_way)
            .finish()
    }
}

impl Accepting {
    pub(in crate::runtime::os) fn new(
        tls: Arc<Tls>,
        port: TlsPort,
        slots: Slots,
        per_address_max: u32,
        workers: Option<Rc<Workers>>,
    ) -> Accepting {
        let crowd = Crowd::new(HANDSHAKES_MAX);
        let (under_way, pace) = (JoinSet::new(), Pace::default());
        Accepting { tls, port, slots, per_address_max, under_way, crowd, pace, workers }
    }

    /// The next connection whose handshake is done.
    pub(in crate::runtime::os) async fn accept(
        &mut self,
        tcp: &TcpListener,
        clock: Clock,
    ) -> io::Result<MachineStream> {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.under_way.join_next() => match ended {
                    Ok((place, shaken)) => {
                        let guest = self.crowd.leave(place);
                        if let (Some(shaken), Some(guest)) = (shaken, guest) {
                            match guest.stream(shaken, clock) {
                                Ok(stream) => return Ok(stream),
                                Err(error) => warn!(%error, "cannot accept a connection"),
                            }
                        }
                    }
                    Err(error) if error.is_panic() => {
                        end_broken("TLS handshake", error.into_panic());
                    }
                    Err(_) => {} // it gave way
                },
                accepted = tcp.accept() => {
                    let (tcp, peer) = accepted?;
                    self.begin(tcp, peer);
                }
            }
        }
    }

    /// Begins a handshake, or ends the connection at once.
    fn begin(&mut self, tcp: TcpStream, peer: SocketAddr) {
        let shown = plain(peer);
        if self.per_address_max > 0 && self.slots.of(peer.ip()) >= self.per_address_max {
            warn!(peer = %shown, limit = "maxClientCnxns", "Too many connections");
            return;
        }
        match self.crowd.make_room(peer.ip(), self.slots.are_taken()) {
            Entry::Free => {}
            Entry::Instead(other) => {
                warn!(
                    peer = %shown,
                    "too many TLS handshakes are under way: that of another address gives way"
                );
                other.handshake.abort();
                // Its descriptor is free in a moment; files have more than one to spare.
                drop(other.slot);
            }
            Entry::Refused => return warn!(peer = %shown, "too many TLS handshakes are under way"),
        }
        let Some(slot) = self.slots.take(peer.ip()) else {
            return warn!(peer = %shown, limit = "open files", "Too many connections");
        };
        let place = self.crowd.next_place(peer.ip());
        let worker = self.workers.as_ref().map(|workers| workers.next());
        let (tcp, pace) = match &worker {
            None => (Ok(tcp), self.pace.clone()),
            Some(worker) => (worker.adopt(tcp), worker.pace()),
        };
        let tcp = match tcp {
            Ok(tcp) => tcp,
            Err(error) => return debug!(peer = %shown, %error, "a connection has ended"),
        };
        let handshake = Handshake { tls: Arc::clone(&self.tls), port: self.port, peer, pace };
        let task = async move { (place, handshake.run(tcp).await) };
        let handshake = match &worker {
            None => self.under_way.spawn_local(task),
            Some(worker) => self.under_way.spawn_on(task, worker.handle()),
        };
        let stays = self.workers.as_ref().is_some_and(|workers| workers.carry_all());
        self.crowd.enter(place, Guest { peer, slot, worker, stays, handshake });
    }
}

impl Guest {
    fn stream(self, shaken: Shaken, clock: Clock) -> io::Result<MachineStream> {
        let who = (self.peer, shaken.subject);
        let (socket, worker) = match self.worker {
            Some(worker) if self.stays => (shaken.socket, Some(worker)),
            Some(_) => (shaken.socket.brought_here()?, None),
            None => (shaken.socket, None),
        };
        Ok(MachineStream::accepted(socket, who, clock, self.slot, worker))
    }
}

/// Why a connection never became one.
enum Failure {
    /// It ended before its first byte, as those of load balancers do.
    Silent,
    Because(String),
}

struct Handshake {
    tls: Arc<Tls>,
    port: TlsPort,
    peer: SocketAddr,
    pace: Pace,
}

impl Handshake {
    /// Says why if nothing comes of it.
    async fn run(self, tcp: TcpStream) -> Option<Shaken> {
        let peer = plain(self.peer);
        let why = match timeout(HANDSHAKE_TIMEOUT, self.begin(tcp)).await {
            Ok(Ok(shaken)) => return Some(shaken),
            Ok(Err(Failure::Silent)) => {
                debug!(%peer, "a client left before it said anything");
                return None;
            }
            Ok(Err(Failure::Because(why))) => why,
            Err(_) => format!("it was not done in {} s", HANDSHAKE_TIMEOUT.as_secs()),
        };
        warn!(%peer, "a TLS handshake failed: {why}");
        None
    }

    async fn begin(&self, tcp: TcpStream) -> Result<Shaken, Failure> {
        let failed = |error: io::Error| Failure::Because(error.to_string());
        let mut first = [0];
        let seen = tcp.peek(&mut first).await.map_err(failed)?;
        if seen == 0 {
            return Err(Failure::Silent);
        }
        tcp.set_nodelay(true).map_err(failed)?;
        match self.port {
            _ if first == [HANDSHAKE_RECORD] => self.shake_hands(tcp).await,
            TlsPort::Unified => Ok(Shaken { socket: Socket::Plain(tcp), subject: None }),
            TlsPort::Secure => {
                let why = "the client speaks plain text, and this port takes TLS alone";
                Err(Failure::Because(why.into()))
            }
        }
    }

    async fn shake_hands(&self, tcp: TcpStream) -> Result<Shaken, Failure> {
        let acceptor = TlsAcceptor::from(self.tls.config());
        let accepted = self.pace.carry_out(acceptor.accept(tcp)).await;
        let stream = accepted.map_err(|error| Failure::Because(reason(&error)))?;
        let subject = match stream.get_ref().1.peer_certificates() {
            Some([own, ..]) => Some(self.check(own).await.map_err(Failure::Because)?),
            _ => None,
        };
        Ok(Shaken { socket: Socket::Tls(Box::new(stream)), subject })
    }

    /// The subject of a client's certificate, whose chain is good.
    async fn check(&self, own: &CertificateDer<'_>) -> Result<String, String> {
        let unreadable = || "the names in the client's certificate cannot be read".to_string();
        let subject = subject_of(own).ok_or_else(unreadable)?;
        if self.tls.settings().verify_client_host {
            let hosts = hosts_of(own).ok_or_else(unreadable)?;
            let peer = self.peer.ip().to_canonical();
            if !hosts.addresses.contains(&peer) && !any_resolves_to(&hosts.names, peer).await {
                return Err(format!(
                    "the certificate of {subject} does not name this address \
                     (ssl.clientHostnameVerification)"
                ));
            }
        }
        Ok(subject)
    }
}

async fn any_resolves_to(names: &[String], peer: IpAddr) -> bool {
    for name in names.iter().take(NAMES_MAX) {
        // The resolver takes no wildcards: such a name is nobody's.
        if let Ok(mut found) = tokio::net::lookup_host((name.as_str(), 0)).await
            && found.any(|address| address.ip().to_canonical() == peer)
        {
            return true;
        }
    }
    false
}

/// rustls's error in words that an operator can act on.
fn reason(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::NoCertificatesPresented) => {
            "the client showed no certificate (ssl.clientAuth=need)".into()
        }
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "no authority in ssl.trustStore.location has signed the client's certificate".into()
        }
        Some(Error::InvalidCertificate(why)) => format!("the client's certificate: {why}"),
        Some(Error::AlertReceived(alert)) => {
            format!("the client ended it ({alert:?}): does it trust this server's certificate?")
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the client ended it: does it trust this server's certificate?".into()
        }
        _ => error.to_string(),
    }
}
