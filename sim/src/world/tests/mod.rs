//! The world held against its promises, with small tasks in place of servers.

mod bandwidth;
mod determinism;
mod disk;
mod lifecycle;
mod net;
mod speed;
mod throughput;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::{ServerId, Stamp};
use quorate::runtime::{HostPort, Label, LabelKind, Listener, Runtime, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{NoObserver, ServerPorts, SimRuntime, SimStream, World, WorldOptions};

const S1: ServerId = ServerId(1);
const S2: ServerId = ServerId(2);
const QUORUM: u16 = 2888;
const PING: Label = Label { kind: LabelKind::Ping, zxid: None };
const PROPOSAL: Label = Label { kind: LabelKind::Proposal, zxid: None };
const MINUTE: Duration = Duration::from_secs(60);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at_ms(n: u64) -> Stamp {
    Stamp(n * 1_000_000)
}

/// A list that tasks write and the test reads.
struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Log<T> {
        Log(self.0.clone())
    }
}

impl<T: Clone> Log<T> {
    fn new() -> Log<T> {
        Log(Rc::new(RefCell::new(vec![])))
    }

    fn push(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    fn all(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    fn last(&self) -> Option<T> {
        self.0.borrow().last().cloned()
    }
}

/// A world with servers 1 and 2, no process in them, and no frame in pieces.
fn with_world<F: Future<Output = ()>>(main: impl FnOnce(World) -> F) {
    let options = WorldOptions { split_ppm: 0, ..WorldOptions::default() };
    World::run(7, options, Rc::new(NoObserver), Duration::from_secs(600), |world| async move {
        world.add_server(S1, ServerPorts::default());
        world.add_server(S2, ServerPorts::default());
        main(world.clone()).await;
        assert_eq!((world.late_events(), world.late_reads()), (0, 0));
    });
}

fn to(host: &str) -> HostPort {
    HostPort::new(host, QUORUM)
}

#[derive(Clone, PartialEq, Debug)]
enum Seen {
    Opened(Stamp),
    Data(Stamp, Vec<u8>),
    Fin(Stamp),
    Failed(Stamp, io::ErrorKind),
}

/// Reads until the end and says what came when.
async fn read_all(mut stream: impl Stream, log: Log<Seen>) {
    let mut buf = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buf).await {
            Ok(0) => return log.push(Seen::Fin(stream.read_at())),
            Ok(n) => log.push(Seen::Data(stream.read_at(), buf[..n].to_vec())),
            Err(error) => return log.push(Seen::Failed(stream.read_at(), error.kind())),
        }
    }
}

/// A server that accepts one connection after another and logs what it reads on them.
fn reading_server(log: Log<Seen>) -> impl FnOnce(SimRuntime) -> Main {
    move |rt| {
        Box::pin(async move {
            let mut listener = rt.listen(&to("0.0.0.0")).await.expect("the port is free");
            while let Ok((at, stream)) = listener.accept().await {
                log.push(Seen::Opened(at));
                rt.spawn("reader", read_all(stream, log.clone()));
            }
        })
    }
}

type Main = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Connects at a stamp and hands the outcome over.
async fn connect(rt: &SimRuntime, at: Stamp, host: &str) -> (Stamp, io::Result<SimStream>) {
    rt.sleep_until(at).await;
    rt.connect(at, &to(host), Duration::from_secs(5)).await
}

async fn send(stream: &mut SimStream, at: Stamp, label: Label, bytes: &[u8]) {
    stream.begin_write(at, label);
    stream.write_all(bytes).await.expect("the connection is open");
}
