//! A client port with TLS in this process, and clients of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quorate::config::ClientTls;
use quorate::runtime::HostPort;
use quorate::runtime::os::Machine;
use quorate::server::driver::{ClientDriver, ClientEvent};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, Identity};

/// A test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// With all on this thread, with handshakes on another, and with all connections on two others.
pub(crate) fn run(test: impl AsyncFn(Machine)) {
    for threads in [0, 1, 2] {
        let machine = Machine::new().with_client_threads(threads);
        machine.run(test(machine.clone())).expect("the kernel gives an event queue");
    }
}

pub(crate) async fn in_time<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wanted).await.expect("it happens in time")
}

fn free_address() -> HostPort {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    HostPort::new("127.0.0.1", bound.local_addr().expect("bound").port())
}

/// A client port, and what happens on it.
pub(crate) struct Port {
    pub(crate) driver: ClientDriver<Machine>,
    /// Takes plain text, and TLS too with `port_unification`.
    pub(crate) plain: HostPort,
    pub(crate) secure: HostPort,
    events: Rc<RefCell<VecDeque<ClientEvent>>>,
    news: Rc<Notify>,
}

impl Port {
    /// Opens a secure port, and a plain one beside it.
    pub(crate) fn open(machine: &Machine, settings: &ClientTls) -> Port {
        Port::open_for(machine, settings, 0)
    }

    /// For no more connections of one address than these.
    pub(crate) fn open_for(machine: &Machine, settings: &ClientTls, max: u32) -> Port {
        let events: Rc<RefCell<VecDeque<ClientEvent>>> = Rc::default();
        let news: Rc<Notify> = Rc::default();
        let (posted, notify) = (Rc::clone(&events), Rc::clone(&news));
        let post = Rc::new(move |_, _, event| {
            posted.borrow_mut().push_back(event);
            notify.notify_one();
        });
        let driver = ClientDriver::new(machine.clone(), post);
        let (plain, secure) = (free_address(), free_address());
        let settings = ClientTls { listen: Some(secure.clone()), ..settings.clone() };
        driver.set_per_address_max(max);
        driver.listen_all(Some(&plain), Some(&settings));
        Port { driver, plain, secure, events, news }
    }

    pub(crate) async fn next(&self) -> ClientEvent {
        in_time(async {
            loop {
                if let Some(event) = self.events.borrow_mut().pop_front() {
                    return event;
                }
                self.news.notified().await;
            }
        })
        .await
    }

    /// The number and the subject of the connection that was accepted next.
    pub(crate) async fn accepted(&self) -> (u64, Option<String>) {
        match self.next().await {
            ClientEvent::Accepted { conn, subject, .. } => (conn.0, subject),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn dial(to: &HostPort) -> TcpStream {
    in_time(async {
        loop {
            if let Ok(stream) = TcpStream::connect((to.host.as_str(), to.port)).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}

/// What a client trusts, shows and speaks.
#[derive(Clone)]
pub(crate) struct TlsClient {
    roots: RootCertStore,
    identity: Option<Identity>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
}

impl TlsClient {
    /// Trusts this authority and shows nothing.
    pub(crate) fn of(authority: &Authority) -> TlsClient {
        TlsClient::trusting(authority.certificate())
    }

    /// The same, by its certificate.
    pub(crate) fn trusting(authority: CertificateDer<'static>) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("an authority");
        TlsClient { roots, identity: None, versions: vec![&version::TLS12, &version::TLS13] }
    }

    pub(crate) fn showing(self, identity: &Identity) -> TlsClient {
        TlsClient { identity: Some(identity.clone()), ..self }
    }

    pub(crate) fn with_tls_1_2(self) -> TlsClient {
        TlsClient { versions: vec![&version::TLS12], ..self }
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&self.versions)
            .expect("versions of the provider")
            .with_root_certificates(self.roots.clone());
        Arc::new(match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(vec![identity.certificate.clone()], identity.key())
                .expect("a key of this certificate"),
        })
    }

    pub(crate) async fn connect(&self, to: &HostPort) -> io::Result<TlsStream<TcpStream>> {
        let tcp = dial(to).await;
        let name = ServerName::try_from("localhost").expect("a name");
        in_time(TlsConnector::from(self.config()).connect(name, tcp)).await
    }

    /// Whether the server ends the connection, in the handshake or (as in TLS 1.3, where a client
    /// does not wait for the verdict) right after it.
    pub(crate) async fn is_refused(&self, to: &HostPort) -> bool {
        match self.connect(to).await {
            Err(_) => true,
            Ok(mut stream) => {
                // A frame that would be answered by an event.
                let _ = stream.write_all(&frame(b"x")).await;
                !matches!(in_time(stream.read(&mut [0])).await, Ok(1..))
            }
        }
    }

    /// The server's own certificate.
    pub(crate) async fn certificate_of(&self, to: &HostPort) -> CertificateDer<'static> {
        let stream = self.connect(to).await.expect("a handshake");
        let chain = stream.get_ref().1.peer_certificates().expect("the server shows one");
        chain[0].clone().into_owned()
    }
}

pub(crate) fn version_of(stream: &TlsStream<TcpStream>) -> Option<ProtocolVersion> {
    stream.get_ref().1.protocol_version()
}

/// `length int | body`.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}
