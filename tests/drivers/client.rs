use std::io::Write;

use bytes::Bytes;
use quorate::base::ConnId;
use quorate::base::limits::JUTE_MAXBUFFER_BYTES;
use quorate::runtime::os::Machine;
use quorate::runtime::{HostPort, Runtime};
use quorate::server::driver::{ClientDriver, ClientEvent};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::{
    Events, connect, frame, free_address, is_closed, listening, read_exactly, read_to_end,
    run_with_and_without_threads,
};

struct Port {
    driver: ClientDriver<Machine>,
    events: Events<ClientEvent>,
    on: HostPort,
}

fn port(machine: &Machine) -> Port {
    let (events, post) = Events::new();
    let driver = ClientDriver::new(machine.clone(), post);
    let on = free_address();
    driver.listen(on.clone());
    Port { driver, events, on }
}

impl Port {
    async fn connect(&self, conn: u64) -> TcpStream {
        let client = connect(&self.on).await;
        let peer = client.local_addr().expect("bound").to_string();
        let accepted = ClientEvent::Accepted { conn: ConnId(conn), peer, subject: None };
        assert_eq!(self.events.next().await, accepted);
        client
    }
}

fn request(conn: u64, body: &[u8]) -> ClientEvent {
    ClientEvent::Frame { conn: ConnId(conn), body: Bytes::copy_from_slice(body) }
}

fn lost(conn: u64) -> ClientEvent {
    ClientEvent::Lost { conn: ConnId(conn) }
}

#[test]
fn requests_from_empty_to_jute_maxbuffer_pass_and_no_larger_one() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        let largest = vec![1; JUTE_MAXBUFFER_BYTES];
        let mut bytes = frame(b"");
        bytes.extend(frame(&largest));
        bytes.extend(frame(b"x"));
        bytes.extend((JUTE_MAXBUFFER_BYTES as i32 + 1).to_be_bytes());
        client.write_all(&bytes).await.expect("write");
        for body in [b"".as_slice(), &largest, b"x"] {
            assert_eq!(port.events.next().await, request(1, body));
        }
        assert_eq!(port.events.next().await, lost(1));
        assert!(is_closed(&mut client).await);

        let mut client = port.connect(2).await;
        client.write_all(&(-1i32).to_be_bytes()).await.expect("write");
        assert_eq!(port.events.next().await, lost(2));
        assert!(is_closed(&mut client).await);
        port.events.assert_none().await;
    });
}

#[test]
fn many_requests_in_one_write_and_one_in_many_writes_come_apart() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        let joined: Vec<u8> = (0..500u32).flat_map(|n| frame(&n.to_be_bytes())).collect();
        client.write_all(&joined).await.expect("write");
        for n in 0..500u32 {
            assert_eq!(port.events.next().await, request(1, &n.to_be_bytes()));
        }
        for byte in frame(b"split") {
            client.write_all(&[byte]).await.expect("write");
            tokio::task::yield_now().await;
        }
        assert_eq!(port.events.next().await, request(1, b"split"));
    });
}

#[test]
fn a_word_is_answered_even_if_the_client_sends_no_more() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        for part in [b"ru".as_slice(), b"ok", b"\n", &frame(b"not a request")] {
            client.write_all(part).await.expect("write");
            tokio::task::yield_now().await;
        }
        client.shutdown().await.expect("shutdown");
        let word = ClientEvent::Word { conn: ConnId(1), word: *b"ruok", mask: None };
        assert_eq!(port.events.next().await, word);
        port.events.assert_none().await;
        port.driver.write(machine.stamp(), ConnId(1), Bytes::from_static(b"imok"));
        port.driver.close(machine.stamp(), ConnId(1));
        assert_eq!(read_to_end(&mut client).await, b"imok");
        assert_eq!(port.events.next().await, lost(1));
    });
}

/// A mask of eight bytes follows `stmk`, where that is answered.
#[test]
fn the_word_that_sets_the_trace_mask_waits_for_the_mask() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        port.driver.set_takes_trace_mask(true);
        let mut client = port.connect(1).await;
        for part in [b"stmk".as_slice(), &[0xff; 7]] {
            client.write_all(part).await.expect("write");
            tokio::task::yield_now().await;
        }
        port.events.assert_none().await;
        client.write_all(&[0xfe, b'x']).await.expect("write");
        let word = ClientEvent::Word { conn: ConnId(1), word: *b"stmk", mask: Some(-2) };
        assert_eq!(port.events.next().await, word);

        port.driver.set_takes_trace_mask(false);
        let mut client = port.connect(2).await;
        client.write_all(b"stmk").await.expect("write");
        let word = ClientEvent::Word { conn: ConnId(2), word: *b"stmk", mask: None };
        assert_eq!(port.events.next().await, word);
    });
}

#[test]
fn text_that_is_no_word_is_an_absurd_length() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        client.write_all(b"xxxx").await.expect("write");
        assert_eq!(port.events.next().await, lost(1));
        assert!(is_closed(&mut client).await);
    });
}

/// `ruok` as a length is beyond any limit, so a word can only begin a connection.
#[test]
fn a_word_behind_a_request_is_a_length() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        let mut bytes = frame(b"request");
        bytes.extend(b"ruok");
        client.write_all(&bytes).await.expect("write");
        assert_eq!(port.events.next().await, request(1, b"request"));
        assert_eq!(port.events.next().await, lost(1));
    });
}

#[test]
fn a_paused_connection_is_not_read_until_it_is_resumed() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut paused = port.connect(1).await;
        port.driver.pause(ConnId(1));
        paused.write_all(&frame(b"held")).await.expect("write");
        // It was written later, but it comes first, and alone.
        let mut other = port.connect(2).await;
        other.write_all(&frame(b"passes")).await.expect("write");
        assert_eq!(port.events.next().await, request(2, b"passes"));
        port.events.assert_none().await;
        // Replies go out all the same.
        port.driver.write(machine.stamp(), ConnId(1), Bytes::from_static(b"reply"));
        assert_eq!(read_exactly(&mut paused, 5).await, b"reply");
        port.driver.resume(ConnId(1));
        assert_eq!(port.events.next().await, request(1, b"held"));
    });
}

#[test]
fn replies_keep_their_order_through_a_client_that_reads_late() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        let mut wanted: Vec<u8> = Vec::new();
        // Far more than sockets hold, in frames of every size class of a write.
        for n in 0..3000u32 {
            let reply = vec![n as u8; 1 + (n as usize * 37) % 9000];
            wanted.extend(&reply);
            port.driver.write(machine.stamp(), ConnId(1), reply.into());
        }
        port.driver.close(machine.stamp(), ConnId(1));
        let read = read_to_end(&mut client).await;
        assert!(read == wanted, "{} of {} bytes, or not the same", read.len(), wanted.len());
        assert_eq!(port.events.next().await, lost(1));
    });
}

#[test]
fn a_port_in_use_is_told() {
    run_with_and_without_threads(async |machine| {
        let (_listener, taken) = listening().await;
        let (events, post) = Events::new();
        ClientDriver::new(machine.clone(), post).listen(taken.clone());
        let event = events.next().await;
        let ClientEvent::BindFailed { why } = event else { panic!("{event:?}") };
        assert!(why.contains(&taken.to_string()), "{why}");
    });
}

#[test]
fn the_longest_request_is_what_it_was_set_to() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        port.driver.set_frame_bytes_max(JUTE_MAXBUFFER_BYTES + 1);
        let mut client = port.connect(1).await;
        let largest = vec![1; JUTE_MAXBUFFER_BYTES + 1];
        client.write_all(&frame(&largest)).await.expect("write");
        assert_eq!(port.events.next().await, request(1, &largest));
        client.write_all(&(JUTE_MAXBUFFER_BYTES as i32 + 2).to_be_bytes()).await.expect("write");
        assert_eq!(port.events.next().await, lost(1));
    });
}

#[test]
fn a_connection_tells_when_everything_has_left_and_not_before() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let mut client = port.connect(1).await;
        // Far more than sockets hold.
        let reply = Bytes::from(vec![7; 1 << 20]);
        for _ in 0..32 {
            port.driver.write(machine.stamp(), ConnId(1), reply.clone());
        }
        port.driver.notify_drained(machine.stamp(), ConnId(1));
        port.events.assert_none().await;
        assert_eq!(read_exactly(&mut client, 32 << 20).await.len(), 32 << 20);
        assert_eq!(port.events.next().await, ClientEvent::Drained { conn: ConnId(1) });
        port.driver.notify_drained(machine.stamp(), ConnId(1));
        assert_eq!(port.events.next().await, ClientEvent::Drained { conn: ConnId(1) });
    });
}

#[test]
fn a_client_that_sends_without_end_can_be_paused_before_it_is_too_much() {
    run_with_and_without_threads(async |machine| {
        let port = port(&machine);
        let client = port.connect(1).await;
        let mut client = client.into_std().expect("a socket");
        port.driver.pause(ConnId(1));
        let body = vec![7; 10_000];
        let piece: Vec<u8> = (0..100).flat_map(|_| frame(&body)).collect();
        let mut sent = 0;
        while let Ok(bytes) = client.write(&piece[sent % piece.len()..]) {
            sent += bytes;
        }
        assert!(sent > 2_000_000, "sockets hold {sent} bytes only: this shows nothing");
        port.driver.resume(ConnId(1));
        // As a task of its own: what `run` itself waits for has a turn after many of the others'.
        let paused = tokio::task::spawn_local(async move {
            assert_eq!(port.events.next().await, request(1, &body));
            port.driver.pause(ConnId(1));
            port
        });
        let port = paused.await.expect("it does not panic");
        let more = port.events.count_rest().await;
        assert!(more < 150, "{more} requests of 10 kB in one turn");
    });
}
