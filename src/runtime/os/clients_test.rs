//! Connections of clients are alike, whether this thread has their sockets or others.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::{Machine, MachineListener, MachineStream};
use crate::runtime::{HostPort, Listener, Runtime, Stream};

const PATIENCE: Duration = Duration::from_secs(20);

/// With the sockets on this thread, and on two others.
fn run<T>(test: impl AsyncFn(Machine) -> T) -> Vec<T> {
    let of = |threads| {
        let machine = Machine::new().with_client_threads(threads);
        machine.run(test(machine.clone())).expect("the kernel gives an event queue")
    };
    [0, 2].map(of).into()
}

async fn in_time<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wanted).await.expect("it happens in time")
}

async fn listen(machine: &Machine) -> (MachineListener, SocketAddr) {
    let on = HostPort::new("127.0.0.1", 0);
    let listener = machine.listen_clients(&on).await.expect("a free port");
    let address = listener.local_address().expect("bound");
    (listener, address)
}

/// A client, and its stream here.
async fn connect(machine: &Machine) -> (TcpStream, MachineStream) {
    let (mut listener, address) = listen(machine).await;
    let client = TcpStream::connect(address).await.expect("it listens");
    let (_, stream) = in_time(listener.accept()).await.expect("a connection");
    assert_eq!(stream.peer(), client.local_addr().expect("bound").to_string());
    // One thread has handshakes alone.
    assert_eq!(stream.socket().is_none(), machine.client_threads > 1, "where its socket is");
    (client, stream)
}

#[test]
fn more_than_sockets_hold_goes_both_ways_at_once() {
    const BYTES: usize = 16 << 20;
    run(async |machine| {
        let (client, stream) = connect(&machine).await;
        let (mut from_client, mut to_client) = (Vec::new(), vec![7; BYTES]);
        to_client[BYTES - 1] = 8;
        let (mut here, mut to_there) = tokio::io::split(stream);
        let (mut there, mut to_here) = client.into_split();
        let sent = to_client.clone();
        let all = async {
            tokio::join!(
                async { to_here.write_all(&sent).await.and(to_here.shutdown().await) },
                async { to_there.write_all(&sent).await.and(to_there.shutdown().await) },
                async { here.read_to_end(&mut from_client).await },
                async {
                    let mut read = Vec::new();
                    there.read_to_end(&mut read).await.map(|_| read)
                },
            )
        };
        let (up, down, _, read) = in_time(all).await;
        up.and(down).expect("both are open");
        assert!(read.expect("no error") == to_client && from_client == to_client);
    });
}

#[test]
fn who_sends_no_more_still_gets_what_is_written() {
    run(async |machine| {
        let (mut client, mut stream) = connect(&machine).await;
        client.write_all(b"request").await.expect("it is open");
        client.shutdown().await.expect("it is open");
        let mut request = Vec::new();
        in_time(stream.read_to_end(&mut request)).await.expect("an end");
        assert_eq!(request, b"request");
        stream.write_all(b"reply").await.expect("this direction is open");
        in_time(stream.shutdown()).await.expect("this direction is open");
        let mut reply = Vec::new();
        in_time(client.read_to_end(&mut reply)).await.expect("an end");
        assert_eq!(reply, b"reply");
    });
}

#[test]
fn what_was_written_before_a_stream_is_dropped_arrives() {
    run(async |machine| {
        let (mut client, mut stream) = connect(&machine).await;
        stream.write_all(&[7; 50_000]).await.expect("it is open");
        drop(stream);
        let mut read = Vec::new();
        in_time(client.read_to_end(&mut read)).await.expect("an end");
        assert_eq!(read, [7; 50_000]);
    });
}

#[test]
fn a_reset_is_told_in_the_systems_words() {
    let words = run(async |machine| {
        let (client, mut stream) = connect(&machine).await;
        client.set_zero_linger().expect("a socket has options");
        drop(client);
        let error = in_time(stream.read(&mut [0; 8])).await.expect_err("it was reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        error.to_string()
    });
    assert_eq!(words[0], words[1]);
}

/// A slot that is free before its socket would let in more than there are descriptors for.
#[test]
fn a_connection_counts_until_its_socket_is_closed() {
    run(async |machine| {
        let (mut client, mut stream) = connect(&machine).await;
        let ip = client.peer_addr().expect("connected").ip();
        assert_eq!(machine.clients.of(ip), 1);
        client.write_all(b"x").await.expect("it is open");
        in_time(stream.read_exact(&mut [0])).await.expect("a byte");
        assert_eq!(machine.clients.of(ip), 1);
        drop(stream);
        assert_eq!(in_time(client.read(&mut [0])).await.expect("an end"), 0);
        in_time(async {
            while machine.clients.of(ip) > 0 {
                yield_now().await;
            }
        })
        .await;
    });
}

#[test]
fn workers_begin_with_the_first_port_and_end_with_the_server() {
    for threads in [1, 2] {
        let machine = Machine::new().with_client_threads(threads);
        let main = async {
            assert!(machine.workers.borrow().is_none());
            let (mut client, mut stream) = connect(&machine).await;
            // The worker has heard of it, and sleeps.
            client.write_all(b"x").await.expect("it is open");
            in_time(stream.read_exact(&mut [0])).await.expect("a byte");
            assert_eq!(machine.workers.borrow().is_some(), threads > 1);
            machine.spawn("client connection", async move {
                let _held = stream;
                std::future::pending::<()>().await;
            });
            client.into_std().expect("a socket")
        };
        let mut client = machine.run(main).expect("the kernel gives an event queue");
        assert!(machine.workers.borrow().is_none());
        client.set_nonblocking(false).expect("a socket has options");
        client.set_read_timeout(Some(PATIENCE)).expect("a socket has options");
        assert_eq!(client.read(&mut [0]).expect("an end"), 0, "nobody has its socket any more");
    }
}
