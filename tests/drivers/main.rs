//! The three socket drivers on real loopback sockets: framing, endings, back-pressure.
//!
//! The other side of each connection is a plain socket that sends what a peer may send.

mod client;
mod election;
mod labels;
mod quorum;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::Stamp;
use quorate::runtime::HostPort;
use quorate::runtime::link::Post;
use quorate::runtime::os::Machine;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn run(test: impl AsyncFnOnce(Machine)) {
    let machine = Machine::new();
    machine.run(test(machine.clone())).expect("the kernel gives an event queue");
}

/// The same, with the sockets of clients on this thread, and on two others.
fn run_with_and_without_threads(test: impl AsyncFn(Machine)) {
    for threads in [0, 2] {
        let machine = Machine::new().with_client_threads(threads);
        machine.run(test(machine.clone())).expect("the kernel gives an event queue");
    }
}

/// What a driver posted, in order.
struct Events<E> {
    posted: Rc<RefCell<VecDeque<(u64, E)>>>,
    news: Rc<Notify>,
}

impl<E: 'static> Events<E> {
    fn new() -> (Events<E>, Post<E>) {
        let events = Events { posted: Rc::default(), news: Rc::default() };
        let (posted, news) = (Rc::clone(&events.posted), Rc::clone(&events.news));
        let last = RefCell::new(std::collections::BTreeMap::<u64, Stamp>::new());
        let post = move |at: Stamp, source: u64, event: E| {
            let before = last.borrow_mut().insert(source, at);
            assert!(before <= Some(at), "events of source {source} go back in time");
            posted.borrow_mut().push_back((source, event));
            news.notify_one();
        };
        (events, Rc::new(post))
    }

    async fn next(&self) -> E {
        let next = async {
            loop {
                if let Some((_, event)) = self.posted.borrow_mut().pop_front() {
                    return event;
                }
                self.news.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("an event")
    }

    /// How many events are posted, and more as long as tasks run because of them; all are forgotten.
    async fn count_rest(&self) -> usize {
        let mut count = 0;
        loop {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            match self.posted.borrow_mut().drain(..).count() {
                0 => return count,
                more => count += more,
            }
        }
    }

    /// Nothing is posted although every task has run as far as it can.
    async fn assert_none(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(self.posted.borrow().is_empty(), "an event nobody expects");
    }
}

/// An address nobody listens on now.
fn free_address() -> HostPort {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    HostPort::new("127.0.0.1", bound.local_addr().expect("bound").port())
}

async fn listening() -> (TcpListener, HostPort) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, HostPort::new("127.0.0.1", port))
}

/// Connects as soon as somebody listens there.
async fn connect(to: &HostPort) -> TcpStream {
    let connecting = async {
        loop {
            if let Ok(stream) = TcpStream::connect((to.host.as_str(), to.port)).await {
                stream.set_nodelay(true).expect("a socket has options");
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, connecting).await.expect("somebody listens")
}

async fn read_exactly(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await;
    read.expect("bytes in time").expect("bytes");
    bytes
}

/// Everything until the other side closes.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("an end in time").expect("an end without an error");
    bytes
}

/// Whether the other side closed, politely or not, rather than sent something.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buf = vec![0; 1 << 16];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut buf)).await;
    !matches!(read.expect("an end in time"), Ok(1..))
}

/// `length int | body`.
fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}
